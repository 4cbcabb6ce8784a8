"""The guard of the spaces, on both databases: a statement without its space is not run."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import (
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.orm import aliased

from portal import tenancy
from portal.core import PACKAGE, create_core
from portal.database import Base, db, insert_or_update
from portal.errors import OutsideSpace
from portal.models import Admin, InvoiceSync, PersonName, Space, SpaceAdmin, StateCount
from portal.spaceguard import space_column
from tests.conftest import ROOT, _close, entered_reach

OF_SPACES = sorted(name for name, table in Base.metadata.tables.items() if space_column(table))
OF_NO_SPACE = {"admin", "session", "budget", "lease"}
OURS, THEIRS = 1, 2


@pytest.fixture
def core_app(make_config: Callable[..., Any], translations: None) -> Any:
    """No remote sides are needed here."""
    app = create_core(make_config())
    with app.app_context():
        yield app
        _close(app)


@pytest.fixture
def ours(core_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two spaces, one of them entered; a test is held to it as the product is."""
    for number in (OURS, THEIRS):
        space = Space(id=number, cobot_id=f"s-{number}", subdomain=f"s{number}", name=f"S{number}")
        db.session.add(space)
        db.session.flush()
        db.session.add(InvoiceSync(space_id=number, cobot_invoice_id="i", number="2531-1"))
    db.session.commit()
    monkeypatch.setattr(tenancy, "current_reach", entered_reach)
    tenancy.enter_space(OURS)


def test_every_table_is_of_a_space_or_known_to_be_of_none() -> None:
    assert set(Base.metadata.tables) - set(OF_SPACES) == OF_NO_SPACE
    for name in OF_SPACES:
        column = space_column(Base.metadata.tables[name])
        assert column is not None
        assert not Base.metadata.tables[name].c[column].nullable


@pytest.mark.parametrize("name", OF_SPACES)
def test_no_statement_on_a_table_runs_without_its_space(ours: None, name: str) -> None:
    table = Base.metadata.tables[name]
    column = table.c[str(space_column(table))]
    some = next(one for one in table.c if one is not column)
    for statement in (
        select(table),
        select(func.count()).select_from(table),
        select(table).where(some == some),
        select(table).where(or_(column == OURS, some == some)),
        select(table).where(column != THEIRS),
        select(table).where(column == THEIRS),
        select(table).where(column.in_([OURS, THEIRS])),
        update(table).values({some: some}),
        update(table).where(column == THEIRS).values({some: some}),
        update(table).where(column == OURS).values({column: OURS}),
        delete(table),
        delete(table).where(column == THEIRS),
        insert(table).values({**dict.fromkeys(table.primary_key, 1), column: THEIRS}),
        text(f"DELETE FROM {name}"),  # noqa: S608 - a table of ours
        select(Admin.id).where(exists(select(column))),
        select(select(func.count()).select_from(table).scalar_subquery()),
    ):
        with pytest.raises(OutsideSpace):
            db.session.execute(statement)
        db.session.rollback()
    assert db.session.execute(select(table).where(column == OURS)).all() is not None


@pytest.mark.parametrize("name", OF_SPACES)
def test_nothing_of_a_space_is_read_before_one_is_entered(ours: None, name: str) -> None:
    tenancy.leave_spaces()
    table = Base.metadata.tables[name]
    with pytest.raises(OutsideSpace):
        db.session.execute(select(table).where(table.c[str(space_column(table))] == OURS))


OTHER = aliased(InvoiceSync)
CARRIED = {
    "a condition among others": select(InvoiceSync).where(
        and_(InvoiceSync.space_id == OURS, InvoiceSync.number == "1")
    ),
    "a list": select(InvoiceSync).where(InvoiceSync.space_id.in_([OURS])),
    "an empty list": select(InvoiceSync).where(InvoiceSync.space_id.in_([])),
    "a join that carries it over": select(InvoiceSync, PersonName)
    .join(PersonName, PersonName.space_id == InvoiceSync.space_id)
    .where(PersonName.space_id == OURS),
    "an outer join that carries it over": select(InvoiceSync.id)
    .outerjoin(PersonName, PersonName.space_id == InvoiceSync.space_id)
    .where(InvoiceSync.space_id == OURS),
    "a query about the row outside": select(Space.id).where(
        Space.id == OURS, exists().where(InvoiceSync.space_id == Space.id)
    ),
    "another name": select(OTHER, InvoiceSync).where(
        OTHER.space_id == InvoiceSync.space_id, InvoiceSync.space_id == OURS
    ),
    "a change": update(Space)
    .where(Space.id == OURS, exists().where(InvoiceSync.space_id == Space.id))
    .values(name="x"),
    "several rows": insert(StateCount).values(
        [{"space_id": OURS, "state": "waiting", "invoices": 1}]
    ),
}
LACKING = {
    "an outer join does not hold its left side": select(InvoiceSync.id, PersonName.id).outerjoin(
        PersonName, and_(PersonName.id == InvoiceSync.person_id, InvoiceSync.space_id == OURS)
    ),
    "nor its right by another column": select(InvoiceSync.id)
    .outerjoin(PersonName, PersonName.id == InvoiceSync.person_id)
    .where(InvoiceSync.space_id == OURS),
    "a query within": select(InvoiceSync).where(
        InvoiceSync.space_id == OURS, InvoiceSync.person_id.in_(select(PersonName.id))
    ),
    "a table of a query": select(select(InvoiceSync.id).subquery()),
    "spaces that are read elsewhere": select(InvoiceSync).where(
        InvoiceSync.space_id.in_(select(SpaceAdmin.space_id))
    ),
    "one of two unions": select(InvoiceSync.id)
    .where(InvoiceSync.space_id == OURS)
    .union(select(InvoiceSync.id)),
    "another name for the same": select(OTHER.id, InvoiceSync.id).where(
        OTHER.id == InvoiceSync.id, InvoiceSync.space_id == OURS
    ),
    "rows made of rows": insert(StateCount).from_select(["space_id"], select(InvoiceSync.space_id)),
    "rows made of rows, for another space": insert(StateCount).from_select(
        ["space_id", "state", "invoices"], select(literal(THEIRS), literal("waiting"), literal(1))
    ),
    "rows made of rows put together, one for another space": insert(StateCount).from_select(
        ["space_id", "state", "invoices"],
        union_all(
            select(literal(OURS), literal("waiting"), literal(1)),
            select(literal(THEIRS), literal("waiting"), literal(1)),
        ),
    ),
    "rows made of rows, for a number that is no space": insert(StateCount).from_select(
        ["space_id", "state"],
        select(InvoiceSync.id, literal("waiting")).where(InvoiceSync.space_id == OURS),
    ),
    "a change beside a query": select(literal(1)).add_cte(
        update(InvoiceSync).values(attempts=1).returning(InvoiceSync.id).cte()
    ),
    "a change of another space beside a query": select(literal(1)).add_cte(
        update(InvoiceSync)
        .where(InvoiceSync.space_id == THEIRS)
        .values(attempts=1)
        .returning(InvoiceSync.id)
        .cte()
    ),
    "a row of another space added beside a query": select(literal(1)).add_cte(
        insert(StateCount)
        .values(space_id=THEIRS, state="waiting", invoices=1)
        .returning(StateCount.state)
        .cte()
    ),
    "two rows, one of another space, added beside a query": select(literal(1)).add_cte(
        insert(StateCount)
        .values(
            [
                {"space_id": OURS, "state": "waiting", "invoices": 1},
                {"space_id": THEIRS, "state": "waiting", "invoices": 1},
            ]
        )
        .returning(StateCount.state)
        .cte()
    ),
    "a deletion beside an insert": insert(StateCount)
    .values(space_id=OURS, state="waiting", invoices=1)
    .add_cte(delete(InvoiceSync).returning(InvoiceSync.id).cte()),
    "a query among the values of a row": insert(StateCount).values(
        space_id=OURS,
        state="waiting",
        invoices=select(InvoiceSync.id).limit(1).scalar_subquery(),
    ),
    "a row of no space added beside a query": select(literal(1)).add_cte(
        insert(PersonName).values(kind="teams", remote_id="t").returning(PersonName.id).cte()
    ),
}


@pytest.mark.parametrize("what", CARRIED)
def test_a_statement_with_its_space_runs_as_often_as_wanted(ours: None, what: str) -> None:
    for _ in range(2):
        db.session.execute(CARRIED[what])
        db.session.rollback()


@pytest.mark.parametrize("what", LACKING)
def test_a_space_must_hold_every_table_of_a_statement(ours: None, what: str) -> None:
    for _ in range(2):
        with pytest.raises(OutsideSpace):
            db.session.execute(LACKING[what])
        db.session.rollback()


def test_a_row_that_stands_already_never_moves_to_another_space(ours: None) -> None:
    moves = insert_or_update(
        StateCount,
        {"space_id": OURS, "state": "waiting", "invoices": 1},
        unique=("space_id", "state"),
        change={"space_id": THEIRS},
    )
    with pytest.raises(OutsideSpace):
        db.session.execute(moves)


def test_a_row_is_read_changed_and_written_within_its_space_only(ours: None) -> None:
    row = db.session.scalars(select(InvoiceSync).where(InvoiceSync.space_id == OURS)).one()
    row.attempts = 3
    db.session.commit()
    db.session.refresh(row)
    assert row.attempts == 3
    assert db.session.get(InvoiceSync, (OURS, row.id)) is row
    with pytest.raises(OutsideSpace):
        db.session.get(InvoiceSync, (THEIRS, row.id))
    for away in (THEIRS, None):
        tenancy.leave_spaces() if away is None else tenancy.enter_space(away)
        row.attempts = 4
        with pytest.raises(OutsideSpace):
            db.session.commit()
        db.session.rollback()
    tenancy.enter_space(OURS)
    db.session.add(InvoiceSync(space_id=THEIRS, cobot_invoice_id="planted"))
    with pytest.raises(OutsideSpace):
        db.session.flush()
    db.session.rollback()
    db.session.delete(db.session.get_one(InvoiceSync, (OURS, row.id)))
    db.session.commit()


def test_several_spaces_and_all_of_them_are_opened_for_a_block(ours: None) -> None:
    everything = select(InvoiceSync.space_id)
    both = everything.where(InvoiceSync.space_id.in_([OURS, THEIRS]))
    with tenancy.in_spaces((OURS, THEIRS)):
        assert sorted(db.session.scalars(both)) == [OURS, THEIRS]
        with pytest.raises(OutsideSpace):
            db.session.execute(everything)
    with tenancy.all_spaces("a test"):
        assert sorted(db.session.scalars(everything)) == [OURS, THEIRS]
    assert tenancy.current_reach() == tenancy.Reach(frozenset({OURS}))
    with pytest.raises(OutsideSpace):
        db.session.execute(both)


def test_what_crosses_spaces_says_so_in_its_name() -> None:
    unnamed = []
    for folder in (PACKAGE, ROOT / "jobs"):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_function = isinstance(node, ast.FunctionDef)
                if is_function and _opens_all(node) and "all_spaces" not in node.name:
                    unnamed.append(f"{path.name}: {node.name}")
    assert unnamed == []


def _opens_all(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "all_spaces"
        for node in ast.walk(function)
    )
