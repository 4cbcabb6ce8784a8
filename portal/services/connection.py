"""Connecting a space to sevdesk, changing what it chose, and letting it go."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from sqlalchemy import select

from portal.core import core
from portal.crypto import digest
from portal.database import db, utcnow
from portal.errors import (
    Forbidden,
    PermanentError,
    PortalError,
    RemoteError,
    TokenRefused,
)
from portal.models import Admin, Space
from portal.services import charts, clients, pauses, record, retry, subscriptions, vault
from portal.sevdesk.client import SevdeskClient
from portal.sync.taxes import is_small_business

log = structlog.get_logger(__name__)

SUPPORTED_VERSION = "2.0"
PATIENCE_SECONDS = 10
"""How long a person who saves the form waits for our own budget of calls at the most."""


@dataclass(frozen=True)
class SevdeskSettings:
    """What the form "Deine SevDesk Daten" holds."""

    api_token: str | None
    """None keeps the saved token."""
    cost_centre_number: str | None
    due_after_days: int
    start_date: date | None = None
    """From which invoice date on we fetch older invoices by ourselves; None: from today."""

    def __repr__(self) -> str:
        return f"SevdeskSettings(due_after_days={self.due_after_days})"


@dataclass(frozen=True)
class Choices:
    """What only the space can decide about its books."""

    zero_tax_rule: str | None
    corrections: str
    cent_difference: bool
    voucher_status: int


@dataclass(frozen=True)
class TokenFacts:
    """What sevdesk told about a token that works."""

    version: str
    client_id: str
    revenue_accounts: int
    is_small_business: bool


class SettingsRefused(PortalError):
    """The settings cannot be saved; nothing was changed.

    `field` is the form's field, None where no field is to blame; `code` is one of the catalogue.
    """

    def __init__(self, field: str | None, code: str, params: Mapping[str, str] | None = None):
        super().__init__(code)
        self.field = field
        self.code = code
        self.params: dict[str, Any] = dict(params or {})


def probe_token(client: SevdeskClient) -> TokenFacts:
    """Ask sevdesk what a token may do.

    Raises SettingsRefused for a token that is refused, of a plan without API, or of system
    version 1.0; TemporaryError when sevdesk is away.
    """
    try:
        version = client.system_version()
        if version != SUPPORTED_VERSION:
            raise SettingsRefused("api_token", "sevdesk_version", {"version": version})
        client_id = client.client_id()
        accounts = client.revenue_accounts()
    except TokenRefused as err:
        raise SettingsRefused("api_token", "token_invalid") from err
    except Forbidden as err:
        raise SettingsRefused("api_token", "sevdesk_plan") from err
    except PermanentError as err:
        raise SettingsRefused("api_token", "bad_answer", {"name": "sevdesk", "ref": "-"}) from err
    return TokenFacts(version, client_id, len(accounts), is_small_business(accounts))


def save_settings(
    space: Space, settings: SevdeskSettings, *, admin: Admin, user_token: str | None
) -> None:
    """Test and save the sevdesk data and switch sync on.

    Raises SettingsRefused when something does not fit; then nothing was changed.
    """
    token = settings.api_token or vault.get(space, "sevdesk_token")
    db.session.commit()
    if token is None:
        raise SettingsRefused("api_token", "token_needed")
    client = clients.sevdesk_with(token, patience_seconds=PATIENCE_SECONDS)
    try:
        facts = probe_token(client)
        cost_centre_id = _cost_centre(client, settings.cost_centre_number)
    except RemoteError as err:
        raise SettingsRefused(None, "sevdesk_away") from err
    cobot_token = _space_token(space, user_token)
    _store(space, settings, facts, cost_centre_id, token=token, admin=admin, cobot=cobot_token)
    charts.forget(space)
    try:
        subscriptions.renew(space)
    except RemoteError as err:
        # The settings stand; upkeep goes on trying until Cobot takes the subscriptions.
        log.warning("subscriptions are still to be made", space=space.id, error=str(err))
    core().queue.wake(space.id)


def save_choices(space: Space, choices: Choices, *, admin: Admin) -> None:
    """Save what the space decided; invoices that waited for a choice are tried again at once."""
    space.zero_tax_rule = choices.zero_tax_rule
    space.corrections = choices.corrections
    space.cent_difference = choices.cent_difference
    space.voucher_status = choices.voucher_status
    actor = actor_of(admin)
    record.note(
        space.id,
        "choices_saved",
        "done",
        actor=actor,
        zero_tax_rule=choices.zero_tax_rule or "ask",
        corrections=choices.corrections,
        cent_difference=choices.cent_difference,
        voucher_status=choices.voucher_status,
    )
    answered = []
    if choices.zero_tax_rule is not None:
        answered.append("tax_rule_needed")
    if choices.corrections != "ask":
        answered.append("correction_choice_needed")
    if choices.cent_difference:
        answered.append("totals_differ")
    retry.retry_causes(space, answered, actor=actor)
    db.session.commit()
    core().queue.wake(space.id)


def disconnect(space: Space, *, admin: Admin) -> None:
    """Switch sync off: hooks away, tokens away; the log stays.

    What Cobot refuses or does not answer does not hold the space back: our side is closed first.
    """
    cobot = clients.cobot_of(space) if space.sealed_cobot_token else None
    space.connected_at = None
    space.disconnected_at = utcnow()
    space.wake_at = None
    pauses.clear(space)
    for field in ("cobot_token", "sevdesk_token", "hook_secret"):
        vault.put(space, field, None)
    space.subscribed_at = None
    record.note(space.id, "disconnected", "done", actor=actor_of(admin))
    db.session.commit()
    if cobot is None:
        return
    try:
        subscriptions.remove(cobot)
        cobot.revoke()
    except RemoteError as err:
        log.warning("Cobot was not told of the disconnect", space=space.id, error=str(err))


def actor_of(admin: Admin) -> str:
    return f"admin:{admin.cobot_user_id}"


def _cost_centre(client: SevdeskClient, number: str | None) -> str | None:
    if not number:
        return None
    for found in client.cost_centres():
        if found.number.strip() == number.strip():
            return found.id
    raise SettingsRefused("cost_centre_number", "cost_centre_missing", {"number": number})


def _space_token(space: Space, user_token: str | None) -> tuple[str, str] | None:
    """Return a new space token and its maker, or None when the space has a token already."""
    if space.sealed_cobot_token is not None and space.pause_code != "cobot_revoked":
        return None
    if user_token is None:
        raise SettingsRefused(None, "cobot_revoked")
    cobot = clients.cobot_with(user_token, subdomain=space.subdomain)
    try:
        user = cobot.user()
        made = cobot.space_token(cobot.v1_space_id(space.subdomain))
    except PermanentError as err:
        raise SettingsRefused(None, "cobot_revoked") from err
    except RemoteError as err:
        raise SettingsRefused(None, "cobot_away") from err
    return made.token, user.id


def _store(
    space: Space,
    settings: SevdeskSettings,
    facts: TokenFacts,
    cost_centre_id: str | None,
    *,
    token: str,
    admin: Admin,
    cobot: tuple[str, str] | None,
) -> None:
    now = utcnow()
    is_first = space.connected_at is None
    vault.put(space, "sevdesk_token", token)
    space.sevdesk_client = facts.client_id
    space.cost_centre_number = settings.cost_centre_number or None
    space.cost_centre_id = cost_centre_id
    space.due_after_days = settings.due_after_days
    space.start_date = settings.start_date or space.start_date or _today(now)
    if cobot is not None:
        vault.put(space, "cobot_token", cobot[0])
        space.cobot_user_id = cobot[1]
    if is_first or space.sealed_hook_secret is None:
        # A reconnected space gets a new secret: what knew the old one is let in no more.
        secret = secrets.token_urlsafe(32)
        vault.put(space, "hook_secret", secret)
        space.hook_digest = digest(secret)
        space.subscribed_at = None
    space.connected_at = space.connected_at or now
    space.disconnected_at = None
    if is_first:
        space.caught_up_on = None
    pauses.clear(space)
    space.wake_at = now
    record.note(
        space.id,
        "connected" if is_first else "settings_saved",
        "done",
        actor=actor_of(admin),
        sevdesk_client=facts.client_id,
        due_after_days=settings.due_after_days,
        cost_centre=settings.cost_centre_number,
        revenue_accounts=facts.revenue_accounts,
        new_token=settings.api_token is not None,
    )
    db.session.commit()


def _today(now: datetime) -> date:
    return now.astimezone(core().config.zone).date()


def shares_sevdesk(space: Space) -> bool:
    """Say whether another connected space books into the same sevdesk client."""
    if space.sevdesk_client is None:
        return False
    return (
        db.session.scalar(
            select(Space.id).where(
                Space.sevdesk_client == space.sevdesk_client,
                Space.id != space.id,
                Space.connected_at.is_not(None),
            )
        )
        is not None
    )
