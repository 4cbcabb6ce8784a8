"""Connecting a space to sevdesk, changing what it chose, and letting it go."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime

import structlog

from portal.core import core
from portal.crypto import digest
from portal.database import db, utcnow
from portal.errors import PermanentError, RemoteError
from portal.models import Admin, Space
from portal.services import (
    charts,
    clients,
    linked_contacts,
    patience,
    pauses,
    record,
    retry,
    sharing,
    subscriptions,
    vault,
)
from portal.services.tokens import (
    SettingsRefused,
    TokenFacts,
    find_cost_centre,
    probe_token,
)

__all__ = [
    "Choices",
    "SettingsRefused",
    "SevdeskSettings",
    "TokenTest",
    "actor_of",
    "disconnect",
    "hold",
    "let_go_on",
    "save_choices",
    "save_settings",
    "switch_on",
    "test_token",
]

log = structlog.get_logger(__name__)

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
class TokenTest:
    """What a person reads about a token before saving it; cost centres as number and name."""

    facts: TokenFacts
    cost_centres: tuple[tuple[str, str], ...]
    is_shared: bool


def save_settings(
    space: Space,
    settings: SevdeskSettings,
    *,
    admin: Admin,
    user_token: str | None,
    check_first: bool = False,
) -> bool:
    """Test and save the sevdesk data and switch sync on, or with `check_first` not yet.

    Then the space is connected and paused: what Cobot announces is kept until `switch_on`.

    Return False when sevdesk is away: then all is saved, and the space waits until a worker could
    test it. Raises SettingsRefused when something does not fit; then nothing was changed.
    """
    token = settings.api_token
    if token is None and vault.opens(space, "sevdesk_token"):
        token = vault.get(space, "sevdesk_token")
    db.session.commit()
    if token is None:
        raise SettingsRefused("api_token", "token_needed")
    client = clients.sevdesk_with(token, patience.of_a_person(PATIENCE_SECONDS))
    facts = cost_centre_id = None
    try:
        facts = probe_token(client)
        cost_centre_id = find_cost_centre(client, settings.cost_centre_number)
    except RemoteError as err:
        facts = cost_centre_id = None
        log.info("saved without a test, sevdesk is away", space=space.id, error=str(err))
    cobot_token = _space_token(space, user_token)
    if check_first:
        pauses.check_first(space, actor=actor_of(admin))
    _store(space, settings, facts, cost_centre_id, token=token, admin=admin, cobot=cobot_token)
    charts.forget(space)
    try:
        subscriptions.renew(space)
    except RemoteError as err:
        # The settings stand; upkeep goes on trying until Cobot takes the subscriptions.
        log.warning("subscriptions are still to be made", space=space.id, error=str(err))
    core().queue.wake(space.id)
    return facts is not None


def save_choices(space: Space, choices: Choices, *, admin: Admin) -> int:
    """Save what the space decided; return how many invoices that waited for it are tried again.

    Where the space does not let that happen by itself, they are left to a person's press. Commits.
    """
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
    count = retry.retry_causes(space, answered, actor=actor) if space.auto_retry else 0
    db.session.commit()
    core().queue.wake(space.id)
    return count


def test_token(space: Space, token: str) -> TokenTest:
    """Ask sevdesk what this token is good for; nothing is saved.

    Raises SettingsRefused with the cause, also where sevdesk is away ("sevdesk_away").
    """
    db.session.commit()
    client = clients.sevdesk_with(token, patience.of_a_person(PATIENCE_SECONDS))
    try:
        facts = probe_token(client)
        centres = client.cost_centres()
    except RemoteError as err:
        raise SettingsRefused(None, "sevdesk_away") from err
    shown = tuple((centre.number, centre.name) for centre in centres if centre.number.strip())
    return TokenTest(facts, shown, sharing.is_shared(facts.client_id, space.id))


test_token.__test__ = False  # type: ignore[attr-defined]


def hold(space: Space, *, admin: Admin) -> bool:
    """Stop transferring until somebody lets it go on; what Cobot announces is kept. Commits.

    False when there was nothing to stop: the space is not connected, or paused already.
    """
    is_working = space.is_connected and not space.is_paused
    if is_working:
        pauses.hold(space, actor=actor_of(admin))
    db.session.commit()
    return is_working


def let_go_on(space: Space, *, admin: Admin) -> bool:
    """End a pause that somebody made by hand, and go on at once. Commits.

    False when the space is still paused: then for a reason that no click ends.
    """
    if space.pause_code == pauses.BY_HAND:
        pauses.clear(space, actor=actor_of(admin))
        pauses.wait_for_test_if_needed(space)
        space.wake_at = utcnow()
    db.session.commit()
    core().queue.wake(space.id)
    return not space.is_paused


def switch_on(space: Space, *, admin: Admin) -> bool:
    """End the pause of "save, but check first": sync is on, what came meanwhile follows. Commits.

    A token that could not be tested yet is tested first. False when that was not the pause.
    """
    was_to_check = space.pause_code == pauses.CHECK_FIRST
    if was_to_check:
        pauses.clear(space, actor=actor_of(admin))
        pauses.wait_for_test_if_needed(space)
        space.wake_at = utcnow()
    db.session.commit()
    core().queue.wake(space.id)
    return was_to_check


def disconnect(space: Space, *, admin: Admin) -> None:
    """Switch sync off: hooks away, tokens away; the log stays.

    What Cobot refuses or does not answer does not hold the space back: our side is closed first.
    """
    has_token = space.sealed_cobot_token is not None and vault.opens(space, "cobot_token")
    cobot = clients.cobot_of(space) if has_token else None
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


def _space_token(space: Space, user_token: str | None) -> tuple[str, str] | None:
    """Return a new space token and its maker, or None when the space has a token already."""
    has_token = space.sealed_cobot_token is not None and vault.opens(space, "cobot_token")
    if has_token and space.pause_code != "cobot_revoked":
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
    facts: TokenFacts | None,
    cost_centre_id: str | None,
    *,
    token: str,
    admin: Admin,
    cobot: tuple[str, str] | None,
) -> None:
    now = utcnow()
    is_first = space.connected_at is None
    vault.put(space, "sevdesk_token", token)
    if facts is not None or settings.api_token is not None:
        linked_contacts.move_to(space, facts.client_id if facts else None)
    space.cost_centre_number = settings.cost_centre_number or None
    space.cost_centre_id = cost_centre_id
    space.due_after_days = settings.due_after_days
    space.start_date = settings.start_date or space.start_date or _today(now)
    if cobot is not None:
        vault.put(space, "cobot_token", cobot[0])
        space.cobot_user_id = cobot[1]
    has_secret = space.sealed_hook_secret is not None and vault.opens(space, "hook_secret")
    if is_first or not has_secret:
        # A reconnected space gets a new secret: what knew the old one is let in no more.
        secret = secrets.token_urlsafe(32)
        vault.put(space, "hook_secret", secret)
        space.hook_digest = digest(secret)
        space.subscribed_at = None
    space.connected_at = space.connected_at or now
    space.disconnected_at = None
    if is_first:
        space.caught_up_on = None
    if space.pause_code == pauses.CHECK_FIRST:
        pass  # until `switch_on`
    elif space.pause_code == pauses.BY_HAND:
        pass  # until `let_go_on`
    elif facts is None:
        pauses.wait_for_test(space)
    else:
        pauses.clear(space)
    space.pause_told = None
    space.wake_at = now
    record.note(
        space.id,
        "connected" if is_first else "settings_saved",
        "done",
        actor=actor_of(admin),
        sevdesk_client=facts.client_id if facts else None,
        due_after_days=settings.due_after_days,
        cost_centre=settings.cost_centre_number,
        revenue_accounts=facts.revenue_accounts if facts else None,
        new_token=settings.api_token is not None,
    )
    db.session.commit()


def _today(now: datetime) -> date:
    return now.astimezone(core().config.zone).date()
