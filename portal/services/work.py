"""What one drain has at hand, and what it does when a call does not work out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import bindparam, select

from portal.cobot.records import Invoice
from portal.core import core
from portal.database import db, table_of, utcnow
from portal.errors import (
    BudgetExhausted,
    Forbidden,
    OutcomeUnknown,
    PermanentError,
    PortalError,
    RemoteError,
    TemporaryError,
    UnusableAnswer,
)
from portal.models import InvoiceSync, MemberSync, Space, State
from portal.services import (
    budgets,
    calls,
    clients,
    last_writes,
    patience,
    pauses,
    record,
    space_row,
)
from portal.services.clients import Remotes
from portal.services.due import Due, due_in
from portal.services.edges import BEFORE_A_WRITE, LAST_OF_A_ROW, Edge
from portal.services.locks import Lock
from portal.services.patience import Patience, patiently
from portal.services.rows import (
    backoff_seconds,
    fail,
    is_settled,
    note_row,
    reference,
    say,
    wait_again,
)
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


_SPACES = table_of(Space)
_AS_IT_IS = select(_SPACES.c.connected_at, _SPACES.c.paused_at, _SPACES.c.sevdesk_token_key).where(
    _SPACES.c.id == bindparam("space")
)


class LeaveSpace(PortalError):
    """Nothing more can be done in this space before `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until.isoformat())
        self.until = until


@dataclass(frozen=True)
class Uploaded:
    """A PDF that sevdesk has, under the name that it gave."""

    filename: str
    sha256: str
    size: int


@dataclass
class Parked:
    """What was read of an invoice: kept in the process while it waits for our own budget of calls,
    so that going on costs no call twice."""

    invoice: Invoice
    since: float
    """When it was read, by the clock that only goes on."""
    read_at: datetime
    """The same as people read it: its line in the history says so."""
    calls: list[dict[str, Any]]
    """What was called to read it, for that line."""
    sequence: int
    """The row's number of change: one that came since (an edit in Cobot, a retry) asks anew."""
    token_key: str | None
    """The token that sevdesk was asked with: another one may open another sevdesk."""
    is_noted: bool = False
    """That what was read stands in the row; until then only this process knows of it."""
    contact: tuple[str | None, Cause | None] | None = None
    pdf: bytes | None = None
    uploaded: Uploaded | None = None
    """What was uploaded and stands in no row yet."""
    has_looked: bool = False
    """That sevdesk holds no receipt of it, asked after it was read; no write was begun since."""


PARKED_SECONDS = 60
MOST_PARKED = 500


@dataclass
class Work:
    """One drain of one space."""

    space: Space
    remotes: Remotes
    lock: Lock
    waits: Patience = patience.NONE
    failures: int = 0
    """Passing faults one after the other."""
    failed: list[InvoiceSync | MemberSync] = field(default_factory=list)
    """The rows that met them."""
    in_hand: Parked | None = None
    """What is known of the invoice at hand: read in this turn, or still valid when it began."""
    due: Due | None = None
    """What is due next, where the last commit asked that as well."""
    token_key: str | None = field(init=False)
    """The sevdesk token that `remotes` calls with; the space, read anew, may have another one."""

    def __post_init__(self) -> None:
        self.token_key = self.space.sevdesk_token_key

    def parked(self, row: InvoiceSync) -> Parked | None:
        """Return what was read of an invoice a moment ago; None when it changed since."""
        found: Parked | None = core().parked.get((self.space.id, row.cobot_invoice_id))
        if found is None or found.sequence != row.sequence or found.token_key != self.token_key:
            return None
        if time.monotonic() - found.since >= PARKED_SECONDS:
            return None
        self.in_hand = found
        return found

    def park(self, row: InvoiceSync, invoice: Invoice) -> Parked:
        """Keep what was read of an invoice; old ones make room."""
        kept = core().parked
        if len(kept) > MOST_PARKED:
            kept.clear()
        parked = Parked(
            invoice, time.monotonic(), utcnow(), calls.collected(), row.sequence, self.token_key
        )
        kept[self.space.id, invoice.id] = parked
        self.in_hand = parked
        return parked

    def unpark(self, cobot_invoice_id: str) -> None:
        """Forget what was read: a write was begun, or the matter is decided."""
        core().parked.pop((self.space.id, cobot_invoice_id), None)
        self.in_hand = None

    def commit(self, edge: Edge) -> None:
        """Commit, provided that the space's lock is still ours. Raises LockLost.

        `edge` names the place; it is logged, and the tests of faults stop a worker there.
        """
        if edge in BEFORE_A_WRITE:
            last_writes.write_all()  # with it the space's row is held
            self._leave_if_disconnected()
        self.lock.confirm()
        due = None
        if edge in LAST_OF_A_ROW:
            last_writes.write_all()
            due = due_in(self.space.id)
        db.session.commit()
        self.due = due
        log.info("step kept", space=self.space.id, edge=edge.value)

    def _leave_if_disconnected(self) -> None:
        """Leave when an admin disconnected the space or changed its token since this drain began.

        This transaction holds the space's row, so nobody can do so meanwhile.
        """
        now = space_row.take(self.space.id)
        if now.connected_at is None or now.sevdesk_token_key != self.token_key:
            db.session.rollback()
            raise LeaveSpace(utcnow())

    def survive(self, row: InvoiceSync | MemberSync, error: Exception) -> None:
        """Take a fault of our own out of the way: no row may hold up those behind it.

        The row goes to a person with a reference; one whose write was begun keeps its look.
        """
        db.session.rollback()
        db.session.refresh(row)
        db.session.refresh(self.space)
        core().counters.add("portal_faults", "sync")
        log.exception("unexpected error", space=row.space_id, ref=reference(row), exc_info=error)
        if is_settled(row):
            row.next_try_at = None
            self.commit(Edge.FAILED)
        elif row.state in (State.SENDING, State.UNKNOWN):
            wait = backoff_seconds(row.attempts + 1)
            row.attempts += 1
            row.next_try_at = utcnow() + timedelta(seconds=wait)
            self.commit(Edge.LATER)
        else:
            fail(row, Cause("unexpected", {"ref": reference(row)}), step="sync")
            self.commit(Edge.FAILED)

    def need_sevdesk_calls(self, count: int) -> None:
        """Go on only when so many calls to sevdesk are free. Raises BudgetExhausted."""
        budgets.need(f"sevdesk|{self.space.sevdesk_token_key}", budgets.sevdesk_limit(), count)

    def wait_to_write(self) -> None:
        """Wait, where this worker may, until sevdesk may be called once more, without taking that
        call: a write itself never waits, since all that allows it is looked at right before it.

        Raises BudgetExhausted, and LeaveSpace when the space did not stay as it was meanwhile.
        """
        if not patiently(self.waits, lambda: self.need_sevdesk_calls(1)):
            return
        now = db.session.execute(_AS_IT_IS, {"space": self.space.id}).one()
        db.session.commit()
        is_open = now.connected_at is not None and now.paused_at is None
        if not is_open or now.sevdesk_token_key != self.token_key:
            raise LeaveSpace(utcnow())

    def leave_if_refused(self) -> None:
        """Leave the space when sevdesk refused too often. Raises LeaveSpace."""
        if self.space.pause_code == pauses.REFUSED and self.space.probe_at is not None:
            raise LeaveSpace(self.space.probe_at)

    def settle(self, row: InvoiceSync | MemberSync, error: RemoteError, step: str) -> None:
        """Decide what becomes of a row whose call failed, and say so in its history.

        Raises LeaveSpace when the space as a whole has to wait.
        """
        known = row.sequence if isinstance(row, InvoiceSync) else None
        db.session.rollback()
        # Loaded now and committed below: reading them later must not open a transaction.
        db.session.refresh(row)
        db.session.refresh(self.space)
        if isinstance(error, BudgetExhausted):
            # An edit in Cobot or a retry that came meanwhile asks anew.
            is_unchanged = isinstance(row, InvoiceSync) and row.sequence == known
            self._wait_for_budget(row, error, is_unchanged=is_unchanged)
        elif isinstance(error, TemporaryError | OutcomeUnknown):
            # Only writes that may be repeated without harm come here with an unknown outcome.
            self._try_later(row, error, step)
        elif isinstance(error, PermanentError) and pauses.stops_the_space(error):
            self._pause(row, error, step)
        else:
            self._give_to_person(row, error, step)

    def _wait_for_budget(
        self, row: InvoiceSync | MemberSync, error: BudgetExhausted, *, is_unchanged: bool
    ) -> None:
        until = utcnow() + timedelta(seconds=error.retry_after_seconds or 1)
        row.next_try_at = until
        is_urgent = isinstance(row, InvoiceSync) and row.is_urgent
        wait_again(row)
        if isinstance(row, InvoiceSync):
            row.is_urgent = is_urgent
            if self.in_hand is not None and is_unchanged:
                self.in_hand.sequence = row.sequence
        self.commit(Edge.LATER)
        raise LeaveSpace(until)

    def _try_later(
        self, row: InvoiceSync | MemberSync, error: TemporaryError | OutcomeUnknown, step: str
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
                self.commit(Edge.FAILED)
                return
            if row.state != State.UNKNOWN:
                self._give_up(row, Cause("gave_up"), step, error)
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
        self.failures += 1
        self.failed = [*self.failed[-FAILURES_IN_A_ROW:], row] if self.failures > 1 else [row]
        if self.failures >= FAILURES_IN_A_ROW:
            # The side is away, not these rows: they must not wait for hours once it is back.
            for one in self.failed:
                one.next_try_at = min(one.next_try_at or now, now + OUTAGE_TRY)
        self.commit(Edge.LATER)
        if isinstance(error, TemporaryError) and asked is not None:
            clients.slow_down(self.space, error)
            raise LeaveSpace(now + timedelta(seconds=asked))
        if self.failures >= FAILURES_IN_A_ROW:
            raise LeaveSpace(now + timedelta(seconds=config.retry_first_seconds))

    def _pause(self, row: InvoiceSync | MemberSync, error: PermanentError, step: str) -> None:
        code = pauses.cause_of(error)
        assert code is not None
        row.next_try_at = utcnow()
        row.failing_since = None  # a pause, however long, is no failure of this row
        say(row, Cause(code, {"right": error.endpoint}))
        wait_again(row)
        note_row(row, step, "later", error=error, cause=code)
        self.commit(Edge.PAUSED)
        pauses.pause(self.space, code)
        raise LeaveSpace(utcnow() + pauses.PROBE_EVERY)

    def _give_to_person(self, row: InvoiceSync | MemberSync, error: RemoteError, step: str) -> None:
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
            self.commit(Edge.FAILED)
        elif row.state == State.UNKNOWN:
            # A write is unsettled, so only a look that was answered may end it.
            self._once_more(row, error, step)
        elif _may_tag_again(row):
            say(row, Cause("tag_missing"))
            self._once_more(row, error, step)
        else:
            self._give_up(row, cause, step, error)

    def _once_more(self, row: InvoiceSync | MemberSync, error: RemoteError, step: str) -> None:
        row.next_try_at = utcnow() + timedelta(seconds=backoff_seconds(row.attempts + 1))
        wait_again(row)
        note_row(row, step, "later", error=error, next_try_at=row.next_try_at)
        row.attempts += 1
        self.commit(Edge.LATER)

    def _give_up(
        self, row: InvoiceSync | MemberSync, cause: Cause, step: str, error: RemoteError
    ) -> None:
        """Leave a row to a person. A receipt that exists is never called "not synced"."""
        if isinstance(row, InvoiceSync) and row.sevdesk_voucher_id is not None:
            row.cause_code, row.cause_params = "tag_missing", {}
            row.next_try_at = None
            row.finished_at = utcnow()
            record.set_state(row, State.MISMATCHED if row.is_mismatch else State.SYNCED)
            note_row(row, step, "failed", error=error, cause="tag_missing")
        else:
            fail(row, cause, step=step, error=error)
        self.commit(Edge.FAILED)


def _may_tag_again(row: InvoiceSync | MemberSync) -> bool:
    is_booked = isinstance(row, InvoiceSync) and row.sevdesk_voucher_id is not None
    return is_booked and row.attempts + 1 < TAG_TRIES
