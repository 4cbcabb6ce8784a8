"""Rights are read anew from Cobot while a session lives, and what holds while Cobot is away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient

from portal.database import db, utcnow
from portal.models import LoginSession, LostRight
from tests.web.conftest import Cast, csrf_of

USER = "http://127.0.0.1:9/cobot-api/user"
LOG = "/spaces/alpha/log"
POLL = {"HX-Request": "true"}


@pytest.fixture
def cobot() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def wait(app: Flask) -> Callable[..., None]:
    """Let so much time pass since the rights were read."""

    def age(**since: float) -> None:
        with app.app_context():
            for row in db.session.query(LoginSession):
                row.rights_read_at = utcnow() - timedelta(**since)
            db.session.commit()

    return age


def admin_of(*spaces: str) -> dict[str, object]:
    return {
        "data": {
            "id": "u-owner",
            "type": "users",
            "attributes": {"email": "owner@example.org"},
            "relationships": {
                "adminOf": {"data": [{"id": f"s-{name}", "type": "spaces"} for name in spaces]}
            },
        },
        "included": [
            {
                "id": f"s-{name}",
                "type": "spaces",
                "attributes": {"subdomain": name, "name": f"Space {name.title()}", "locale": "de"},
            }
            for name in spaces
        ],
    }


def test_rights_of_the_last_hour_cost_no_call(
    owner: FlaskClient, cobot: responses.RequestsMock, wait: Callable[..., None]
) -> None:
    wait(minutes=55)
    assert owner.get(LOG).status_code == 200
    assert len(cobot.calls) == 0


@pytest.mark.parametrize("headers", [{}, POLL])
def test_right_lost_in_cobot_closes_the_space_within_the_hour(
    owner: FlaskClient,
    cobot: responses.RequestsMock,
    wait: Callable[..., None],
    headers: dict[str, str],
) -> None:
    cobot.get(USER, json=admin_of("gamma"))
    assert owner.get(LOG).status_code == 200
    wait(minutes=61)
    assert owner.get(LOG, headers=headers).status_code == 404
    assert owner.get("/spaces/gamma").status_code == 302
    assert len(cobot.calls) == 1, "read once, then they hold for an hour again"


def test_right_lost_in_cobot_refuses_a_form_that_was_open(
    owner: FlaskClient, cobot: responses.RequestsMock, wait: Callable[..., None]
) -> None:
    cobot.get(USER, json=admin_of())
    token = {"csrf_token": csrf_of(owner, "/spaces/alpha/settings")}
    wait(minutes=61)
    assert owner.post("/spaces/alpha/pause", data=token).status_code == 404


@pytest.mark.parametrize("status", [401, 403])
def test_token_that_cobot_no_longer_takes_ends_the_session(
    app: Flask,
    owner: FlaskClient,
    cobot: responses.RequestsMock,
    wait: Callable[..., None],
    status: int,
) -> None:
    cobot.get(USER, status=status, json={})
    wait(minutes=61)
    answer = owner.get(LOG)
    assert (answer.status_code, answer.location) == (303, f"/login?next={LOG}")
    with app.app_context():
        assert db.session.query(LoginSession).count() == 0


def test_while_cobot_is_away_the_rights_hold_another_hour_and_the_page_says_so(
    owner: FlaskClient, cobot: responses.RequestsMock, wait: Callable[..., None]
) -> None:
    cobot.get(USER, status=503)
    wait(minutes=61)
    calls = []
    for _ in range(2):
        page = owner.get(LOG)
        assert page.status_code == 200
        assert "Cobot antwortet gerade nicht" in page.text
        assert "data-old-rights" in page.text
        calls.append(len(cobot.calls))
    assert calls[0] == calls[1], "Cobot is asked again after a minute, not on every page"


def test_after_two_hours_without_cobot_no_space_opens(
    owner: FlaskClient, cobot: responses.RequestsMock, wait: Callable[..., None]
) -> None:
    cobot.get(USER, status=503)
    wait(minutes=121)
    answer = owner.get(LOG)
    assert answer.status_code == 503
    assert "Cobot antwortet gerade nicht" in answer.text
    assert "Abmelden" in answer.text
    assert owner.get(LOG, headers=POLL).headers["HX-Retarget"] == "#notice"
    token = {"csrf_token": csrf_of(owner, "/help")}
    assert owner.post("/logout", data=token).location == "/login"


def test_list_of_spaces_is_shown_with_its_time_while_cobot_is_away(
    owner: FlaskClient, cobot: responses.RequestsMock, wait: Callable[..., None]
) -> None:
    cobot.get(USER, status=503)
    wait(minutes=61)
    assert re.search(r"data-old-rights.*Stand: \d\d?[.:]", owner.get(LOG).text)
    wait(minutes=121)
    answer = owner.get("/spaces")
    assert answer.status_code == 503
    assert "Space Alpha" in answer.text
    assert re.search(r'Stand: <time datetime="20', answer.text)
    assert "/spaces/alpha" not in answer.text, "nothing leads into a space"
    assert "Space Beta" not in answer.text


def test_space_whose_right_was_lost_is_named_and_nothing_of_it_is_shown(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    cobot: responses.RequestsMock,
    wait: Callable[..., None],
) -> None:
    add_invoice(cast.alpha, number="2531-7", announced_at=utcnow())
    cobot.get(USER, json=admin_of("gamma"))
    wait(minutes=61)
    page = owner.get("/spaces").text
    lost = page.partition('id="lost-spaces"')[2]
    assert "Space Alpha" in lost
    assert "nicht mehr als Admin" in lost
    assert "/spaces/alpha" not in page
    assert "/spaces/gamma" in page
    assert owner.get(LOG).status_code == 404
    assert owner.get("/spaces/alpha/log.csv").status_code == 404
    with app.app_context():
        db.session.query(LostRight).one().at = utcnow() - timedelta(days=31)
        db.session.commit()
    assert owner.get("/spaces").location == "/spaces/gamma/sevdesk", "after 30 days it is silent"


def test_right_that_came_back_is_not_called_lost(
    app: Flask, owner: FlaskClient, cobot: responses.RequestsMock, wait: Callable[..., None]
) -> None:
    cobot.get(USER, json=admin_of("gamma"))
    cobot.get(USER, json=admin_of("gamma", "alpha"))
    for _ in range(2):
        wait(minutes=61)
        page = owner.get("/spaces").text
    assert 'href="/spaces/alpha"' in page
    assert "lost-spaces" not in page
    with app.app_context():
        assert db.session.query(LostRight).count() == 0


def test_rights_hold_again_once_cobot_is_back(
    app: Flask, owner: FlaskClient, cobot: responses.RequestsMock, wait: Callable[..., None]
) -> None:
    cobot.get(USER, json=admin_of("alpha"))
    wait(minutes=121)
    page = owner.get(LOG)
    assert page.status_code == 200
    assert "data-old-rights" not in page.text
    with app.app_context():
        read_at = db.session.query(LoginSession).one().rights_read_at
        assert read_at is not None
        assert utcnow() - read_at < timedelta(minutes=1)


def test_support_loses_the_session_with_the_token_too(
    cast: Cast,
    sign_in: Callable[..., FlaskClient],
    cobot: responses.RequestsMock,
    wait: Callable[..., None],
) -> None:
    support = sign_in(cast.support)
    cobot.get(USER, status=401, json={})
    wait(minutes=61)
    assert support.get("/support").status_code == 303
