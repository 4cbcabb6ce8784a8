"""What becomes of a row whose call, or our own work on it, failed: a wait, a pause, a person."""

from __future__ import annotations

from datetime import timedelta

import structlog

from portal.core import core
from portal.database import db, utcnow
from portal.errors import (
    BudgetExhausted,
    Forbidden,
    OutcomeUnknown,
    RemoteError,
    TemporaryError,
    UnusableAnswer,
)
from portal.models import InvoiceSync, MemberSync, State
from portal.services import clients, pauses
from portal.services.edges import Edge
from portal.services.rows import (
    backoff_seconds,
    fail,
    is_settled,
    leave_untagged,
    note_row,
    reference,
    say,
    wait_again,
)
from portal.services.work import LeaveSpace, Work
from portal.sync.causes import Cause

log = structlog.get_logger(__name__)

NAMES = {"cobot": "Cobot", "sevdesk": "sevdesk"}
TOO_MANY = 429
FAILURES_IN_A_ROW = 3
"""After so many passing faults one after the other the rest of the space waits too."""
OUTAGE_TRY = timedelta(minutes=10)
"""The longest wait of a row while a whole side is away."""
TAG_TRIES = 5
"""So often a tag that sevdesk refused is tried before it is left to a person: setting it does no
harm, and a mismatch is found in sevdesk by nothing else."""


def survive(work: Work, row: InvoiceSync | MemberSync, error: Exception) -> None:
    """Take a fault of our own out of the way: no row may hold up those behind it.

    The row goes to a person with a reference; one whose write was begun keeps its look.
    """
    db.session.rollback()
    db.session.refresh(row)
    db.session.refresh(work.space)
    core().counters.add("portal_faults", "sync")
    log.exception("unexpected error", space=row.space_id, ref=reference(row), exc_info=error)
    if is_settled(row):
        row.next_try_at = None
        work.commit(Edge.FAILED)
    elif row.state in (State.SENDING, State.UNKNOWN):
        wait = backoff_seconds(row.attempts + 1)
        row.attempts += 1
        row.next_try_at = utcnow() + timedelta(seconds=wait)
        work.commit(Edge.LATER)
    else:
        fail(row, Cause("unexpected", {"ref": reference(row)}), step="sync")
        work.commit(Edge.FAILED)


def settle(work: Work, row: InvoiceSync | MemberSync, error: RemoteError, step: str) -> None:
    """Decide what becomes of a row whose call failed, and say so in its history.

    Raises LeaveSpace when the space as a whole has to wait.
    """
    known = row.sequence if isinstance(row, InvoiceSync) else None
    db.session.rollback()
    # Loaded now and committed below: reading them later must not open a transaction.
    db.session.refresh(row)
    db.session.refresh(work.space)
    if isinstance(error, BudgetExhausted):
        # An edit in Cobot or a retry that came meanwhile asks anew.
        is_unchanged = isinstance(row, InvoiceSync) and row.sequence == known
        _wait_for_budget(work, row, error, is_unchanged=is_unchanged)
    elif isinstance(error, TemporaryError | OutcomeUnknown):
        # Only writes that may be repeated without harm come here with an unknown outcome.
        _try_later(work, row, error, step)
    elif (code := pauses.stop_code(error)) is not None:
        _pause(work, row, error, step, code)
    else:
        _give_to_person(work, row, error, step)


def _wait_for_budget(
    work: Work, row: InvoiceSync | MemberSync, error: BudgetExhausted, *, is_unchanged: bool
) -> None:
    until = utcnow() + timedelta(seconds=error.retry_after_seconds or 1)
    row.next_try_at = until
    is_urgent = isinstance(row, InvoiceSync) and row.is_urgent
    wait_again(row)
    if isinstance(row, InvoiceSync):
        row.is_urgent = is_urgent
        if work.in_hand is not None and is_unchanged:
            work.in_hand.sequence = row.sequence
    work.commit(Edge.LATER)
    raise LeaveSpace(until)


def _try_later(
    work: Work, row: InvoiceSync | MemberSync, error: TemporaryError | OutcomeUnknown, step: str
) -> None:
    config = core().config
    now = utcnow()
    asked = error.retry_after_seconds if isinstance(error, TemporaryError) else None
    row.failing_since = row.failing_since or now
    code = "upstream_down" if error.remote == "sevdesk" else "cobot_unreachable"
    if error.remote == "sevdesk" and error.status_code == TOO_MANY:
        code = "rate_limited"
    end = row.failing_since + timedelta(seconds=config.give_up_after_seconds)
    if now >= end:
        if is_settled(row):
            row.next_try_at = None
            work.commit(Edge.FAILED)
            return
        if row.state != State.UNKNOWN:
            _give_up(work, row, Cause("gave_up"), step, error)
            return
    wait = backoff_seconds(row.attempts + 1)
    if asked is not None:
        wait = max(wait, asked)
    row.next_try_at = now + timedelta(seconds=wait)
    if now < end and asked is None:
        row.next_try_at = min(row.next_try_at, end)  # the last try: then a person is asked
    say(row, Cause(code))
    wait_again(row)
    note_row(row, step, "later", error=error, next_try_at=row.next_try_at)
    row.attempts += 1  # from here on the lines are those of the next one
    work.failures += 1
    work.failed = [*work.failed[-FAILURES_IN_A_ROW:], row] if work.failures > 1 else [row]
    if work.failures >= FAILURES_IN_A_ROW:
        # The side is away, not these rows: they must not wait for hours once it is back.
        for one in work.failed:
            one.next_try_at = min(one.next_try_at or now, now + OUTAGE_TRY)
    work.commit(Edge.LATER)
    if isinstance(error, TemporaryError) and asked is not None:
        clients.slow_down(work.space, error)
        raise LeaveSpace(now + timedelta(seconds=asked))
    if work.failures >= FAILURES_IN_A_ROW:
        raise LeaveSpace(now + timedelta(seconds=config.retry_first_seconds))


def _pause(
    work: Work, row: InvoiceSync | MemberSync, error: RemoteError, step: str, code: str
) -> None:
    row.next_try_at = utcnow()
    row.failing_since = None  # a pause, however long, is no failure of this row
    say(row, Cause(code, {"right": error.endpoint}))
    wait_again(row)
    note_row(row, step, "later", error=error, cause=code)
    work.commit(Edge.PAUSED)
    pauses.pause(work.space, code)
    raise LeaveSpace(utcnow() + pauses.PROBE_EVERY)


def _give_to_person(
    work: Work, row: InvoiceSync | MemberSync, error: RemoteError, step: str
) -> None:
    if isinstance(error, UnusableAnswer):
        cause = Cause(
            "bad_answer", {"name": NAMES.get(error.remote, error.remote), "ref": reference(row)}
        )
    elif isinstance(error, Forbidden):
        cause = Cause(pauses.cause_of(error) or "unexpected", {"right": error.endpoint})
    else:
        cause = Cause("unexpected", {"ref": reference(row)})
    if is_settled(row):
        row.next_try_at = None
        note_row(row, step, "failed", error=error)
        work.commit(Edge.FAILED)
    elif row.state == State.UNKNOWN:
        # A write is unsettled, so only a look that was answered may end it.
        _once_more(work, row, error, step)
    elif _may_tag_again(row):
        say(row, Cause("tag_missing"))
        _once_more(work, row, error, step)
    else:
        _give_up(work, row, cause, step, error)


def _once_more(work: Work, row: InvoiceSync | MemberSync, error: RemoteError, step: str) -> None:
    row.next_try_at = utcnow() + timedelta(seconds=backoff_seconds(row.attempts + 1))
    wait_again(row)
    note_row(row, step, "later", error=error, next_try_at=row.next_try_at)
    row.attempts += 1
    work.commit(Edge.LATER)


def _give_up(
    work: Work, row: InvoiceSync | MemberSync, cause: Cause, step: str, error: RemoteError
) -> None:
    """Leave a row to a person."""
    if isinstance(row, InvoiceSync) and row.sevdesk_voucher_id is not None:
        leave_untagged(row, step=step, error=error)
    else:
        fail(row, cause, step=step, error=error)
    work.commit(Edge.FAILED)


def _may_tag_again(row: InvoiceSync | MemberSync) -> bool:
    is_booked = isinstance(row, InvoiceSync) and row.sevdesk_voucher_id is not None
    return is_booked and row.attempts + 1 < TAG_TRIES
