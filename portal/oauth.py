"""Signing in with Cobot: OAuth 2 with state and PKCE, through Authlib.

Source: https://dev.cobot.me/api-docs/oauth-flow (endpoints, secret in the form body).
"""

from __future__ import annotations

from typing import Any

import requests
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask

from portal.config import Config
from portal.connections import Sessions
from portal.exchange import LONGEST_REFUSAL, NoAnswer, exchange

SCOPES = (
    "read_user",
    "read_spaces",
    "read_memberships",
    "write_memberships",
    "read_teams",
    "read_contacts",
    "read_invoices",
    "read_activities",
    "write_activities",
    "read_subscriptions",
    "write_subscriptions",
    "read_accounting_codes",
    "read_urls",
)
"""The whole list from the first day: a later change would make every space sign in again."""


class _LoginSession(OAuth2Session):  # type: ignore[misc]
    """Authlib's session, its one request made as all our calls are.

    So it goes to a host of the settings only, follows no redirect, and is bounded in size and time.
    """

    def __init__(self, *, sessions: Sessions, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sessions = sessions

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        answer = exchange(self._sessions, request.url or "", "", request, LONGEST_REFUSAL)
        if isinstance(answer, NoAnswer):
            raise requests.ConnectionError(answer.reason)
        if answer.flaw:
            raise requests.ConnectionError(answer.flaw)
        made = requests.Response()
        made.status_code = answer.status
        made.headers.update(answer.headers)
        made._content = answer.body
        return made


class _CobotLogin(FlaskOAuth2App):  # type: ignore[misc]
    client_cls = _LoginSession


def register_cobot(app: Flask, config: Config, sessions: Sessions) -> Any:
    """Return Authlib's client for Cobot, with fixed endpoints.

    No discovery: the published document announces no client authentication, while Cobot's own
    clients send the secret in the form. No cache: the state must stay bound to the session.
    """
    oauth = OAuth(app)
    return oauth.register(
        name="cobot",
        client_cls=_CobotLogin,
        client_id=config.cobot_client_id,
        client_secret=config.cobot_client_secret.get_secret_value(),
        authorize_url=f"{config.cobot_www_url}/oauth/authorize",
        access_token_url=f"{config.cobot_www_url}/oauth/access_token",
        client_kwargs={
            "sessions": sessions,
            "scope": " ".join(SCOPES),
            "token_endpoint_auth_method": "client_secret_post",
            "code_challenge_method": "S256",
        },
    )
