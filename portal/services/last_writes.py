"""What a transaction writes last, with its commit: lines of the history and the calls behind them,
the counts of states, and the invoice at hand.

Nothing else in a transaction waits for them. So on PostgreSQL, where each statement is waited for,
they are one; on SQLite, which has no such statement and waits for nobody, they are one each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Executable,
    bindparam,
    case,
    event,
    insert,
    inspect,
    null,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from portal.database import db, table_of
from portal.models import HistoryLine, InvoiceSync, LineCalls, State, StateCount

_HELD = "what this transaction writes last"
_LINES, _CALLS = table_of(HistoryLine), table_of(LineCalls)
_COUNTS, _INVOICES = table_of(StateCount), table_of(InvoiceSync)
_FIELDS = tuple(column.name for column in _LINES.c if column.name != "id")
_WRITE_LINES = insert(_LINES).returning(_LINES.c.id, sort_by_parameter_order=True)
_WRITE_CALLS = insert(_CALLS)
MOST_LINES_TOGETHER = 4
"""More lines than one invoice adds at a time go as rows of a statement of their own."""
_SHAPES = 200
"""So many statements are remembered: each step of an invoice has its own."""

Calls = Sequence[Mapping[str, Any]]


@dataclass
class _Held:
    lines: list[tuple[Mapping[str, Any], Calls]] = field(default_factory=list)
    counts: dict[int, dict[State, int]] = field(default_factory=dict)


def add_line(line: Mapping[str, Any], calls: Calls) -> None:
    """Write a line of the history, whose place is known, and the calls that led to it."""
    _held().lines.append((line, list(calls)))


def count(space_id: int, changes: Mapping[State, int]) -> None:
    """Count invoices of a space into states and out of them. The caller holds the space's row."""
    counts = _held().counts.setdefault(space_id, {})
    for state, by in changes.items():
        counts[state] = counts.get(state, 0) + by


def write_lines() -> None:
    """Write the lines so far, for whoever is about to look for the end of a chain."""
    held = _held()
    lines, held.lines = held.lines, []
    if lines:
        _write_lines(db.session.connection(), lines)


def _held() -> _Held:
    held: _Held = db.session.info.setdefault(_HELD, _Held())
    return held


@event.listens_for(db.session, "before_commit")
def _write(session: Session) -> None:
    held: _Held = session.info.pop(_HELD, None) or _Held()
    row, columns = _invoice_at_hand(session)
    if not (held.lines or held.counts or row):
        return
    connection = session.connection()
    is_one = len(held.lines) <= MOST_LINES_TOGETHER and len(held.counts) <= 1
    if is_one and held.lines and connection.dialect.name == "postgresql":
        _write_together(connection, held, row, columns)
    else:
        _write_lines(connection, held.lines)
        for space_id, changes in held.counts.items():
            found = connection.scalars(_change_counts(len(changes)), _counted(space_id, changes))
            _count_first(connection, space_id, changes, found.all())
        if row is not None:
            written = connection.execute(_change_invoice(columns), _changed(row, columns))
            _expect_one(row, len(written.all()))
    if row is not None:
        # As the session does itself once it has written a row: nothing of it is left to write.
        inspect(row)._commit_all(row.__dict__, session.identity_map)


def _invoice_at_hand(session: Session) -> tuple[InvoiceSync | None, tuple[str, ...]]:
    """Return the one invoice that was changed and its columns; several are left to the session."""
    changed = [row for row in session.dirty if isinstance(row, InvoiceSync)]
    columns = _columns(changed[0]) if len(changed) == 1 else ()
    return (changed[0], columns) if columns else (None, ())


def _columns(row: InvoiceSync) -> tuple[str, ...]:
    """Return what was changed of an invoice. What was set to what it was may have been changed by
    somebody else."""
    state = inspect(row)
    return tuple(
        name for name in sorted(state.committed_state) if state.attrs[name].history.has_changes()
    )


def _expect_one(row: InvoiceSync, found: int) -> None:
    if found != 1:
        raise StaleDataError(f"invoice {row.id} of space {row.space_id} is not there any more")


# One after the other


def _write_lines(connection: Connection, lines: Sequence[tuple[Mapping[str, Any], Calls]]) -> None:
    if not lines:
        return
    ids = connection.scalars(_WRITE_LINES, [line for line, _ in lines]).all()
    called = [
        {"line_id": line_id, "space_id": line["space_id"], "at": line["at"], "calls": calls}
        for line_id, (line, calls) in zip(ids, lines, strict=True)
        if calls
    ]
    if called:
        connection.execute(_WRITE_CALLS, called)


def _counted(space_id: int, changes: Mapping[State, int]) -> dict[str, Any]:
    return (
        {"counted_space": space_id}
        | {f"state_{place}": state for place, state in enumerate(changes)}
        | {f"by_{place}": by for place, by in enumerate(changes.values())}
    )


@lru_cache(_SHAPES)
def _change_counts(states: int) -> Any:
    names = [_bind(_COUNTS.c.state, f"state_{place}") for place in range(states)]
    by = [
        (_COUNTS.c.state == name, _bind(_COUNTS.c.invoices, f"by_{place}"))
        for place, name in enumerate(names)
    ]
    return (
        update(_COUNTS)
        .where(_COUNTS.c.space_id == bindparam("counted_space"), _COUNTS.c.state.in_(names))
        .values(invoices=_COUNTS.c.invoices + case(*by, else_=0))
        .returning(_COUNTS.c.state)
    )


def _count_first(
    connection: Connection, space_id: int, changes: Mapping[State, int], found: Sequence[str | None]
) -> None:
    """Count into states that the space never had an invoice in."""
    missing = [
        {"space_id": space_id, "state": state, "invoices": max(by, 0)}
        for state, by in changes.items()
        if state not in found
    ]
    if missing:
        connection.execute(insert(_COUNTS), missing)


def _changed(row: InvoiceSync, columns: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of the statement that writes these columns of an invoice."""
    values = {f"its_{name}": getattr(row, name) for name in columns}
    return {"its_space": row.space_id, "its_row": row.id, **values}


@lru_cache(_SHAPES)
def _change_invoice(columns: tuple[str, ...]) -> Any:
    return (
        update(_INVOICES)
        .where(
            _INVOICES.c.space_id == bindparam("its_space"), _INVOICES.c.id == bindparam("its_row")
        )
        .values({name: _bind(_INVOICES.c[name], f"its_{name}") for name in columns})
        .returning(_INVOICES.c.id)
    )


def _bind(column: ColumnElement[Any], name: str) -> Any:
    return bindparam(name, type_=column.type)


# All in one


def _write_together(
    connection: Connection, held: _Held, row: InvoiceSync | None, columns: tuple[str, ...]
) -> None:
    values: dict[str, Any] = {}
    for place, (line, calls) in enumerate(held.lines):
        values |= {f"{name}_{place}": line[name] for name in _FIELDS}
        if calls:
            values[f"calls_{place}"] = calls
    space_id, changes = next(iter(held.counts.items()), (None, {}))
    if space_id is not None:
        values |= _counted(space_id, changes)
    if row is not None:
        values |= _changed(row, columns)
    has_calls = tuple(bool(calls) for _, calls in held.lines)
    found = connection.execute(_together(has_calls, len(changes), columns), values).all()
    if row is not None:
        _expect_one(row, len({row_id for row_id, _ in found}))
    if space_id is not None:
        _count_first(connection, space_id, changes, [state for _, state in found])


@lru_cache(_SHAPES)
def _together(has_calls: tuple[bool, ...], states: int, columns: tuple[str, ...]) -> Executable:
    """Return the statement that writes it all.

    It answers with the id of the invoice, beside each of the states that were counted.
    """
    lines = _all_lines(len(has_calls))
    places = [place for place, is_called in enumerate(has_calls) if is_called]
    beside = [lines, *(_its_calls(lines, place) for place in places)]
    counted = _change_counts(states).cte("counted") if states else None
    if not columns:
        answer = select(null(), null() if counted is None else counted.c.state)
    else:
        invoice = _change_invoice(columns).cte("invoice")
        if counted is None:
            answer = select(invoice.c.id, null())
        else:
            both = invoice.outerjoin(counted, true())
            answer = select(invoice.c.id, counted.c.state).select_from(both)
    return answer.add_cte(*beside)


def _all_lines(count: int) -> CTE:
    # Rows of one insert: their ids go up as they stand, which those of several would not. Made of
    # rows and not of values: SQLAlchemy compiles several rows of values anew each time.
    rows = [
        select(*(_bind(_LINES.c[name], f"{name}_{place}") for name in _FIELDS))
        for place in range(count)
    ]
    made = insert(_LINES).from_select(_FIELDS, union_all(*rows) if count > 1 else rows[0])
    return made.returning(_LINES.c.id, _LINES.c.chain, _LINES.c.number).cte("lines")


def _its_calls(lines: CTE, place: int) -> CTE:
    given = [_bind(_CALLS.c[name], f"{name}_{place}") for name in ("space_id", "at", "calls")]
    row = select(lines.c.id, *given).where(
        lines.c.chain == _bind(_LINES.c.chain, f"chain_{place}"),
        lines.c.number == _bind(_LINES.c.number, f"number_{place}"),
    )
    return (
        insert(_CALLS)
        .from_select(["line_id", "space_id", "at", "calls"], row)
        .cte(f"calls_of_line_{place}")
    )


@event.listens_for(db.session, "after_soft_rollback")
def _forget(session: Session, _transaction: object) -> None:
    """Forget what was not kept."""
    session.info.pop(_HELD, None)
