"""What a transaction writes last, with its commit: lines of the history and the calls behind them,
the counts of states, and the invoice at hand.

Nothing else in a transaction waits for them. So on PostgreSQL, where each statement is waited for,
they are one; on SQLite, which has no such statement and waits for nobody, they are one each.

The one may take the space's row as well, where that was left to it (`space_row.write_late`): it
writes nothing where somebody else wrote in the space meanwhile. Then the row is taken first, as
ever, and what hangs on its number is worked out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, insert, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from portal.database import db
from portal.models import InvoiceSync, State
from portal.services import space_row
from portal.services.last_statements import (
    CALLS,
    COUNTS,
    LINES,
    Calls,
    as_json,
    change_counts,
    change_invoice,
    together,
)

if TYPE_CHECKING:
    from portal.services.history import NewLine

_HELD = "what this transaction writes last"
_WRITE_LINES = insert(LINES).returning(LINES.c.id, sort_by_parameter_order=True)
_WRITE_CALLS = insert(CALLS)

Place = Callable[[Sequence["NewLine"]], None]
"""Puts lines at the ends of their chains, which may have grown."""


@dataclass
class _Held:
    lines: list[tuple[NewLine, Calls]] = field(default_factory=list)
    counts: dict[int, dict[State, int]] = field(default_factory=dict)
    place_anew: Place | None = None
    anew: list[Callable[[], None]] = field(default_factory=list)
    """What else is worked out anew where somebody came in between."""

    @property
    def is_one(self) -> bool:
        """Whether all of it can be one statement: that is of one space, and has lines."""
        spaces = {line.space_id for line, _ in self.lines}
        return len(spaces) == 1 and spaces.issuperset(self.counts)


def add_line(line: NewLine, calls: Calls, place_anew: Place) -> None:
    """Write a line of the history, whose place is known, and the calls that led to it."""
    held = _held()
    held.lines.append((line, list(calls)))
    held.place_anew = place_anew


def if_overtaken(work_out: Callable[[], None]) -> None:
    """Have something worked out anew where somebody else wrote in the space before the row was
    taken, which is held by then."""
    _held().anew.append(work_out)


def count(space_id: int, changes: Mapping[State, int]) -> None:
    """Count invoices of a space into states and out of them. The caller holds the space's row."""
    counts = _held().counts.setdefault(space_id, {})
    for state, by in changes.items():
        counts[state] = counts.get(state, 0) + by


def write_all() -> None:
    """Write all of it now, for whoever looks at the rows before the commit."""
    _write(db.session())


def _held() -> _Held:
    held: _Held = db.session.info.setdefault(_HELD, _Held())
    return held


@event.listens_for(db.session, "before_commit")
def _write(session: Session) -> None:
    held: _Held = session.info.pop(_HELD, None) or _Held()
    row, columns = _invoice_at_hand(session)
    if held.lines or held.counts or row:
        connection, late = session.connection(), space_row.late_one()
        if late is None:
            _write_held(connection, held, row, columns)
        elif not held.is_one or not _write_together(connection, held, row, columns, late):
            _take_after_all(session, held, late)
            row, columns = _invoice_at_hand(session)
            _write_held(connection, held, row, columns)
        if row is not None:
            # As the session does itself once it has written a row: nothing is left to write.
            inspect(row)._commit_all(row.__dict__, session.identity_map)
    space_row.count_lines(session)


def _take_after_all(session: Session, held: _Held, late: space_row.Late) -> None:
    """Take the space's row by itself, and work out anew what hangs on its number."""
    number = space_row.take_after_all(late)
    for one in session.dirty:
        if isinstance(one, InvoiceSync) and _is_of(one, late):
            one.sequence = number
    with session.no_autoflush:  # what is in the rows by now may be what is about to be worked out
        for work_out in held.anew:
            work_out()
    if held.place_anew is not None:
        held.place_anew([line for line, _ in held.lines])


def _is_of(row: InvoiceSync, late: space_row.Late) -> bool:
    """Say whether a row was given the number that was expected."""
    return row.space_id == late.space_id and row.sequence == late.number


def _write_held(
    connection: Connection, held: _Held, row: InvoiceSync | None, columns: tuple[str, ...]
) -> None:
    if held.is_one and connection.dialect.name == "postgresql":
        _write_together(connection, held, row, columns)
        return
    _write_lines(connection, held.lines)
    for space_id, changes in held.counts.items():
        found = connection.scalars(change_counts(len(changes)), _counted(space_id, changes))
        _count_first(connection, space_id, changes, found.all())
    if row is not None:
        written = connection.execute(change_invoice(columns), _changed(row, columns))
        _expect_one(row, len(written.all()))


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


def _write_lines(connection: Connection, lines: Sequence[tuple[NewLine, Calls]]) -> None:
    if not lines:
        return
    ids = connection.scalars(_WRITE_LINES, [vars(line) for line, _ in lines]).all()
    called = [
        {"line_id": line_id, "space_id": line.space_id, "at": line.at, "calls": calls}
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
        connection.execute(insert(COUNTS), missing)


def _changed(row: InvoiceSync, columns: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of the statement that writes these columns of an invoice."""
    values = {f"its_{name}": getattr(row, name) for name in columns}
    return {"its_space": row.space_id, "its_row": row.id, **values}


# All in one


def _write_together(
    connection: Connection,
    held: _Held,
    row: InvoiceSync | None,
    columns: tuple[str, ...],
    late: space_row.Late | None = None,
) -> bool:
    """Write it all, and take the space's row with it if it is late; False, and nothing is written,
    where somebody else wrote in the space meanwhile."""
    space_id = held.lines[0][0].space_id
    changes = held.counts.get(space_id, {})
    values: dict[str, Any] = {"its_space": space_id}
    values["all_lines"] = [
        as_json(place, line, calls) for place, (line, calls) in enumerate(held.lines)
    ]
    if changes:
        values |= _counted(space_id, changes)
    if row is not None:
        values |= _changed(row, columns)
    if late is not None:
        values |= {"number_before": late.number - 1, "more_lines": late.lines}
    statement = together(len(changes), columns, is_late=late is not None)
    found = connection.execute(statement, values).all()
    if late is not None:
        if not found:
            return False
        space_row.came_in_time(late, found[0].connected_at, found[0].sevdesk_token_key)
    if row is not None:
        _expect_one(row, len({one.row_id for one in found if one.row_id is not None}))
    if changes:
        _count_first(connection, space_id, changes, [one.counted_state for one in found])
    return True


@event.listens_for(db.session, "after_soft_rollback")
def _forget(session: Session, _transaction: object) -> None:
    """Forget what was not kept."""
    session.info.pop(_HELD, None)
