"""Cobot's webhooks arrive here, in front of the pages. The secret in the address is the key.

There is no session, no form token and no page. A month's invoices come as one burst, and what a
page needs around each request costs as much as keeping a webhook.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from flask import Flask
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request
from werkzeug.wsgi import ClosingIterator

from portal.cobot.webhooks import EVENTS, LONGEST_BODY
from portal.core import core
from portal.database import begin_writing
from portal.logs import tracing
from portal.services import webhooks
from portal.tenancy import leave_spaces
from portal.views.protection import headers_of_all
from portal.views.tracing import HEADER, id_for

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

ADDRESS = re.compile(r"/hooks/cobot/([^/]+)/([^/]+)")
"""Secret and event; a secret of ours is one word of ASCII letters, every other one is unknown."""
METHOD = "POST"


class Webhooks:
    """WSGI application that answers webhooks and hands everything else on to the pages."""

    def __init__(self, app: Flask, pages: WSGIApplication) -> None:
        self._app = app
        self._pages = pages

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        address = ADDRESS.fullmatch(environ.get("PATH_INFO", ""))
        if address is None:
            return self._pages(environ, start_response)
        with self._app.app_context():
            status, headers = _answer(Request(environ), *address.groups())
            counters = core().counters
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        # After the answer is gone: nobody waits for it.
        return ClosingIterator((), counters.flush_soon)


def _answer(request: Request, secret: str, event: str) -> tuple[int, dict[str, str]]:
    """Keep the message; return the empty answer's status, which tells Cobot whether to send it
    again, and its headers."""
    leave_spaces()
    begin_writing()
    request_id = id_for(request)
    counters = core().counters
    headers = {
        **headers_of_all(),
        HEADER: request_id,
        "Cache-Control": "no-store",
        "Content-Length": "0",
    }
    with tracing(request_id=request_id):
        try:
            status = _receive(request, secret, event)
        except ClientDisconnected:
            status = 400
        except Exception:
            # Cobot sends again; whatever it was must not take a burst along.
            counters.add("portal_faults", "hook")
            log.exception("hook failed", event_name=event)
            status = 500
    if status == 405:
        headers["Allow"] = METHOD
    counters.add("portal_hooks", event if event in EVENTS else "other", str(status))
    return status, headers


def _receive(request: Request, secret: str, event: str) -> int:
    """Return the status for a delivery. The body of a guessed secret is not waited for.

    Known secrets are never limited, whatever else comes from the same address: Cobot's monthly run
    is one burst, and ten refusals switch a subscription off.
    """
    if request.method != METHOD:
        return 405
    refusal = webhooks.look_up(secret)
    if refusal is not None:
        return refusal
    # One byte more than allowed is enough to see that it is too long.
    request.max_content_length = sys.maxsize
    body = request.stream.read(LONGEST_BODY + 1)
    return webhooks.receive(secret, event, body=body, content_type=request.content_type)


def register_webhooks(app: Flask) -> None:
    """Answer webhooks before the pages are asked."""
    app.wsgi_app = Webhooks(app, app.wsgi_app)  # type: ignore[method-assign]
