"""What one drain of a space has at hand, and how it keeps what it did."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import bindparam, select

from portal.cobot.records import Invoice
from portal.core import core
from portal.database import db, table_of, utcnow
from portal.errors import PortalError
from portal.models import InvoiceSync, MemberSync, Space
from portal.services import budgets, calls, last_writes, patience, pauses, space_row
from portal.services.clients import Remotes
from portal.services.due import Due, due_in
from portal.services.edges import BEFORE_A_WRITE, LAST_OF_A_ROW, OF_ONE_SEVDESK, Edge
from portal.services.locks import Lock
from portal.services.patience import Patience, patiently
from portal.sync.causes import Cause

log = structlog.get_logger(__name__)

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
    has_file: bool = False
    """That the file in the row is of what was read here."""
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
        if edge in BEFORE_A_WRITE | OF_ONE_SEVDESK:
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
