"""The language of the page: what a person chose, else what the browser asks for."""

from __future__ import annotations

from flask import Blueprint, g, redirect, request, session
from flask.typing import ResponseReturnValue

from portal.core import core
from portal.database import db
from portal.views.access import admin_or_none, local_path, public

LANGUAGES = {"de": "Deutsch", "en": "English"}

bp = Blueprint("languages", __name__)


def select_locale() -> str:
    """Return the language for this request."""
    chosen = session.get("locale") if session else None
    if chosen is None and (admin := g.get("admin")) is not None:
        chosen = admin.locale
    if chosen in LANGUAGES:
        return str(chosen)
    # The default stands first: among equals it wins, and where nothing fits.
    default = core().config.default_locale
    offered = sorted(LANGUAGES, key=lambda locale: locale != default)
    return request.accept_languages.best_match(offered, default) or default


@bp.post("/language")
@public
def choose() -> ResponseReturnValue:
    """Remember the language for this session, and for the person when one is signed in."""
    locale = request.form.get("locale")
    if locale in LANGUAGES:
        session["locale"] = locale
        if (admin := admin_or_none()) is not None:
            admin.locale = locale
            db.session.commit()
    return redirect(local_path(request.form.get("next")) or "/", 303)
