"""Clients for a space: its own tokens, our budgets, one way to count every call."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from portal.call_hooks import Call, Hooks
from portal.cobot.client import CobotClient, CobotUrls
from portal.core import core
from portal.crypto import digest
from portal.database import db
from portal.errors import BudgetExhausted, PermanentError, TemporaryError
from portal.models import Space
from portal.services import budgets, calls, patience, stopping, vault
from portal.services.patience import Patience, patiently
from portal.sevdesk.client import SevdeskClient

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Remotes:
    cobot: CobotClient
    sevdesk: SevdeskClient


def remotes_of(space: Space, waits: Patience = patience.NONE) -> Remotes:
    """Return both clients of a connected space. Raises SealBroken when its tokens do not open."""
    return Remotes(cobot=cobot_of(space, waits), sevdesk=sevdesk_of(space, waits))


def cobot_of(space: Space, waits: Patience = patience.NONE) -> CobotClient:
    token = vault.get(space, "cobot_token")
    if token is None:
        raise PermanentError("the space has no Cobot token", remote="cobot")
    return cobot_with(token, subdomain=space.subdomain, user_id=space.cobot_user_id, waits=waits)


def sevdesk_of(space: Space, waits: Patience = patience.NONE) -> SevdeskClient:
    token = vault.get(space, "sevdesk_token")
    if token is None:
        raise PermanentError("the space has no sevdesk token", remote="sevdesk")
    return sevdesk_with(token, waits)


def cobot_with(
    token: str,
    *,
    subdomain: str | None = None,
    user_id: str | None = None,
    waits: Patience = patience.NONE,
) -> CobotClient:
    """Return a client for a token at hand; Cobot counts calls per user, else per token."""
    config = core().config
    return CobotClient(
        CobotUrls(www=config.cobot_www_url, api=config.cobot_api_url, space=config.cobot_space_url),
        token,
        subdomain,
        sessions=core().sessions,
        hooks=_hooks(f"cobot|{user_id or digest(token)}", waits, per_endpoint=True),
    )


def sevdesk_with(token: str, waits: Patience = patience.NONE) -> SevdeskClient:
    """Return a client for a token at hand; `waits` says how long for our own budget of calls."""
    return SevdeskClient(
        core().config.sevdesk_api_url,
        token,
        sessions=core().sessions,
        hooks=_hooks(f"sevdesk|{digest(token)}", waits, per_endpoint=False),
        country_ids=core().country_ids.setdefault(digest(token), {}),
    )


def slow_down(space: Space, error: TemporaryError) -> None:
    """Honour a Retry-After for everybody who calls with the same budget."""
    if error.retry_after_seconds is None or isinstance(error, BudgetExhausted):
        return
    if error.remote == "cobot":
        key = f"cobot|{space.cobot_user_id}|{error.endpoint}"
    else:
        key = f"sevdesk|{space.sevdesk_token_key}"
    budgets.block(key, error.retry_after_seconds)


def _hooks(owner: str, waits: Patience, *, per_endpoint: bool) -> Hooks:
    def before(call: Call) -> None:
        # A transaction held over a remote call would block every other writer meanwhile.
        if db.session().in_transaction():
            raise RuntimeError(f"commit before you call out: {call.endpoint}")
        if stopping.requested.is_set():
            raise BudgetExhausted("the worker is ending", retry_after_seconds=0)
        is_cobot = call.remote == "cobot"
        limit = budgets.cobot_limit(call.endpoint) if is_cobot else budgets.sevdesk_limit()
        key = f"{owner}|{call.endpoint}" if per_endpoint else owner
        may_wait = waits.before_writes or call.method == "GET"
        patiently(waits if may_wait else patience.NONE, lambda: budgets.take(key, limit))

    def after(call: Call, status_code: int | None, seconds: float) -> None:
        core().counters.add("portal_remote_calls", call.remote, str(status_code or "none"))
        core().counters.observe("portal_remote_call_seconds", call.remote, seconds=seconds)
        # A write is an act and a read is not: an invoice makes a dozen of them.
        say = log.debug if call.method == "GET" else log.info
        say(
            "remote call",
            remote=call.remote,
            endpoint=call.endpoint,
            status=status_code,
            milliseconds=round(seconds * 1000),
        )

    return Hooks(before=before, after=after, seen=calls.collect)
