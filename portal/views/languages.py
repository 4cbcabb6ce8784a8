"""The language of the page: what a person chose, else what the browser asks for."""

from __future__ import annotations

from flask import Blueprint, g, redirect, request
from flask.typing import ResponseReturnValue

from portal.core import core
from portal.database import db
from portal.services.sentences import LOCALES
from portal.views.access import admin_or_none, local_path, public
from portal.views.protection import check_token, csrf

LANGUAGES = {"de": "Deutsch", "en": "English"}
COOKIE = "language"
YEAR_SECONDS = 31_536_000

bp = Blueprint("languages", __name__)
csrf.exempt(bp)  # who is signed in must show the token all the same, see check_token


def select_locale() -> str:
    """Return the language for this request."""
    chosen = request.cookies.get(COOKIE)
    if chosen not in LANGUAGES and (admin := g.get("admin")) is not None:
        chosen = admin.locale
    if chosen in LANGUAGES:
        return str(chosen)
    # The default stands first: among equals it wins, and where nothing fits.
    default = core().config.default_locale
    offered = sorted(LANGUAGES, key=lambda locale: locale != default)
    return request.accept_languages.best_match(offered, default) or default


def select_formats() -> str:
    """Return the language for this request as Babel knows it: with its dates and figures."""
    return LOCALES[select_locale()]


@bp.post("/language")
@public
def choose() -> ResponseReturnValue:
    """Remember the language in this browser, and for the person when one is signed in."""
    check_token()
    answer = redirect(local_path(request.form.get("next")) or "/", 303)
    locale = request.form.get("locale")
    if locale in LANGUAGES:
        if (admin := admin_or_none()) is not None:
            admin.locale = locale
            db.session.commit()
        answer.set_cookie(
            COOKIE,
            locale,
            max_age=YEAR_SECONDS,
            httponly=True,
            secure=core().config.is_https,
            samesite="Lax",
        )
    return answer
