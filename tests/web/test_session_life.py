"""How long a session lives, what ends it, and what is left of the person's token: nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import Base, db, utcnow
from portal.models import LoginSession
from portal.services import upkeep
from tests.web.conftest import Cast, csrf_of
from tests.web.test_rights import USER, admin_of

LOG = "/spaces/alpha/log"
MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def cobot() -> Iterator[None]:
    """Cobot says that the owner still runs space alpha."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(USER, json=admin_of("alpha"))
        yield


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(MORNING, tick=False) as clock:
        yield clock


def sessions(app: Flask) -> int:
    with app.app_context():
        return db.session.query(LoginSession).count()


def everything(app: Flask) -> str:
    """Return all that stands in the database, as text."""
    with app.app_context():
        return "\n".join(
            " ".join(
                bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)
                for cell in row
            )
            for table in Base.metadata.sorted_tables
            for row in db.session.execute(select(table))
        )


def test_session_ends_after_eight_hours_without_a_visit(
    app: Flask, clock: Any, cobot: None, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    browser = sign_in(cast.owner)
    clock.shift(timedelta(hours=7, minutes=59))
    assert browser.get(LOG).status_code == 200
    clock.shift(timedelta(hours=8, minutes=1))
    assert browser.get(LOG).status_code == 303
    assert sessions(app) == 0, "the visit after the end takes row and token away"


def test_session_ends_after_a_day_however_busy(
    app: Flask, clock: Any, cobot: None, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    browser = sign_in(cast.owner)
    for _ in range(23):
        clock.shift(timedelta(hours=1))
        assert browser.get(LOG).status_code == 200
    clock.shift(timedelta(minutes=59))
    assert browser.get(LOG).status_code == 200
    clock.shift(timedelta(minutes=2))
    assert browser.get(LOG).status_code == 303


def test_upkeep_deletes_sessions_past_their_end(
    app: Flask, clock: Any, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    sign_in(cast.owner)
    clock.shift(timedelta(hours=7))
    sign_in(cast.second)
    clock.shift(timedelta(hours=2))
    with app.app_context():
        upkeep.sweep_all_spaces()
        [left] = db.session.scalars(select(LoginSession))
        assert left.admin_id == cast.second


def test_token_of_the_person_stands_sealed_in_the_session_row_and_nowhere_else(
    app: Flask, owner: FlaskClient
) -> None:
    with app.app_context():
        [row] = db.session.scalars(select(LoginSession))
        assert row.sealed_cobot_token is not None
        assert b"user-token" not in row.sealed_cobot_token
    csrf_of(owner, LOG)
    cookie = owner.get_cookie("session")
    assert cookie is not None
    said = everything(app)
    assert "owner@example.org" in said
    assert "user-token" not in said
    assert cookie.value not in said, "of the cookie only a digest is kept"
    assert len(cookie.value) >= 43, "256 bits"


def test_signing_out_leaves_nothing_of_the_token(app: Flask, owner: FlaskClient) -> None:
    owner.post("/logout", data={"csrf_token": csrf_of(owner, LOG)})
    assert sessions(app) == 0


def test_token_moved_to_another_session_does_not_open(
    app: Flask, cast: Cast, owner: FlaskClient, sign_in: Callable[..., FlaskClient]
) -> None:
    stranger = sign_in(cast.stranger)
    with app.app_context():
        mine, theirs = db.session.scalars(select(LoginSession).order_by(LoginSession.id))
        theirs.sealed_cobot_token = mine.sealed_cobot_token
        db.session.commit()
    assert stranger.get("/spaces").status_code == 303


def test_signing_out_everywhere_ends_every_session_of_this_person_alone(
    app: Flask, cast: Cast, owner: FlaskClient, sign_in: Callable[..., FlaskClient]
) -> None:
    elsewhere, second = sign_in(cast.owner), sign_in(cast.second)
    page = owner.get("/account")
    assert page.text.count("<li>seit") == 2
    assert "dieser Browser" in page.text
    token = {"csrf_token": csrf_of(owner, "/account")}
    answer = owner.post("/account/sign-out-everywhere", data=token)
    assert (answer.status_code, answer.location) == (303, "/login")
    assert owner.get(LOG).status_code == elsewhere.get(LOG).status_code == 303
    assert second.get(LOG).status_code == 200
    assert sessions(app) == 1


def test_signing_out_everywhere_works_while_cobot_is_away(app: Flask, owner: FlaskClient) -> None:
    token = {"csrf_token": csrf_of(owner, "/account")}
    with app.app_context():
        db.session.query(LoginSession).one().rights_read_at = utcnow() - timedelta(hours=3)
        db.session.commit()
    assert owner.post("/account/sign-out-everywhere", data=token).location == "/login"
    assert sessions(app) == 0


def test_signing_out_everywhere_needs_the_form(app: Flask, owner: FlaskClient) -> None:
    assert owner.post("/account/sign-out-everywhere").status_code == 400
    assert owner.get("/account/sign-out-everywhere").status_code == 405
    assert sessions(app) == 1
