"""The live log of a space: pages of invoices, what changed since, and what holds many back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    func,
    select,
    union_all,
)

from portal.database import db
from portal.models import InvoiceSync, PersonName, Space, State, StateCount
from portal.models.invoice import IN_WORK
from portal.services.people import shown_name
from portal.services.prefixes import folded, starts_with

PAGE_SIZE = 50
CSV_CHUNK = 500
MANY = 100
"""New invoices are counted up to here; beyond, "more than" says enough."""

WORKING = "working"
"""The tab of all states that end by themselves."""
STATES_OF: dict[str, tuple[State, ...]] = {state.value: (state,) for state in State} | {
    WORKING: IN_WORK
}


@dataclass(frozen=True)
class LogFilter:
    """What of the log a person wants to see; dates bound the date of the invoice, both included.

    `state` is one of STATES_OF, or None for all.
    """

    state: str | None = None
    q: str = ""
    from_date: date | None = None
    to_date: date | None = None
    cause: str | None = None
    amount_from: Decimal | None = None
    amount_to: Decimal | None = None
    """Bounds of the total, both included."""


@dataclass(frozen=True)
class LogRow:
    """One invoice in the log. `name` is None where it is not known, a pseudonym once erased."""

    invoice: InvoiceSync
    name: str | None


@dataclass(frozen=True)
class LogPage:
    """`next_cursor` is what to pass as `after` for older invoices; None on the last page."""

    rows: Sequence[LogRow]
    next_cursor: str | None
    counts: Mapping[str, int]
    sequence: int


@dataclass(frozen=True)
class Changes:
    """What happened to a shown page. `new` counts up to MANY invoices that are not on it yet."""

    rows: Sequence[LogRow]
    new: int
    new_failed: int
    counts: Mapping[str, int]
    sequence: int


@dataclass(frozen=True)
class Shown:
    """The page in front of the person: its rows, and the space's sequence when it was made."""

    ids: frozenset[int] = frozenset()
    since: int = 0
    is_first: bool = True


def log_page(space: Space, filters: LogFilter, after: str | None = None) -> LogPage:
    """Return one page of the space's invoices, newest first, beginning below the cursor."""
    query = rows_of(space.id, filters).limit(PAGE_SIZE + 1)
    if after and after.isascii() and after.isdigit() and len(after) < 19:
        query = query.where(InvoiceSync.id < int(after))
    rows = read_rows(query)
    has_more = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    return LogPage(
        rows=rows,
        next_cursor=str(rows[-1].invoice.id) if has_more else None,
        counts=counts_of(space),
        sequence=space.sequence,
    )


def changes_since(space: Space, sequence: int, filters: LogFilter, shown: Shown) -> Changes | None:
    """Return what changed in the space after `sequence`; None when nothing did."""
    if space.sequence <= sequence:
        return None
    changed: list[LogRow] = []
    if shown.ids:
        changed = read_rows(
            rows_of(space.id, LogFilter()).where(
                InvoiceSync.id.in_(sorted(shown.ids)), InvoiceSync.sequence > sequence
            )
        )
    new = _new_states(space, filters, shown) if shown.is_first else []
    return Changes(
        rows=changed,
        new=len(new),
        new_failed=sum(state == State.FAILED for state in new),
        counts=counts_of(space),
        sequence=space.sequence,
    )


def csv_rows(space: Space, filters: LogFilter) -> Iterator[LogRow]:
    """Return every invoice that the filter lets through, newest first, read in small pieces."""
    return _pieces(space.id, filters)


def _pieces(space_id: int, filters: LogFilter) -> Iterator[LogRow]:
    after: int | None = None
    while True:
        query = rows_of(space_id, filters).limit(CSV_CHUNK)
        if after is not None:
            query = query.where(InvoiceSync.id < after)
        rows = read_rows(query)
        # A slow reader must neither fill the memory nor keep a transaction open.
        db.session.expunge_all()
        db.session.rollback()
        yield from rows
        if len(rows) < CSV_CHUNK:
            return
        after = rows[-1].invoice.id


def counts_of(space: Space) -> dict[str, int]:
    """Return how many invoices are in each state, in work, and in all."""
    kept = select(StateCount.state, StateCount.invoices).where(StateCount.space_id == space.id)
    by_state = {State(state): count for state, count in db.session.execute(kept)}
    counts = {
        name: sum(by_state.get(state, 0) for state in states) for name, states in STATES_OF.items()
    }
    return counts | {"all": sum(by_state.values())}


def hits(space: Space, filters: LogFilter, counts: Mapping[str, int]) -> int:
    """Return how many invoices the filter finds; a tab alone is answered by its own count."""
    if filters == LogFilter(state=filters.state):
        return counts[filters.state or "all"]
    query = select(func.count()).select_from(InvoiceSync).where(*matching(space, filters))
    return db.session.scalar(query) or 0


def matching(space: Space, filters: LogFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on InvoiceSync under which an invoice of the space is in the log."""
    return [InvoiceSync.space_id == space.id, *_conditions(space.id, filters)]


def rows_of(space_id: int, filters: LogFilter) -> Select[InvoiceSync, str | None]:
    joined = and_(PersonName.id == InvoiceSync.person_id, PersonName.space_id == space_id)
    return (
        select(InvoiceSync, shown_name)
        .outerjoin(PersonName, joined)
        .where(InvoiceSync.space_id == space_id, *_conditions(space_id, filters))
        .order_by(InvoiceSync.id.desc())
    )


def read_rows(query: Select[InvoiceSync, str | None]) -> list[LogRow]:
    # What another process changed since this session first read a row must be seen.
    fresh = query.execution_options(populate_existing=True)
    return [LogRow(invoice, name) for invoice, name in db.session.execute(fresh)]


def _conditions(space_id: int, filters: LogFilter) -> Iterator[ColumnElement[bool]]:
    if states := STATES_OF.get(filters.state or ""):
        yield InvoiceSync.state.in_(states)
    if filters.q:
        yield InvoiceSync.id.in_(_found(space_id, filters.q))
    if filters.from_date:
        yield InvoiceSync.invoice_date >= filters.from_date
    if filters.to_date:
        yield InvoiceSync.invoice_date <= filters.to_date
    if filters.cause:
        yield InvoiceSync.cause_code == filters.cause
    if filters.amount_from is not None:
        yield InvoiceSync.gross >= filters.amount_from
    if filters.amount_to is not None:
        yield InvoiceSync.gross <= filters.amount_to


def _found(space_id: int, q: str) -> CompoundSelect[int]:
    """Return the ids of what a search finds: by the beginning of number, name, or remote ids.

    One select for each, since each has an index of its own; joined by OR none would be used.
    """
    name = folded(q)
    people = union_all(
        *(
            select(PersonName.id).where(PersonName.space_id == space_id, starts_with(form, name))
            for form in (PersonName.folded, PersonName.folded_last)
        )
    )
    ways: list[ColumnElement[bool]] = [
        starts_with(column, q)
        for column in (
            InvoiceSync.number,
            InvoiceSync.customer_number,
            InvoiceSync.sevdesk_voucher_id,
        )
    ]
    if name:
        ways.append(InvoiceSync.person_id.in_(people))
    return union_all(
        *(select(InvoiceSync.id).where(InvoiceSync.space_id == space_id, way) for way in ways)
    )


def _new_states(space: Space, filters: LogFilter, shown: Shown) -> list[State]:
    """Return the states of what belongs on the shown first page and is not on it.

    A row below the page's last one is on a later page, not new; a page that is not full has none
    below it.
    """
    query = select(InvoiceSync.state).where(
        InvoiceSync.space_id == space.id,
        InvoiceSync.sequence > shown.since,
        InvoiceSync.id > (min(shown.ids) if len(shown.ids) >= PAGE_SIZE else 0),
        *_conditions(space.id, filters),
    )
    if shown.ids:
        query = query.where(InvoiceSync.id.not_in(sorted(shown.ids)))
    return list(db.session.scalars(query.limit(MANY + 1)))
