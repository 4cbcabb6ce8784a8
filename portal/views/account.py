"""The page of the person who is signed in: where they are signed in, and out of all of it."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from portal.services.sessions import ServerSession, end_sessions_of, sessions_of
from portal.views.access import current_admin

bp = Blueprint("account", __name__)


@bp.get("/account")
def index() -> ResponseReturnValue:
    return render_template(
        "account/index.html",
        sessions=sessions_of(current_admin().id),
        here_id=cast(ServerSession, session).row_id,
    )


@bp.post("/account/sign-out-everywhere")
def sign_out_everywhere() -> ResponseReturnValue:
    """End all sessions of this person on the server; whoever holds an old cookie is out."""
    end_sessions_of(current_admin().id)
    cast(ServerSession, session).end()
    return redirect(url_for("signin.login"), 303)
