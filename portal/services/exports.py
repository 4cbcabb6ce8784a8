"""What we hold, given out: everything of a space, of a debtor, of a person who signs in.

Read in small pieces, so that a large space neither fills the memory nor keeps a transaction open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask_babel import format_decimal
from sqlalchemy import ColumnElement, LargeBinary, Select, Table, or_, select, tuple_

from portal.database import Base, db, utcnow
from portal.models import (
    Admin,
    Batch,
    BatchItem,
    DebtorLink,
    HistoryLine,
    InboxEvent,
    InvoiceSync,
    LineCalls,
    LoginSession,
    LostRight,
    MemberSync,
    PersonName,
    Space,
    SpaceAdmin,
    SupportLook,
    SupportVisit,
    Task,
    TaskItem,
)
from portal.tenancy import all_spaces

PIECE = 500
SECRET = {"hook_digest", "sevdesk_token_key", "sevdesk_token_end", "id_digest"}
"""Digests of secrets; what is sealed is left out by its type."""
NOT_OF_THE_SPACE = {"prune_permit", "chart", "state_count"}
"""Tables with a space that hold nothing of their own: a lock, a copy of sevdesk's accounts, and
counts of what is given out anyway."""
OF_THE_SPACE = {"result"}
"""Not given to whom started the work: figures of a space where they may have no right any more."""

Row = dict[str, Any]
Part = tuple[str, Iterable[Row]]


def tables_of_a_space() -> dict[str, Table]:
    """Return what belongs to a space, by name."""
    named = {
        table.name: table
        for table in Base.metadata.sorted_tables
        if "space_id" in table.c and table.name not in NOT_OF_THE_SPACE
    }
    return {"space": Base.metadata.tables["space"], **named}


def columns_of(table: Table) -> list[str]:
    """Return the columns that are given out: no secret, sealed or digested."""
    return [
        column.name
        for column in table.c
        if not isinstance(column.type, LargeBinary) and column.name not in SECRET
    ]


def rows_of(space_id: int, table: Table) -> Iterator[Row]:
    """Return every row of the space in this table, in the order of its key."""
    owner = table.c.id if table.name == "space" else table.c.space_id
    return _pieces(table, owner == space_id)


def space_parts(space: Space) -> Iterator[Part]:
    """Return all tables of a space with their rows."""
    space_id = space.id  # the row is read anew after each piece else
    for name, table in tables_of_a_space().items():
        yield name, rows_of(space_id, table)


def person_parts(space: Space, person: PersonName) -> Iterator[Part]:
    """Return what the space holds of one debtor: name, invoices, member, and their history."""
    invoices = select(InvoiceSync.id).where(
        InvoiceSync.space_id == space.id, InvoiceSync.person_id == person.id
    )
    told = select(InvoiceSync.cobot_invoice_id).where(
        InvoiceSync.space_id == space.id, InvoiceSync.person_id == person.id
    )
    members = select(MemberSync.id).where(
        MemberSync.space_id == space.id, MemberSync.person_id == person.id
    )
    is_of_them = or_(HistoryLine.invoice_id.in_(invoices), HistoryLine.member_id.in_(members))
    lines = select(HistoryLine.id).where(HistoryLine.space_id == space.id, is_of_them)
    whose: dict[type[Base], ColumnElement[bool]] = {
        PersonName: PersonName.id == person.id,
        MemberSync: MemberSync.person_id == person.id,
        DebtorLink: (DebtorLink.debtor_kind == person.kind)
        & (DebtorLink.debtor_id == person.remote_id),
        InvoiceSync: InvoiceSync.person_id == person.id,
        HistoryLine: is_of_them,
        LineCalls: LineCalls.line_id.in_(lines),
        BatchItem: BatchItem.invoice_id.in_(invoices),
        TaskItem: TaskItem.remote_id.in_(told) | (TaskItem.remote_id == person.remote_id),
        InboxEvent: InboxEvent.remote_id.in_(told) | (InboxEvent.remote_id == person.remote_id),
    }
    for model, is_theirs in whose.items():
        table = Base.metadata.tables[model.__tablename__]
        rows = _pieces(table, (table.c.space_id == space.id) & is_theirs)
        yield table.name, _without_others(rows) if model is TaskItem else rows


def _without_others(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows of a list without the contacts that it offers: those are other people."""
    for row in rows:
        facts = {name: value for name, value in row["facts"].items() if name != "candidates"}
        yield row | {"facts": facts}


def all_spaces_admin_parts(admin: Admin) -> Iterator[Part]:
    """Return what we hold of a person who signs in: themselves, sessions, rights, what they did."""
    actors = (f"admin:{admin.cobot_user_id}", f"support:{admin.cobot_user_id}")
    whose: dict[type[Base], ColumnElement[bool]] = {
        Admin: Admin.id == admin.id,
        LoginSession: LoginSession.admin_id == admin.id,
        SpaceAdmin: SpaceAdmin.admin_id == admin.id,
        LostRight: LostRight.admin_id == admin.id,
        SupportVisit: SupportVisit.admin_id == admin.id,
        SupportLook: SupportLook.admin_id == admin.id,
        HistoryLine: HistoryLine.actor.in_(actors),
        Batch: Batch.actor.in_(actors),
        Task: Task.actor.in_(actors),
    }
    for model, is_theirs in whose.items():
        table = Base.metadata.tables[model.__tablename__]
        columns = [name for name in columns_of(table) if name not in OF_THE_SPACE]
        yield table.name, _pieces(table, is_theirs, columns, read=_read_all_spaces)
    yield "space_token", _tokens_made_in_all_spaces(admin)


@all_spaces("what is held of a person who signs in")
def _tokens_made_in_all_spaces(admin: Admin) -> list[Row]:
    """Return the spaces whose token for Cobot this person's sign-in made."""
    made = select(Space.id, Space.subdomain, Space.connected_at)
    rows = db.session.execute(made.where(Space.cobot_user_id == admin.cobot_user_id)).all()
    db.session.rollback()
    return [dict(zip(("space_id", "subdomain", "connected_at"), row, strict=True)) for row in rows]


def as_json(about: str, parts: Iterable[Part]) -> Iterator[str]:
    """Yield the parts as one JSON document, in pieces."""
    head = json.dumps({"about": about, "exported_at": utcnow().isoformat(timespec="seconds")})
    yield head[:-1]
    for name, rows in parts:
        yield f', "{name}": ['
        for place, row in enumerate(rows):
            yield (", " if place else "") + json.dumps(row, ensure_ascii=False, default=_plain)
        yield "]"
    yield "}\n"


def as_table(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[list[str]]:
    """Yield the rows of one table as cells, under a line of names; amounts as in the language at
    hand."""
    yield list(columns)
    for row in rows:
        yield [_cell(row[column]) for column in columns]


def as_list(parts: Iterable[Part]) -> Iterator[list[str]]:
    """Yield parts of different shape as one table: part, row, field, value; amounts as in the
    language at hand."""
    yield ["part", "row", "field", "value"]
    for name, rows in parts:
        for place, row in enumerate(rows, start=1):
            for field, value in row.items():
                yield [name, str(place), field, _cell(value)]


def _read(query: Select[Any]) -> Sequence[Any]:
    found = db.session.execute(query).all()
    db.session.rollback()
    return found


@all_spaces("what is held of a person who signs in")
def _read_all_spaces(query: Select[Any]) -> Sequence[Any]:
    return _read(query)


def _pieces(
    table: Table,
    is_wanted: ColumnElement[bool],
    columns: Sequence[str] | None = None,
    *,
    read: Callable[[Select[Any]], Sequence[Any]] = _read,
) -> Iterator[Row]:
    columns = columns_of(table) if columns is None else columns
    key = list(table.primary_key.columns)
    after: tuple[Any, ...] | None = None
    while True:
        query = select(
            *(table.c[name] for name in columns), *(c.label(f"key_{c.name}") for c in key)
        )
        query = query.where(is_wanted).order_by(*key).limit(PIECE)
        if after is not None:
            query = query.where(
                tuple_(*key) > tuple_(*after) if len(key) > 1 else key[0] > after[0]
            )
        found = read(query)
        for row in found:
            yield dict(zip(columns, row, strict=False))
        if len(found) < PIECE:
            return
        after = tuple(found[-1][len(columns) :])


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return str(format_decimal(value, "0.00"))
    return value if isinstance(value, str) else str(_plain(value))
