"""Who may see what. Every view is closed unless it says otherwise.

A view with `<subdomain>` in its address is the space's: strangers get 404, as for one that does not
exist. Views below /support are for support staff. Others need somebody signed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, make_response, redirect, render_template, request
from flask import url_for as flask_url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from portal.database import begin_reading, begin_writing, db
from portal.models import Admin, Space
from portal.services.signin import admin_of_session, space_of
from portal.services.support import is_support

View = TypeVar("View", bound=Callable[..., Any])

READING = {"GET", "HEAD", "OPTIONS"}
MACHINE_ENDPOINTS = {"static", "webhooks.receive", "health.alive", "health.ready"}
SUPPORT = "support"
"""The blueprint of the support pages."""


def public(view: View) -> View:
    """Let everybody in, signed in or not."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def writes(view: View) -> View:
    """Say that a GET of this view writes (the steps of signing in do)."""
    view.writes = True  # type: ignore[attr-defined]
    return view


def current_admin() -> Admin:
    """Return who is signed in."""
    admin = admin_or_none()
    if admin is None:
        abort(404)
    return admin


def admin_or_none() -> Admin | None:
    """Return who is signed in, None for nobody; read once a request."""
    if "admin" not in g:
        g.admin = admin_of_session()
    return g.admin  # type: ignore[no-any-return]


def current_space() -> Space:
    """Return the space of the address; the guard has let this person in."""
    return g.space  # type: ignore[no-any-return]


def is_fragment() -> bool:
    """True when htmx asks for a part of the page; going back in the history wants all of it."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in headers


def local_path(target: str | None) -> str | None:
    """Return the target when it is a page of ours, None for every other address."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return None
    if any(ord(character) < 33 or character == "\\" for character in target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def guard() -> ResponseReturnValue | None:
    """Check who asks before any view runs; a returned answer is given instead of the view's."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return None
    if request.endpoint in MACHINE_ENDPOINTS:
        pass  # nobody signs in there
    elif getattr(view, "is_public", False):
        admin_or_none()  # known or not, the page's head says so
    elif (refusal := _check(request.view_args or {})) is not None:
        return refusal
    if request.method not in READING or getattr(view, "writes", False):
        # What was read so far is known; the writer begins anew, and no lock is held while it
        # calls out.
        db.session.commit()
        begin_writing()
    return None


def _check(view_args: dict[str, Any]) -> ResponseReturnValue | None:
    admin = admin_or_none()
    if admin is None:
        return _to_login()
    if request.blueprint == SUPPORT:
        if not is_support(admin):
            abort(404)
    elif "subdomain" in view_args:
        space = space_of(admin, view_args["subdomain"])
        if space is None:
            abort(404)
        g.space = space
    return None


def _to_login() -> ResponseReturnValue:
    """Send to the sign-in; the page first asked for comes after it."""
    if request.method in READING:
        wanted: str | None = request.full_path.rstrip("?")
    else:
        wanted = urlsplit(request.referrer or "").path
    login = flask_url_for("signin.login", next=local_path(wanted))
    if not is_fragment():
        return redirect(login, 303)
    page = local_path(urlsplit(request.headers.get("HX-Current-URL", "")).path)
    login = flask_url_for("signin.login", next=page)
    answer = make_response(render_template("errors/_signed_out.html", login=login), 401)
    answer.headers["HX-Retarget"] = "#notice"
    answer.headers["HX-Reswap"] = "innerHTML"
    return answer


class ReadingFirst:
    """Begin every request as a reader: opening the session must not wait for a writer."""

    def __init__(self, wsgi_app: Any) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        begin_reading()
        return self.wsgi_app(environ, start_response)


def keep_private(response: Response) -> Response:
    """Pages are for the one who asked: no cache keeps them, and fragments are told apart."""
    if request.endpoint == "static":
        return response
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("HX-Request")
    return response


def register_access(app: Flask) -> None:
    app.wsgi_app = ReadingFirst(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(guard)
    app.after_request(keep_private)
    app.teardown_request(lambda _error: begin_writing())
