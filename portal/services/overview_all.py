"""All spaces of one person at a look: totals, thirty days, open causes with money, the worst first.

Reads across spaces, but only those that the person administers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import case, func, select

from portal.core import core
from portal.database import db, utcnow
from portal.models import Admin, InboxEvent, InvoiceSync, Space, State, StateCount
from portal.models.invoice import IN_EURO, IN_WORK
from portal.money import ZERO
from portal.services import heal
from portal.services.directory import all_spaces_of
from portal.services.overview import STANDS_STILL, Badge, badge_of
from portal.tenancy import in_spaces

DAYS = 30
SHOWN = (State.SYNCED, State.MISMATCHED, State.FAILED)


@dataclass(frozen=True)
class Day:
    """How many invoices ended on a day, by state (days of the portal's time zone)."""

    day: date
    synced: int
    mismatched: int
    failed: int

    @property
    def total(self) -> int:
        return self.synced + self.mismatched + self.failed


@dataclass(frozen=True)
class OpenCause:
    """A cause that stands open, over all spaces together."""

    cause: str
    state: str
    params: dict[str, str]
    spaces: tuple[Space, ...]
    count: int
    gross: Decimal


@dataclass(frozen=True)
class SpaceRow:
    space: Space
    badge: Badge
    synced: int
    mismatched: int
    failed: int
    working: int
    open_gross: Decimal
    """Money not booked yet: the gross of what failed."""
    last_success_at: datetime | None
    last_webhook_at: datetime | None

    @property
    def is_down(self) -> bool:
        return self.badge in STANDS_STILL

    @property
    def order(self) -> tuple[int, Decimal, int, str]:
        """What needs a person most comes first."""
        rank = 0 if self.is_down else 1 if self.failed else 2 if self.mismatched else 3
        if self.badge is Badge.NOT_CONNECTED:
            rank = 4
        return rank, -self.open_gross, -self.failed, self.space.name.casefold()


@dataclass(frozen=True)
class AllSpaces:
    synced: int
    mismatched: int
    failed: int
    working: int
    open_gross: Decimal
    days: tuple[Day, ...]
    causes: tuple[OpenCause, ...]
    rows: tuple[SpaceRow, ...]

    @property
    def connected(self) -> tuple[SpaceRow, ...]:
        return tuple(row for row in self.rows if row.badge is not Badge.NOT_CONNECTED)

    @property
    def down(self) -> tuple[SpaceRow, ...]:
        """Return the spaces whose sync stands still."""
        return tuple(row for row in self.rows if row.is_down)

    @property
    def last_success_at(self) -> datetime | None:
        return max((row.last_success_at for row in self.rows if row.last_success_at), default=None)


def all_spaces_overview(admin: Admin) -> AllSpaces:
    """Return everything the overview shows of a person's spaces."""
    spaces = all_spaces_of(admin)
    with in_spaces(space.id for space in spaces):
        return _overview(spaces)


def _overview(spaces: Sequence[Space]) -> AllSpaces:
    ids = [space.id for space in spaces]
    counts = _counts(ids)
    successes, webhooks, money = _last_successes(ids), _last_webhooks(ids), _open_gross(ids)
    rows = [
        SpaceRow(
            space=space,
            badge=badge_of(space),
            synced=counts.get((space.id, State.SYNCED), 0),
            mismatched=counts.get((space.id, State.MISMATCHED), 0),
            failed=counts.get((space.id, State.FAILED), 0),
            working=sum(counts.get((space.id, state), 0) for state in IN_WORK),
            open_gross=money.get(space.id, ZERO),
            last_success_at=successes.get(space.id),
            last_webhook_at=webhooks.get(space.id),
        )
        for space in spaces
    ]
    rows.sort(key=lambda row: row.order)
    return AllSpaces(
        synced=sum(row.synced for row in rows),
        mismatched=sum(row.mismatched for row in rows),
        failed=sum(row.failed for row in rows),
        working=sum(row.working for row in rows),
        open_gross=sum((row.open_gross for row in rows), ZERO),
        days=days_of(ids),
        causes=_causes(spaces),
        rows=tuple(rows),
    )


def days_of(space_ids: Sequence[int]) -> tuple[Day, ...]:
    """Return the last DAYS days, oldest first, counted in one statement."""
    zone = core().config.zone
    today = utcnow().astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    starts = [datetime.combine(day, time(), zone) for day in (*days, today + timedelta(days=1))]
    columns = [
        func.sum(
            case(
                (
                    (InvoiceSync.finished_at >= starts[place])
                    & (InvoiceSync.finished_at < starts[place + 1]),
                    1,
                ),
                else_=0,
            )
        )
        for place in range(DAYS)
    ]
    found = db.session.execute(
        select(InvoiceSync.state, *columns)
        .where(
            InvoiceSync.space_id.in_(list(space_ids)),
            InvoiceSync.finished_at >= starts[0],
            InvoiceSync.state.in_(SHOWN),
        )
        .group_by(InvoiceSync.state)
    ).all()
    by_state = {State(row[0]): [int(count or 0) for count in row[1:]] for row in found}
    none = [0] * DAYS
    return tuple(
        Day(day, *(by_state.get(state, none)[place] for state in SHOWN))
        for place, day in enumerate(days)
    )


def _causes(spaces: Sequence[Space]) -> tuple[OpenCause, ...]:
    by_id = {space.id: space for space in spaces}
    merged: dict[str, OpenCause] = {}
    for space_id, groups in heal.groups_of(list(by_id)).items():
        for group in groups:
            known = merged.get(group.key)
            merged[group.key] = OpenCause(
                cause=group.cause,
                state=group.state,
                params=known.params if known else group.params,
                spaces=(*(known.spaces if known else ()), by_id[space_id]),
                count=group.count + (known.count if known else 0),
                gross=group.gross + (known.gross if known else ZERO),
            )
    ordered = sorted(
        merged.values(), key=lambda one: (one.state != State.FAILED, -abs(one.gross), one.cause)
    )
    return tuple(ordered)


def _counts(space_ids: Sequence[int]) -> dict[tuple[int, State], int]:
    rows = db.session.execute(
        select(StateCount.space_id, StateCount.state, StateCount.invoices).where(
            StateCount.space_id.in_(list(space_ids))
        )
    )
    return {(space_id, State(state)): count for space_id, state, count in rows}


def _last_successes(space_ids: Sequence[int]) -> dict[int, datetime]:
    rows = db.session.execute(
        select(InvoiceSync.space_id, func.max(InvoiceSync.finished_at))
        .where(
            InvoiceSync.space_id.in_(list(space_ids)),
            InvoiceSync.state.in_((State.SYNCED, State.MISMATCHED)),
        )
        .group_by(InvoiceSync.space_id)
    )
    return {space_id: at for space_id, at in rows if at is not None}


def _last_webhooks(space_ids: Sequence[int]) -> dict[int, datetime]:
    rows = db.session.execute(
        select(InboxEvent.space_id, func.max(InboxEvent.last_seen_at))
        .where(InboxEvent.space_id.in_(list(space_ids)))
        .group_by(InboxEvent.space_id)
    )
    return {space_id: at for space_id, at in rows if at is not None}


def _open_gross(space_ids: Sequence[int]) -> dict[int, Decimal]:
    rows = db.session.execute(
        select(InvoiceSync.space_id, func.sum(IN_EURO))
        .where(
            InvoiceSync.space_id.in_(list(space_ids)),
            InvoiceSync.state == State.FAILED,
        )
        .group_by(InvoiceSync.space_id)
    )
    return {space_id: gross for space_id, gross in rows if gross is not None}
