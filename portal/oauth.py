"""Signing in with Cobot: OAuth 2 with state and PKCE, through Authlib.

Source: https://dev.cobot.me/api-docs/oauth-flow (endpoints, secret in the form body).
"""

from __future__ import annotations

from typing import Any

from authlib.integrations.flask_client import OAuth
from flask import Flask

from portal.config import Config

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


def register_cobot(app: Flask, config: Config) -> Any:
    """Return Authlib's client for Cobot, with fixed endpoints.

    No discovery: the published document announces no client authentication, while Cobot's own
    clients send the secret in the form. No cache: the state must stay bound to the session.
    """
    oauth = OAuth(app)
    return oauth.register(
        name="cobot",
        client_id=config.cobot_client_id,
        client_secret=config.cobot_client_secret.get_secret_value(),
        authorize_url=f"{config.cobot_www_url}/oauth/authorize",
        access_token_url=f"{config.cobot_www_url}/oauth/access_token",
        client_kwargs={
            "scope": " ".join(SCOPES),
            "token_endpoint_auth_method": "client_secret_post",
            "code_challenge_method": "S256",
        },
    )
