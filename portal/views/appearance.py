"""Light or dark, as a person chose, else as the system does; and the icon that browsers ask for."""

from __future__ import annotations

from flask import Blueprint, current_app, redirect, request
from flask.typing import ResponseReturnValue

from portal.core import core
from portal.views.access import local_path, public
from portal.views.protection import check_token, csrf

THEMES = ("auto", "light", "dark")
COOKIE = "theme"
YEAR_SECONDS = 31_536_000

bp = Blueprint("appearance", __name__)
csrf.exempt(bp)  # who is signed in must show the token all the same, see check_token


def chosen_theme() -> str:
    """Return what this browser chose: one of THEMES."""
    theme = request.cookies.get(COOKIE, "")
    return theme if theme in THEMES else "auto"


@bp.post("/theme")
@public
def choose() -> ResponseReturnValue:
    """Remember the choice in this browser; the server writes it into every page."""
    check_token()
    answer = redirect(local_path(request.form.get("next")) or "/", 303)
    theme = request.form.get("theme")
    if theme in THEMES:
        answer.set_cookie(
            COOKIE,
            theme,
            max_age=YEAR_SECONDS,
            httponly=True,
            secure=core().config.is_https,
            samesite="Lax",
        )
    return answer


@bp.get("/favicon.ico")
@public
def favicon() -> ResponseReturnValue:
    return current_app.send_static_file("favicon.ico")
