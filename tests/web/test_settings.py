"""Testing a token while it is typed, pausing by hand, waiting for sevdesk, light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient

from portal.database import db, utcnow
from portal.models import Admin, Space
from portal.services import connection, pauses, vault
from portal.services.connection import SevdeskSettings
from portal.views.protection import limiter
from tests.web.conftest import TOKEN, Cast, csrf_of

PAGE = "/spaces/alpha/sevdesk"
INVOICES = re.compile("http://127.0.0.1:9/cobot-api/spaces/[^/]+/invoices")
SEVDESK = "http://127.0.0.1:9/sevdesk/api/v1"
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _nobody_has_tested_yet(app: Flask) -> None:
    with app.app_context():
        limiter.reset()


@pytest.fixture
def sevdesk(cast: Cast) -> Iterator[responses.RequestsMock]:
    """A sevdesk that knows TOKEN and has two cost centres."""
    account = {
        "accountDatevId": 1,
        "accountNumber": "8400",
        "accountName": "Coffee",
        "allowedTaxRules": [{"id": 1, "taxRates": ["NINETEEN"]}],
        "allowedReceiptTypes": ["REVENUE"],
    }
    client = {"id": "7", "objectName": "SevClient"}
    centres = [
        {"id": "1", "number": "100", "name": "Café", "sevClient": client},
        {"id": "2", "number": "200", "name": "Hall", "sevClient": client},
    ]
    answers = {
        "/Tools/bookkeepingSystemVersion": {"version": "2.0"},
        "/CheckAccount": [{"id": "5", "sevClient": client}],
        "/ReceiptGuidance/forRevenue": [account],
        "/CostCentre": centres,
    }
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for path, objects in answers.items():
            mock.get(SEVDESK + path, json={"objects": objects})
        yield mock


def type_token(client: FlaskClient, token: str, **more: Any) -> Any:
    data = {"csrf_token": csrf_of(client, "/spaces/alpha/disconnect"), "api_token": token}
    return client.post(f"{PAGE}/token-test", data=data, headers=FRAGMENT, **more)


def test_good_token_is_told_with_version_accounts_and_cost_centres(
    app: Flask, owner: FlaskClient, cast: Cast, sevdesk: responses.RequestsMock
) -> None:
    answer = type_token(owner, f" {TOKEN} ")
    assert "Token gültig (sevdesk 2.0, 1 Erlöskonto)" in answer.text
    assert '<option value="100">Café</option>' in answer.text
    assert '<option value="200">Hall</option>' in answer.text
    assert "data-shared" not in answer.text
    assert TOKEN not in answer.text
    with app.app_context():
        assert db.session.get_one(Space, cast.alpha).sealed_sevdesk_token is None


def test_token_of_a_sevdesk_account_in_use_is_a_warning(
    owner: FlaskClient,
    cast: Cast,
    sevdesk: responses.RequestsMock,
    edit_space: Callable[..., None],
) -> None:
    edit_space(cast.beta, sevdesk_client="7")
    assert "data-shared" in type_token(owner, TOKEN).text


@responses.activate
def test_refused_token_is_said_and_sevdesk_away_too(owner: FlaskClient, cast: Cast) -> None:
    url = f"{SEVDESK}/Tools/bookkeepingSystemVersion"
    responses.get(url, status=401, json={})
    answer = type_token(owner, TOKEN)
    assert answer.status_code == 200
    assert "sevdesk lehnt den API-Token ab" in answer.text
    assert TOKEN not in answer.text
    responses.replace(responses.GET, url, status=503)
    assert "Du kannst trotzdem speichern" in type_token(owner, TOKEN).text


@pytest.mark.parametrize("token", ["abc", "x" * 32, TOKEN + "0"])
def test_what_is_no_token_costs_no_call(owner: FlaskClient, cast: Cast, token: str) -> None:
    answer = type_token(owner, token)
    assert "32 Zeichen" in answer.text
    assert token not in answer.text


def test_nothing_is_said_of_an_empty_field(owner: FlaskClient, cast: Cast) -> None:
    assert "data-token" not in type_token(owner, "").text


def test_token_tests_are_limited_for_each_person(
    cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    first, second = sign_in(cast.owner), sign_in(cast.second)
    statuses = [type_token(first, "abc").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert type_token(second, "abc").status_code == 200


def test_token_test_without_script_leads_to_the_form(owner: FlaskClient, cast: Cast) -> None:
    data = {"csrf_token": csrf_of(owner, "/spaces/alpha/disconnect"), "api_token": TOKEN}
    assert owner.post(f"{PAGE}/token-test", data=data).location == PAGE


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ("30", "Rechnung vom 28.02.2025 → fällig 30.03.2025"),
        ("0", "Rechnung vom 28.02.2025 → fällig 28.02.2025"),
        ("366", "Tage nach dem Rechnungsdatum, 0 bis 365."),
        ("x", "Tage nach dem Rechnungsdatum, 0 bis 365."),
    ],
)
def test_example_follows_the_days(owner: FlaskClient, cast: Cast, days: str, words: str) -> None:
    address = f"{PAGE}/due-example?due_after_days={days}"
    assert owner.get(address, headers=FRAGMENT).text == words
    assert owner.get(address).location == PAGE


@responses.activate
def test_settings_are_saved_while_sevdesk_is_away_and_tested_later(
    app: Flask, owner: FlaskClient, cast: Cast
) -> None:
    version = f"{SEVDESK}/Tools/bookkeepingSystemVersion"
    responses.get(version, status=503)
    responses.get("http://127.0.0.1:9/cobot-space/alpha/api/subscriptions", json=[])
    responses.post("http://127.0.0.1:9/cobot-space/alpha/api/subscriptions", status=503)
    responses.get(INVOICES, json={"data": [], "meta": {"currentPage": 1, "totalPages": 1}})
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        vault.put(space, "cobot_token", "cobot-token")
        db.session.commit()
    data = {
        "csrf_token": csrf_of(owner, PAGE),
        "api_token": TOKEN,
        "due_after_days": "30",
        "cost_centre_number": "100",
    }
    assert owner.post(PAGE, data=data).status_code == 303
    page = owner.get("/spaces/alpha/log").text
    assert "Der Space wartet, bis der Token geprüft ist." in page
    assert "der API-Token konnte noch nicht geprüft werden" in page
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        assert space.pause_code == pauses.UNTESTED
        assert vault.get(space, "sevdesk_token") == TOKEN
        assert space.cost_centre_id is None
        space.probe_at = utcnow() - timedelta(seconds=1)
        db.session.commit()
        assert not pauses.may_work(space)
        client = {"id": "7"}
        responses.replace(responses.GET, version, json={"objects": {"version": "2.0"}})
        responses.get(f"{SEVDESK}/CheckAccount", json={"objects": [{"sevClient": client}]})
        responses.get(f"{SEVDESK}/ReceiptGuidance/forRevenue", json={"objects": []})
        centre = {"id": "3", "number": "100", "name": "Café", "sevClient": client}
        responses.get(f"{SEVDESK}/CostCentre", json={"objects": [centre]})
        space.probe_at = utcnow() - timedelta(seconds=1)
        db.session.commit()
        assert pauses.may_work(space)
        assert (space.sevdesk_client, space.cost_centre_id) == ("7", "3")
        assert not space.is_paused


@responses.activate
def test_token_that_turns_out_wrong_later_pauses_the_space_for_that(app: Flask, cast: Cast) -> None:
    version = f"{SEVDESK}/Tools/bookkeepingSystemVersion"
    responses.get(version, status=503)
    responses.get("http://127.0.0.1:9/cobot-space/alpha/api/subscriptions", json=[])
    responses.post("http://127.0.0.1:9/cobot-space/alpha/api/subscriptions", status=503)
    responses.get(INVOICES, json={"data": [], "meta": {"currentPage": 1, "totalPages": 1}})
    responses.post("http://127.0.0.1:9/cobot-space/alpha/api/activities", json={})
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        vault.put(space, "cobot_token", "cobot-token")
        db.session.commit()
        settings = SevdeskSettings(api_token=TOKEN, cost_centre_number=None, due_after_days=30)
        admin = db.session.get_one(Admin, cast.owner)
        assert not connection.save_settings(space, settings, admin=admin, user_token=None)
        responses.replace(responses.GET, version, status=401, json={})
        space.probe_at = utcnow() - timedelta(seconds=1)
        db.session.commit()
        assert not pauses.may_work(space)
        assert space.pause_code == "token_invalid"


def test_pause_by_hand_holds_until_it_is_ended(
    app: Flask, owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, sevdesk_client="7")
    token = {"csrf_token": csrf_of(owner, "/spaces/alpha/settings")}
    assert owner.post("/spaces/alpha/pause", data=token).location == "/spaces/alpha/settings"
    page = owner.get("/spaces/alpha/settings").text
    assert "Ein Admin hat die Übertragung angehalten." in page
    assert "Übertragung fortsetzen" in page
    assert "Setze sie in den Einstellungen fort" in owner.get("/spaces/alpha/log").text
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        space.probe_at = utcnow() - timedelta(days=1)
        assert not pauses.may_work(space)
        db.session.rollback()
    owner.post("/spaces/alpha/resume", data=token)
    assert "Ein Admin hat" not in owner.get("/spaces/alpha/settings").text
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        assert pauses.may_work(space)


def test_resume_ends_no_other_pause(
    app: Flask, owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, paused_at=utcnow(), pause_code="token_invalid")
    token = {"csrf_token": csrf_of(owner, "/spaces/alpha/disconnect")}
    said = owner.post("/spaces/alpha/resume", data=token, follow_redirects=True).text
    assert "Die Übertragung läuft weiter." not in said
    assert "Diese Pause endet, sobald ihre Ursache behoben ist." in said
    said = owner.post("/spaces/alpha/pause", data=token, follow_redirects=True).text
    assert "Neue Rechnungen werden aufbewahrt und warten." not in said
    assert "Die Übertragung steht schon" in said
    with app.app_context():
        assert db.session.get_one(Space, cast.alpha).pause_code == "token_invalid"


def test_appearance_is_kept_in_a_cookie_and_written_into_the_page(client: FlaskClient) -> None:
    assert "data-theme" not in client.get("/login").text
    token = csrf_of(client, "/login")
    data = {"csrf_token": token, "theme": "dark", "next": "/help"}
    answer = client.post("/theme", data=data)
    assert answer.location == "/help"
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    page = client.get("/help").text
    assert 'data-theme="dark"' in page
    assert '<meta name="color-scheme" content="dark">' in page
    client.post("/theme", data={"csrf_token": token, "theme": '"><script>'})
    assert 'data-theme="dark"' in client.get("/help").text
    client.post("/theme", data={"csrf_token": token, "theme": "auto"})
    assert "data-theme" not in client.get("/help").text


def test_icon_is_there_for_browsers_that_ask_for_it(client: FlaskClient) -> None:
    with client.get("/favicon.ico") as answer:
        assert answer.status_code == 200
        assert answer.data.startswith(b"\0\0\1\0")
