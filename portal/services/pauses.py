"""When a space as a whole cannot go on: why, since when, and when to try again."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from flask_babel import gettext

from portal.core import core
from portal.crypto import SealBroken
from portal.database import db, utcnow
from portal.errors import (
    BudgetExhausted,
    Forbidden,
    PermanentError,
    RemoteError,
    SpaceSuspended,
    TokenRefused,
)
from portal.models import Space
from portal.services import clients, linked_contacts, record, subscriptions
from portal.services.sentences import cause_sentence, fix_sentence, language_of
from portal.services.tokens import SettingsRefused, find_cost_centre, probe_token
from portal.sevdesk.client import SevdeskClient

log = structlog.get_logger(__name__)

PROBE_EVERY = timedelta(minutes=10)
UNTESTED = "token_untested"
TEST_EVERY = timedelta(minutes=1)
TEST_WITHIN_SECONDS = 60
BY_HAND = "paused_by_hand"
CHECK_FIRST = "check_first"
FOR_A_PERSON = (BY_HAND, CHECK_FIRST)
"""Pauses that only a person ends."""
NEVER = timedelta(days=36500)

REFUSED = "sevdesk_paused"
REFUSALS_IN_A_ROW = 5
REFUSED_FOR = timedelta(minutes=30)
MESSAGE_LENGTH = 300
EVERY_INVOICE = {
    "GET /api/subscriptions",
    "POST /api/subscriptions",
    "GET /spaces/{spaceId}/invoices",
    "GET /invoices/{id}",
    "GET /ReceiptGuidance/forRevenue",
    "GET /Voucher",
    "POST /Voucher/Factory/uploadTempFile",
    "POST /Voucher/Factory/saveVoucher",
}
"""The calls that every invoice needs, from its announcement on."""
TOLD_IN_COBOT = {"token_invalid", "sevdesk_plan"}


def cause_of(error: PermanentError) -> str | None:
    """Return what of the access to a remote side is missing, None when it is another error."""
    if isinstance(error, TokenRefused):
        return "cobot_revoked" if error.remote == "cobot" else "token_invalid"
    if isinstance(error, SpaceSuspended):
        return "space_suspended"
    if isinstance(error, Forbidden):
        return "cobot_forbidden" if error.remote == "cobot" else "sevdesk_plan"
    return None


def stop_code(error: RemoteError) -> str | None:
    """Return why the whole space has to stop, None where not every invoice would meet this error: a
    right that only one thing needs does not hold up the others."""
    if isinstance(error, Forbidden) and error.endpoint not in EVERY_INVOICE:
        return None
    return cause_of(error) if isinstance(error, PermanentError) else None


def pause(space: Space, code: str) -> None:
    """Stop work in the space until a probe succeeds or somebody saves a new token. Commits.

    What a person stopped stays stopped for that reason alone. Cobot's feed tells of it once, where
    Cobot is not what is closed.
    """
    if _is_for_a_person(space):
        db.session.commit()
        return
    space.probe_at = utcnow() + PROBE_EVERY
    is_new = space.pause_code != code
    if is_new:
        space.paused_at = utcnow()
        space.pause_code = code
        record.note(space.id, "paused", "failed", cause=code)
        log.warning("space paused", space=space.id, cause=code)
    db.session.commit()
    if code in TOLD_IN_COBOT and space.pause_told != code:
        space.pause_told = code
        db.session.commit()
        _tell(space, code)


def _is_for_a_person(space: Space) -> bool:
    """Say whether only a person lets the space go on: somebody may have pressed while we called."""
    db.session.refresh(space, with_for_update=True)
    return space.pause_code in FOR_A_PERSON


def _tell(space: Space, code: str) -> None:
    with language_of(space):
        said = " ".join(
            filter(None, ("sevdesk:", cause_sentence(code, {}), fix_sentence(code, {})))
        )
        label = gettext("Open in the portal")
    address = f"{core().config.public_url}/spaces/{space.subdomain}/sevdesk"
    message = f'{html.escape(said, quote=False)} <a href="{address}">{html.escape(label)}</a>'
    try:
        cobot = clients.cobot_of(space)
        db.session.commit()
        cobot.post_activity(message, "ERROR", [])
    except RemoteError as err:
        log.warning("Cobot did not take the message", space=space.id, error=str(err))


def wait_for_test_if_needed(space: Space) -> None:
    """Stop work until what was saved while sevdesk was away could be tested. The caller commits."""
    if _is_untested(space):
        wait_for_test(space)


def _is_untested(space: Space) -> bool:
    is_unknown = space.cost_centre_number is not None and space.cost_centre_id is None
    return space.sevdesk_client is None or is_unknown


def wait_for_test(space: Space) -> None:
    """Stop work until sevdesk answered and the token that was saved could be tested.

    The caller commits. A worker asks every minute.
    """
    _begin(space, UNTESTED)
    space.probe_at = utcnow() + TEST_EVERY


def hold(space: Space, *, actor: str) -> None:
    """Stop work until a person lets it go on. The caller commits."""
    _begin(space, BY_HAND, actor=actor)
    space.probe_at = utcnow() + NEVER


def check_first(space: Space, *, actor: str) -> None:
    """Stop work until a person has seen the rehearsal and switches on. The caller commits."""
    if space.pause_code != CHECK_FIRST:
        _begin(space, CHECK_FIRST, actor=actor)
    space.probe_at = utcnow() + NEVER


def _begin(space: Space, code: str, *, actor: str = record.PORTAL) -> None:
    space.paused_at = space.paused_at or utcnow()
    space.pause_code = code
    record.note(space.id, "paused", "done", actor=actor, cause=code)


def clear(space: Space, *, actor: str = record.PORTAL) -> None:
    """Let the space work again. The caller commits."""
    if space.is_paused:
        record.note(space.id, "resumed", "done", actor=actor, cause=space.pause_code)
    space.paused_at = None
    space.pause_code = None
    space.probe_at = None


def count_refusal(space: Space, message: str) -> None:
    """Count that sevdesk refused a receipt; the same words five times in a row pause the space.

    sevdesk may block a token that keeps producing errors. The caller commits.
    """
    is_same = space.refusal_message == message[:MESSAGE_LENGTH]
    space.refusal_message = message[:MESSAGE_LENGTH]
    space.refusal_count = space.refusal_count + 1 if is_same else 1
    if space.refusal_count >= REFUSALS_IN_A_ROW and not _is_for_a_person(space):
        space.paused_at = space.paused_at or utcnow()
        space.pause_code = REFUSED
        space.probe_at = utcnow() + REFUSED_FOR
        # sevdesk's words stand in the invoices' histories: the space's own chain stays for ever.
        record.note(space.id, "paused", "failed", cause=REFUSED, count=space.refusal_count)


def forget_refusals(space: Space) -> None:
    """A receipt was taken: whatever was refused before is over. The caller commits."""
    space.pause_told = None
    space.refusal_message = None
    space.refusal_count = 0


def may_work(space: Space) -> bool:
    """Say whether the space may work now; a paused one is probed when its time has come."""
    if not space.is_paused:
        return True
    if space.probe_at is not None and space.probe_at > utcnow():
        return False
    if space.pause_code == REFUSED:
        # Only a receipt itself tells whether sevdesk takes them again: one is tried.
        clear(space)
        db.session.commit()
        return True
    if space.pause_code in FOR_A_PERSON:
        return False
    probed = space.pause_code
    try:
        _probe(space)
    except SettingsRefused as err:
        pause(space, err.code)
        return False
    except (RemoteError, SealBroken) as err:
        log.info("space stays paused", space=space.id, error=str(err))
        db.session.refresh(space)
        wait = TEST_EVERY if space.pause_code == UNTESTED else PROBE_EVERY
        if isinstance(err, BudgetExhausted):
            wait = timedelta(seconds=err.retry_after_seconds or 1)
        if space.pause_code == probed:
            space.probe_at = utcnow() + wait
        db.session.commit()
        return False
    db.session.flush()
    db.session.refresh(space)
    if space.pause_code == probed:
        clear(space)
    db.session.commit()
    return not space.is_paused  # a person may have stopped it while we asked


def _probe(space: Space) -> None:
    """Ask both sides what a paused space needs first, and what it was paused for.

    Raises RemoteError, SealBroken, SettingsRefused where that is not to be had.
    """
    today = utcnow().date()
    remotes = clients.remotes_of(space)
    is_untested = space.pause_code == UNTESTED or _is_untested(space)
    code = space.pause_code
    db.session.commit()
    remotes.cobot.invoices(space.cobot_id, today, today)
    if code == "cobot_forbidden":
        subscriptions.renew(space)
    if is_untested:
        # Whatever the first test said: nothing goes live that was never tested.
        _test(space)
    elif code == "sevdesk_plan":
        remotes.sevdesk.revenue_accounts()
    else:
        remotes.sevdesk.system_version()


class _Remembering:
    """A client that asks each question, of those without arguments, once."""

    def __init__(self, client: SevdeskClient, answers: dict[str, Any]) -> None:
        self._client = client
        self._answers = answers

    def __getattr__(self, question: str) -> Callable[[], Any]:
        def ask() -> Any:
            if question not in self._answers:
                self._answers[question] = getattr(self._client, question)()
            return self._answers[question]

        return ask


def _test(space: Space) -> None:
    """Make up for the test that was not possible when the token was saved.

    Its calls are more than the budget gives at once: what was answered is kept until all is.
    """
    key = (space.id, f"test:{space.sevdesk_token_key}")
    begun_at, answers = core().parked.get(key) or (time.monotonic(), {})
    if time.monotonic() - begun_at > TEST_WITHIN_SECONDS:
        begun_at, answers = time.monotonic(), {}
    core().parked[key] = (begun_at, answers)
    sevdesk: Any = _Remembering(clients.sevdesk_of(space), answers)
    db.session.commit()
    try:
        facts = probe_token(sevdesk)
    except SettingsRefused:
        core().parked.pop(key)  # the next test asks anew
        raise
    try:
        cost_centre_id = find_cost_centre(sevdesk, space.cost_centre_number)
    except SettingsRefused:
        cost_centre_id = None  # said at the first invoice, where it can be repaired
    core().parked.pop(key)
    linked_contacts.move_to(space, facts.client_id)
    space.cost_centre_id = cost_centre_id
