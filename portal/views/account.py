"""The page of the person who is signed in: where they are signed in, and what we hold of them."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from portal.services import exports, signin
from portal.services.sessions import ServerSession, end_sessions_of, sessions_of
from portal.views.access import current_admin
from portal.views.data import csv_file, json_file

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


@bp.get("/account/data.json")
def download() -> ResponseReturnValue:
    """Give what we hold of the person who is signed in."""
    parts = exports.all_spaces_admin_parts(current_admin())
    return json_file(exports.as_json(f"admin {current_admin().cobot_user_id}", parts), "account")


@bp.get("/account/data.csv")
def download_list() -> ResponseReturnValue:
    """Give the same as a list for spreadsheets."""
    return csv_file(exports.as_list(exports.all_spaces_admin_parts(current_admin())), "account")


@bp.get("/account/forget")
def confirm_forget() -> ResponseReturnValue:
    return render_template("account/forget.html")


@bp.post("/account/forget")
def forget() -> ResponseReturnValue:
    """Forget the person; their spaces go on without them."""
    signin.forget_in_all_spaces(current_admin())
    cast(ServerSession, session).end()
    return redirect(url_for("signin.login"), 303)
