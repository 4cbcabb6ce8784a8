"""The cast: the owner of space alpha, a second admin of it, a stranger who runs beta, support."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.app import create_app
from portal.config import Config
from portal.database import db
from portal.models import (
    Admin,
    InvoiceSync,
    Space,
    SpaceAdmin,
    State,
)
from portal.services import record
from portal.views.protection import limiter
from tests.conftest import by_id

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def make_config(make_config: Callable[..., Config]) -> Callable[..., Config]:
    """Settings in which one person is support."""
    return lambda **overrides: make_config(**{"support_user_ids": "u-support", **overrides})


@pytest.fixture
def make_app(make_config: Callable[..., Config]) -> Iterator[Callable[..., Flask]]:
    """Return further applications with other settings; they are closed after the test."""
    apps: list[Flask] = []

    def make(**overrides: object) -> Flask:
        apps.append(create_app(make_config(**overrides)))
        return apps[-1]

    yield make
    for app in apps:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
        app.extensions["portal"].queue.redis.close()


@pytest.fixture(autouse=True)
def _fresh_limits(app: Flask) -> None:
    """Each test has its tries of a minute for itself."""
    with app.app_context():
        limiter.reset()


@dataclass(frozen=True)
class Cast:
    owner: int
    second: int
    stranger: int
    support: int
    alpha: int
    beta: int


@pytest.fixture
def cast(app: Flask) -> Cast:
    """Everybody, and both spaces connected."""
    with app.app_context():
        people = {
            name: Admin(cobot_user_id=f"u-{name}", email=f"{name}@example.org")
            for name in ("owner", "second", "stranger", "support")
        }
        spaces = {
            name: Space(
                cobot_id=f"s-{name}",
                subdomain=name,
                name=f"Space {name.title()}",
                connected_at=NOON,
                due_after_days=30,
            )
            for name in ("alpha", "beta")
        }
        db.session.add_all([*people.values(), *spaces.values()])
        db.session.flush()
        for person, space in (("owner", "alpha"), ("second", "alpha"), ("stranger", "beta")):
            db.session.add(SpaceAdmin(space_id=spaces[space].id, admin_id=people[person].id))
        db.session.commit()
        ids = {name: row.id for name, row in {**people, **spaces}.items()}
    return Cast(**ids)


@pytest.fixture
def sign_in(app: Flask) -> Callable[..., FlaskClient]:
    """Return a browser of this person, signed in, reading German unless told otherwise."""

    def enter(admin_id: int, *, language: str = "de") -> FlaskClient:
        client = app.test_client()
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
        with app.app_context():
            admin = db.session.get(Admin, admin_id)
        with client.session_transaction() as session:
            session.start(admin, "user-token")  # type: ignore[attr-defined]
        return client

    return enter


@pytest.fixture
def owner(cast: Cast, sign_in: Callable[..., FlaskClient]) -> FlaskClient:
    return sign_in(cast.owner)


@pytest.fixture
def add_invoice(app: Flask) -> Callable[..., int]:
    """Add an invoice as the sync would leave it; return our own id of it."""
    numbers = count(1)

    def add(space_id: int, state: State = State.SYNCED, **values: Any) -> int:
        number = next(numbers)
        with app.app_context():
            row = record.add_invoice(
                space_id, values.pop("cobot_invoice_id", f"i-{number}"), announced_at=NOON
            )
            name = values.pop("member", None)
            if name:
                row.person_id = record.name_person(space_id, "memberships", f"m-{number}", name)
            row.number = values.pop("number", f"2531-{number}")
            row.invoice_date = date(2025, 2, 28)
            row.gross = Decimal("261.80")
            row.currency = "EUR"
            row.next_try_at = None
            record.set_state(row, state)
            for field, value in values.items():
                setattr(row, field, value)
            record.note(space_id, "fetched", "done", invoice=row, number=row.number)
            db.session.commit()
            return row.id

    return add


@pytest.fixture
def change(app: Flask) -> Callable[..., None]:
    """Change an invoice as the sync would."""

    def apply(invoice_id: int, state: State, **values: Any) -> None:
        with app.app_context():
            row = by_id(InvoiceSync, invoice_id)
            for field, value in values.items():
                setattr(row, field, value)
            record.set_state(row, state)
            db.session.commit()

    return apply


@pytest.fixture
def edit_space(app: Flask) -> Callable[..., None]:
    def apply(space_id: int, **values: Any) -> None:
        with app.app_context():
            space = db.session.get_one(Space, space_id)
            for field, value in values.items():
                setattr(space, field, value)
            db.session.commit()

    return apply


def csrf_of(client: FlaskClient, path: str) -> str:
    """Return the token that a form on this page would send."""
    text = client.get(path).text
    return text.partition('name="csrf_token" value="')[2].partition('"')[0]
