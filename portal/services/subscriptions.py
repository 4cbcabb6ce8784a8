"""Cobot's webhooks for a space: made, renewed, removed."""

from __future__ import annotations

from portal.cobot.client import CobotClient
from portal.cobot.webhooks import EVENTS
from portal.core import core
from portal.database import db, utcnow
from portal.models import Space
from portal.services import clients, record, vault


def callback_url(secret: str, event: str) -> str:
    """Return where Cobot delivers an event; the address is a secret (Cobot signs nothing)."""
    return f"{core().config.public_url}/hooks/cobot/{secret}/{event}"


def renew(space: Space) -> int:
    """Make what is missing or switched off, remove what is of an old secret; return how many made.

    Raises RemoteError; what was made until then stands, and the next call goes on from there.
    Source: https://dev.cobot.me/api-docs/webhooks-api (switched off after ten failed deliveries).
    """
    secret = vault.get(space, "hook_secret")
    assert secret is not None, "a connected space has a hook secret"
    cobot = clients.cobot_of(space)
    db.session.commit()
    wanted = {callback_url(secret, event): event for event in EVENTS}
    made = 0
    for found in cobot.subscriptions():
        if found.active and wanted.get(found.callback_url) == found.event:
            del wanted[found.callback_url]
        elif found.callback_url.startswith(f"{core().config.public_url}/hooks/cobot/"):
            cobot.unsubscribe(found.id)
    for url, event in wanted.items():
        cobot.subscribe(event, url)
        made += 1
    space.subscribed_at = utcnow()
    if made:
        record.note(space.id, "subscribed", "done", events=made)
    db.session.commit()
    return made


def remove(cobot: CobotClient) -> None:
    """Remove all of our subscriptions with this client. Raises RemoteError."""
    for found in cobot.subscriptions():
        if found.callback_url.startswith(f"{core().config.public_url}/hooks/cobot/"):
            cobot.unsubscribe(found.id)
