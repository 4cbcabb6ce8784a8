"""The statements of `last_writes`: made once each, and remembered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CTE,
    JSON,
    ColumnElement,
    Executable,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    null,
    select,
    true,
    update,
)

from portal.database import table_of
from portal.models import HistoryLine, InvoiceSync, LineCalls, StateCount
from portal.services import space_row

if TYPE_CHECKING:
    from portal.services.history import NewLine

LINES, CALLS = table_of(HistoryLine), table_of(LineCalls)
COUNTS, INVOICES = table_of(StateCount), table_of(InvoiceSync)
FIELDS = tuple(column.name for column in LINES.c if column.name != "id")
SHAPES = 200
"""So many statements are remembered: each step of an invoice has its own."""

Calls = Sequence[Mapping[str, Any]]


@lru_cache(SHAPES)
def change_counts(states: int) -> Any:
    """Return the statement that counts into so many states and out of them; it answers with those
    that are there."""
    names = [_bind(COUNTS.c.state, f"state_{place}") for place in range(states)]
    by = [
        (COUNTS.c.state == name, _bind(COUNTS.c.invoices, f"by_{place}"))
        for place, name in enumerate(names)
    ]
    return (
        update(COUNTS)
        .where(COUNTS.c.space_id == bindparam("counted_space"), COUNTS.c.state.in_(names))
        .values(invoices=COUNTS.c.invoices + case(*by, else_=0))
        .returning(COUNTS.c.state)
    )


@lru_cache(SHAPES)
def change_invoice(columns: tuple[str, ...]) -> Any:
    """Return the statement that writes these columns of an invoice; it answers with its id."""
    return (
        update(INVOICES)
        .where(INVOICES.c.space_id == bindparam("its_space"), INVOICES.c.id == bindparam("its_row"))
        .values({name: _bind(INVOICES.c[name], f"its_{name}") for name in columns})
        .returning(INVOICES.c.id)
    )


@lru_cache(SHAPES)
def together(states: int, columns: tuple[str, ...], *, is_late: bool) -> Executable:
    """Return the statement that writes it all.

    It answers with the id of the invoice, beside each of the states that were counted.
    """
    taken = space_row.TAKE_LATE.cte("taken") if is_late else None
    # As a query of its own it is worked out first, and the space's row held before all others.
    only_if = [] if taken is None else [select(taken.c.id).exists()]
    lines = _all_lines(only_if)
    counted = change_counts(states).where(*only_if).cte("counted") if states else None
    invoice = change_invoice(columns).where(*only_if).cte("invoice") if columns else None
    answer = select(
        (null() if invoice is None else invoice.c.id).label("row_id"),
        (null() if counted is None else counted.c.state).label("counted_state"),
        *([] if taken is None else (taken.c.connected_at, taken.c.sevdesk_token_key)),
    )
    parts = [part for part in (taken, invoice, counted) if part is not None]
    if parts:
        answer = answer.select_from(reduce(lambda one, other: one.outerjoin(other, true()), parts))
    return answer.add_cte(lines, _all_calls(lines))


def _given(*names: str) -> Any:
    """Return the list of lines as a table with these columns."""
    kinds: dict[str, Any] = {"facts": Text(), "calls": Text(), "place": Integer()}
    columns = [column(name, kinds[name] if name in kinds else LINES.c[name].type) for name in names]
    rows = func.json_to_recordset(bindparam("all_lines", type_=JSON)).table_valued(*columns)
    return rows.render_derived(with_types=True)


def _all_lines(only_if: Sequence[ColumnElement[bool]]) -> CTE:
    # Rows of one insert: their ids go up as they stand, which those of several would not.
    names = [name for name in FIELDS if name not in ("space_id", "facts")]
    given = _given(*names, "facts", "place")
    rows = select(
        _bind(LINES.c.space_id, "its_space"),
        *(given.c[name] for name in names),
        cast(given.c.facts, JSON),
    )
    made = insert(LINES).from_select(
        ["space_id", *names, "facts"],
        rows.where(*only_if).order_by(given.c.place),
        include_defaults=False,
    )
    return made.returning(LINES.c.id, LINES.c.chain, LINES.c.number).cte("lines")


def _all_calls(lines: CTE) -> CTE:
    given = _given("chain", "number", "at", "calls")
    its_line = and_(lines.c.chain == given.c.chain, lines.c.number == given.c.number)
    rows = select(
        lines.c.id, _bind(CALLS.c.space_id, "its_space"), given.c.at, cast(given.c.calls, JSON)
    )
    rows = rows.select_from(lines.join(given, its_line)).where(given.c.calls.is_not(None))
    made = insert(CALLS).from_select(["line_id", "space_id", "at", "calls"], rows)
    return made.cte("calls")


def as_json(place: int, line: NewLine, calls: Calls) -> dict[str, Any]:
    """Return a line as one of the list that all lines are sent as: one parameter for all costs less
    than one for each value of each."""
    return {
        **vars(line),
        "place": place,
        "at": line.at.isoformat(),
        # Texts within the text: what remote sides said may hold signs that PostgreSQL keeps as they
        # were sent, but does not read.
        "facts": json.dumps(line.facts),
        "calls": json.dumps(calls) if calls else None,
    }


def _bind(column: ColumnElement[Any], name: str) -> Any:
    return bindparam(name, type_=column.type)
