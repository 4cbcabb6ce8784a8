"""The web application: the core, and everything that people and Cobot reach by an address."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from flask import Flask, current_app, g, request, session, url_for
from flask_babel import get_translations
from markupsafe import Markup

from portal.cli import register_commands
from portal.config import Config
from portal.core import create_core
from portal.filters import register_filters
from portal.filters_history import register_history_filters
from portal.oauth import register_cobot
from portal.services.sessions import DatabaseSessions, ServerSession
from portal.services.signin import Rights
from portal.services.support import is_support
from portal.views import (
    account,
    appearance,
    backfill,
    batches,
    bundles,
    causes,
    copying,
    data,
    errors,
    health,
    help,
    invoices,
    languages,
    mapping,
    members,
    months,
    overview,
    privacy,
    rehearsal,
    repairs,
    settings,
    sevdesk,
    signin,
    spaces,
    support,
)
from portal.views import log as log_views
from portal.views.access import current_rights, register_access
from portal.views.protection import register_origin_check, register_protection
from portal.views.tracing import register_tracing
from portal.views.webhooks import register_webhooks

YEAR_SECONDS = 31_536_000

BLUEPRINTS = (
    signin.bp,
    account.bp,
    languages.bp,
    appearance.bp,
    spaces.bp,
    sevdesk.bp,
    settings.bp,
    copying.bp,
    log_views.bp,
    causes.bp,
    batches.bp,
    backfill.bp,
    members.bp,
    months.bp,
    rehearsal.bp,
    mapping.bp,
    overview.bp,
    invoices.bp,
    repairs.bp,
    support.bp,
    health.bp,
    help.bp,
    data.bp,
    privacy.bp,
)


def create_app(config: Config | None = None) -> Flask:
    """Return the application that a web server runs."""
    app = create_core(config)
    core = app.extensions["portal"]
    if core.config.is_https:
        app.debug = False  # whatever FLASK_DEBUG says: others can reach it
    app.session_interface = DatabaseSessions()
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR_SECONDS
    app.extensions["babel"].locale_selector = languages.select_formats
    app.extensions["portal_cobot_login"] = register_cobot(app, core.config, core.sessions)
    register_tracing(app)
    register_origin_check(app)
    register_access(app)
    register_webhooks(app)
    register_protection(app)
    register_filters(app)
    register_history_filters(app)
    bundles.register_bundles(app)
    errors.register_errors(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    register_commands(app)
    app.context_processor(_for_all_templates)
    # In place of Jinja's own, which asks three times its context for each text.
    app.jinja_env.globals.update(_=_text, gettext=_text, ngettext=_text_of_number)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    return app


def _text(text: str, /, **values: object) -> Markup:
    """Return a text in the language of this request; its values are escaped."""
    said = _catalogue().ugettext(text)
    return _ours(said) % values if values else _without_values(said)


def _text_of_number(one: str, many: str, number: int, /, **values: object) -> Markup:
    """Return the text for so many, which it may name as `num`."""
    return _ours(_catalogue().ungettext(one, many, number)) % {"num": number, **values}


def _ours(text: str) -> Markup:
    """Return a text of the catalogue as it is: what stands in it was written by us."""
    return Markup(text)  # noqa: S704 - no text from outside comes here


@lru_cache(maxsize=4096)
def _without_values(text: str) -> Markup:
    return _ours(text) % {}


def _catalogue() -> Any:
    """Return the texts in the language of this request, looked up once a page."""
    catalogue = g.get("catalogue")
    if catalogue is None:
        catalogue = g.catalogue = get_translations()
    return catalogue


def _for_all_templates() -> dict[str, Any]:
    admin = g.get("admin")
    return {
        "admin": admin,
        "has_old_rights": current_rights() is Rights.OLD,
        "rights_read_at": cast(ServerSession, session).rights_read_at,
        "is_support": admin is not None and is_support(admin),
        "locale": languages.select_locale(),
        "languages": languages.LANGUAGES,
        "theme": appearance.chosen_theme(),
        "here": request.full_path.rstrip("?") if request.method == "GET" else "/",
        "asset": asset,
        "calls_days": current_app.extensions["portal"].config.retention_calls_days,
    }


def asset(filename: str) -> str:
    """Return the address of a static file; it changes with the file, so it may be kept a year."""
    folder = Path(str(current_app.static_folder))
    is_bundle = filename in bundles.BUNDLES
    version = bundles.bundle(folder, filename).version if is_bundle else _version(folder / filename)
    return url_for("static", filename=filename, v=version)


@lru_cache
def _version(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
