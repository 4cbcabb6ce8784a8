"""Who may see what. Every view is closed unless it says otherwise.

A view with `<subdomain>` in its address is the space's: strangers get 404, as for one that does not
exist. Views below /support are for support staff. Others need somebody signed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import (
    Flask,
    abort,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    stream_with_context,
)
from flask import url_for as flask_url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from portal.database import begin_reading, begin_writing, db
from portal.models import Admin, Space
from portal.services.directory import all_spaces_of_address
from portal.services.sessions import ServerSession
from portal.services.signin import Rights, admin_of_session, read_rights
from portal.services.support import is_support
from portal.tenancy import enter_space, leave_spaces
from portal.views.unsent import unsent_fields

View = TypeVar("View", bound=Callable[..., Any])


class DatabaseAway(Exception):
    """The session could not be read: who asks is not known."""


class RightsUnknown(Exception):
    """The rights are too old, and Cobot does not answer."""


READING = {"GET", "HEAD", "OPTIONS"}
MACHINE_ENDPOINTS = {"static", "health.alive", "health.ready", "health.figures"}
WITHOUT_RIGHTS = {"signin.logout", "account.sign_out_everywhere"}
"""Closed, but of no space: open also while the rights cannot be read."""
SAYS_RIGHTS_UNKNOWN = {"spaces.index"}
"""Says by itself that the rights cannot be read, and shows what was known."""
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


def poll(view: View) -> View:
    """Say that the page itself asks for this view, again and again: that is no visit."""
    view.is_poll = True  # type: ignore[attr-defined]
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


def current_rights() -> Rights:
    """Return how far the rights of who is signed in may be trusted."""
    return g.get("rights", Rights.CURRENT)  # type: ignore[no-any-return]


def current_space() -> Space:
    """Return the space of the address; the guard has let this person in."""
    return g.space  # type: ignore[no-any-return]


def streamed(pieces: Iterator[str]) -> Iterator[str]:
    """Give an answer in pieces, read while it is sent: then the request itself is over already."""
    space_id = g.space.id if "space" in g else None

    def give() -> Iterator[str]:
        begin_reading()
        if space_id is not None:
            enter_space(space_id)
        yield from pieces

    return stream_with_context(give())


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
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc else target


def path_of(address: str | None) -> str | None:
    """Return path and query of an address that a browser sent along, None when it is none."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return None
    return local_path(parts._replace(scheme="", netloc="", fragment="").geturl())


def guard() -> ResponseReturnValue | None:
    """Check who asks before any view runs; a returned answer is given instead of the view's."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return None
    if _holds_nul():
        abort(400)
    if request.endpoint in MACHINE_ENDPOINTS:
        return None  # nobody signs in there
    cast(ServerSession, session).is_visit = not getattr(view, "is_poll", False)
    if cast(ServerSession, session).is_unreadable:
        raise DatabaseAway
    if getattr(view, "is_public", False):
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
    if request.endpoint not in WITHOUT_RIGHTS and (refusal := _check_rights()) is not None:
        return refusal
    if request.blueprint == SUPPORT:
        if not is_support(admin):
            abort(404)
    elif "subdomain" in view_args:
        space = all_spaces_of_address(admin, view_args["subdomain"])
        if space is None:
            abort(404)
        g.space = space
        enter_space(space.id)
    return None


def _check_rights() -> ResponseReturnValue | None:
    """Have the person's rights read anew from Cobot when they have become old."""
    rights = read_rights()
    begin_reading()
    if rights is Rights.GONE:
        cast(ServerSession, session).end()
        g.admin = None
        return _to_login()
    if rights is Rights.UNKNOWN and request.endpoint not in SAYS_RIGHTS_UNKNOWN:
        raise RightsUnknown
    g.rights = rights
    return None


def _holds_nul() -> bool:
    """True when a NUL is sent: no name of anything holds one, and PostgreSQL takes none."""
    sent = [request.path, *request.args.values()]
    if request.method not in READING and request.endpoint not in MACHINE_ENDPOINTS:
        sent.extend(text for name, texts in request.form.lists() for text in (name, *texts))
    return any("\0" in text for text in sent)


def _to_login() -> ResponseReturnValue:
    """Send to the sign-in; the page first asked for comes after it."""
    if request.method in READING:
        wanted: str | None = request.full_path.rstrip("?")
    else:
        wanted = path_of(request.referrer)
    login = flask_url_for("signin.login", next=local_path(wanted))
    if not is_fragment():
        if kept := unsent_fields():
            return render_template("errors/unsent.html", login=login, unsent=kept), 401
        return redirect(login, 303)
    login = flask_url_for("signin.login", next=path_of(request.headers.get("HX-Current-URL")))
    answer = make_response(render_template("errors/_signed_out.html", login=login), 401)
    answer.headers["HX-Retarget"] = "#notice"
    answer.headers["HX-Reswap"] = "innerHTML"
    return answer


class ReadingFirst:
    """Begin every request in no space, and as a reader: opening the session must not wait for a
    writer."""

    def __init__(self, wsgi_app: Any) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        leave_spaces()
        begin_reading()
        return self.wsgi_app(environ, start_response)


def keep_private(response: Response) -> Response:
    """Pages are for the one who asked: no cache keeps them, and fragments are told apart."""
    if request.endpoint == "static":
        return response
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("HX-Request")
    return response


def _forget(_error: BaseException | None) -> None:
    leave_spaces()
    begin_writing()


def register_access(app: Flask) -> None:
    app.wsgi_app = ReadingFirst(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(guard)
    app.after_request(keep_private)
    app.teardown_request(_forget)
