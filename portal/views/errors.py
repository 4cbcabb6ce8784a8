"""What people see when something went wrong: words, and what to do; never a stack trace."""

from __future__ import annotations

import secrets

import structlog
from flask import Flask, g, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from sqlalchemy import inspect
from werkzeug.exceptions import HTTPException, InternalServerError

from portal.core import core
from portal.crypto import SealBroken
from portal.database import AWAY, db
from portal.errors import RemoteError
from portal.services.sentences import cause_sentence, cause_title, fix_sentence
from portal.views.access import DatabaseAway, RightsUnknown, is_fragment
from portal.views.unsent import unsent_fields

log = structlog.get_logger(__name__)

PAGES = {
    400: (
        _("This request could not be read"),
        _("The page may have been open for too long. Please reload it and try again."),
    ),
    403: (
        _("This is not allowed"),
        _("The request came from another site, or your right for it is missing."),
    ),
    404: (
        _("This page does not exist"),
        _("Perhaps the link is old, or you are signed in with another account."),
    ),
    405: (_("This does not work here"), _("Please go back and use the buttons on the page.")),
    413: (_("That was too much"), _("The form is larger than we accept.")),
    429: (_("Too many tries"), _("Please wait a minute, then try again.")),
    500: (
        _("Something went wrong on our side"),
        _(
            "No invoice gets lost: it waits. If it happens again, please give support this "
            "reference:"
        ),
    ),
    503: (
        _("Cobot or sevdesk is not answering"),
        _("No invoice gets lost: it waits. Please try again in a minute."),
    ),
}
DATABASE_AWAY = (
    _("Our database is not answering"),
    _("No invoice gets lost: Cobot sends what we could not take. Please try again in a minute."),
)
RIGHTS_UNKNOWN = (
    _("Cobot is not answering at the moment"),
    _(
        "We ask Cobot every hour which spaces are yours, and could not for two hours. Your "
        "invoices are transferred all the same. Please try again in a minute."
    ),
)
TOKEN_AGAIN = _(
    "If the key cannot be found again, enter the API token anew under “Your sevdesk data”."
)

SENT_AGAIN = {400, 429, 503}
"""Statuses after which the same form may be taken: what was typed is kept on the page."""


def show(status: int, *, reference: str | None = None) -> ResponseReturnValue:
    """Return the page for this status; for htmx a short notice that leaves the page as it is."""
    title, text = PAGES.get(status) or PAGES[400 if status < 500 else 500]
    return _answer(status, title, text, reference)


def _answer(status: int, title: object, text: object, reference: str | None) -> ResponseReturnValue:
    template = "errors/_notice.html" if is_fragment() else "errors/index.html"
    page = render_template(
        template,
        status=status,
        title=title,
        text=text,
        reference=reference,
        unsent=unsent_fields() if status in SENT_AGAIN else [],
    )
    answer = make_response(page, status)
    if is_fragment():
        answer.headers["HX-Retarget"] = "#notice"
        answer.headers["HX-Reswap"] = "innerHTML"
    return answer


def show_notice(status: int, title: str, text: str) -> ResponseReturnValue:
    """Return a page (for htmx a notice) with words of its own."""
    return _answer(status, title, text, None)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error
    if request.endpoint is not None and error.code < 500:
        # Who tries doors is seen here: a stranger's 404, a missing form token, too many tries.
        log.warning("request refused", status=error.code, endpoint=request.endpoint, who=_who())
    answer = make_response(show(error.code))
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            answer.headers[name] = value
    return answer


def _who() -> int | None:
    """Return who is signed in, as far as it is known by now."""
    admin = g.get("admin")
    return admin.id if admin is not None else None


def _let_go_of_the_database() -> None:
    """Take back what the request began, so that the page about its error asks the database nothing.

    Rows that a session still holds are read anew after that. Every page names who is signed in: it
    shows them as they were read, and nobody where a failed write has let go of them already.
    """
    db.session.expunge_all()
    db.session.rollback()
    admin = g.get("admin")
    if admin is not None and inspect(admin).expired:
        g.admin = None


def _server_error(error: InternalServerError) -> ResponseReturnValue:
    _let_go_of_the_database()
    # Flask has logged the error itself; this line ties it to what the person was told.
    reference = secrets.token_hex(4)
    core().counters.add("portal_faults", "page")
    log.error("page failed", reference=reference, endpoint=request.endpoint)
    return show(500, reference=reference)


def _remote_error(error: RemoteError) -> ResponseReturnValue:
    reference = secrets.token_hex(4)
    log.warning("page needs a remote side that is away", reference=reference, error=str(error))
    return show(503, reference=reference)


def _database_away(error: Exception) -> ResponseReturnValue:
    _let_go_of_the_database()
    reference = secrets.token_hex(4)
    log.error("page needs the database", reference=reference, error=type(error).__name__)
    return _answer(503, *DATABASE_AWAY, reference)


def _token_unreadable(error: SealBroken) -> ResponseReturnValue:
    log.error("page needs what no key opens", endpoint=request.endpoint, error=str(error))
    code = "token_unreadable"
    text = f"{cause_sentence(code, {})} {fix_sentence(code, {})} {TOKEN_AGAIN}"
    return _answer(503, cause_title(code), text, None)


def _rights_unknown(_error: RightsUnknown) -> ResponseReturnValue:
    return _answer(503, *RIGHTS_UNKNOWN, None)


def register_errors(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(InternalServerError, _server_error)
    app.register_error_handler(RemoteError, _remote_error)
    app.register_error_handler(RightsUnknown, _rights_unknown)
    app.register_error_handler(SealBroken, _token_unreadable)
    for away in (DatabaseAway, *AWAY):
        app.register_error_handler(away, _database_away)
