"""Every request is counted and has an id: on its log lines, in its answer, in what it led to."""

from __future__ import annotations

from flask import Flask, g, request
from werkzeug.wrappers import Request, Response

from portal.core import core
from portal.logs import REQUEST_ID, end_tracing, new_request_id, start_tracing
from portal.views.access import MACHINE_ENDPOINTS

HEADER = "X-Request-Id"


def register_tracing(app: Flask) -> None:
    """Begin before everything else, also before what turns a request away."""
    app.before_request(_begin)
    app.after_request(_name)
    app.after_request(_count)
    app.teardown_request(lambda _error: end_tracing())


def _begin() -> None:
    g.request_id = id_for(request)
    start_tracing(g.request_id)


def id_for(request: Request) -> str:
    """Return the id that a proxy of ours gave, else a new one: anybody else could write what they
    like there."""
    given = request.headers.get(HEADER, "")
    is_ours = core().config.proxy_hops > 0 and REQUEST_ID.fullmatch(given)
    return given if is_ours else new_request_id()


def _name(response: Response) -> Response:
    if "request_id" in g:
        response.headers[HEADER] = g.request_id
    return response


def _count(response: Response) -> Response:
    counters = core().counters
    if request.endpoint not in MACHINE_ENDPOINTS:
        counters.add("portal_pages", str(response.status_code))
    # After the answer is gone: nobody waits for it.
    response.call_on_close(counters.flush_soon)
    return response
