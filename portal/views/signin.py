"""Signing in with Cobot, and out again."""

from __future__ import annotations

from typing import Any, cast

import structlog
from authlib.integrations.base_client import OAuthError
from flask import (
    Blueprint,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from requests import RequestException

from portal.core import core
from portal.database import db
from portal.errors import RemoteError
from portal.services.sessions import ServerSession
from portal.services.signin import sign_in
from portal.views.access import admin_or_none, local_path, public, writes
from portal.views.protection import LOGIN_LIMIT, limiter

log = structlog.get_logger(__name__)

DENIED = _("You did not allow the access. Nothing was connected.")
EXPIRED = _("This sign-in is no longer valid. Please start it again.")
COBOT_AWAY = _("Cobot is not answering at the moment. Please try again in a minute.")
REFUSED = _("Cobot did not accept the sign-in. Please start it again.")

SAID = {"access_denied", "invalid_client", "invalid_grant", "invalid_scope", "mismatching_state"}
"""Reasons that are written down; every other text comes from the address bar."""

bp = Blueprint("signin", __name__)


@bp.get("/")
@public
def home() -> ResponseReturnValue:
    """Send a signed-in person to their spaces, everybody else to the sign-in."""
    if admin_or_none() is not None:
        return redirect(url_for("spaces.index"))
    return render_template("login/index.html", target=None, trouble=None)


@bp.get("/login")
@public
def login() -> ResponseReturnValue:
    target = local_path(request.args.get("next"))
    if admin_or_none() is not None:
        return redirect(target or url_for("spaces.index"))
    return render_template("login/index.html", target=target, trouble=None)


@bp.get("/login/start")
@public
@writes
@limiter.limit(LOGIN_LIMIT)
def start() -> ResponseReturnValue:
    """Go to Cobot. A link, not a form: browsers differ on redirects after a form was sent."""
    session["next"] = local_path(request.args.get("next"))
    answer: ResponseReturnValue = _cobot().authorize_redirect(_redirect_uri())
    return answer


@bp.get("/oauth/callback")
@public
@writes
@limiter.limit(LOGIN_LIMIT)
def callback() -> ResponseReturnValue:
    """Come back from Cobot: check the state, fetch the token, remember who it is."""
    try:
        token = _cobot().authorize_access_token()["access_token"]
        # Nothing may be locked while Cobot is asked who this is.
        db.session.commit()
        admin = sign_in(token)
    except OAuthError as err:
        log.warning("sign-in refused", why=err.error if err.error in SAID else "other")
        _cobot().framework.clear_state_data(session, request.args.get("state"))
        return _again(*_trouble(err.error or ""))
    except (RequestException, RemoteError) as err:
        log.warning("sign-in failed, Cobot did not answer", error=type(err).__name__)
        return _again(COBOT_AWAY, 503)
    except (KeyError, ValueError) as err:
        log.warning("sign-in failed, unusable answer of Cobot", error=type(err).__name__)
        return _again(REFUSED, 502)
    # Counted for the person too: many addresses make no more sign-ins of one account.
    with limiter.limit(LOGIN_LIMIT, key_func=lambda: f"login|{admin.id}"):
        pass
    target = local_path(session.pop("next", None))
    cast(ServerSession, session).start(admin, token)
    log.info("signed in", admin=admin.id)
    return redirect(target or url_for("spaces.index"), 303)


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session on the server; the person's token goes with it."""
    cast(ServerSession, session).end()
    return redirect(url_for("signin.login"), 303)


def _cobot() -> Any:
    return current_app.extensions["portal_cobot_login"]


def _redirect_uri() -> str:
    # Built from the setting: the Host header is whatever a client sends.
    return core().config.public_url + url_for("signin.callback")


def _trouble(error: str) -> tuple[Any, int]:
    if error == "access_denied":
        return DENIED, 200
    return (EXPIRED, 400) if error == "mismatching_state" else (REFUSED, 400)


def _again(trouble: Any, status: int) -> ResponseReturnValue:
    """Show the sign-in once more, saying what happened; the page first asked for is kept."""
    target = local_path(session.get("next"))
    return render_template("login/index.html", target=target, trouble=trouble), status
