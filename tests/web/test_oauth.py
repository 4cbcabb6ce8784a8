"""Attacks on the sign-in: planted, replayed and foreign codes; none signs anybody in."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient
from requests import PreparedRequest
from sqlalchemy import select

from portal.database import db
from portal.models import Admin, LoginSession
from tests.web.test_signin import API, USER, WWW, go_to_cobot


class Cobot:
    """Cobot's side of the exchange: each code is good once, for the challenge it was made with."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.challenges: dict[str, str] = {}
        self.mock = mock
        mock.add_callback(responses.POST, f"{WWW}/oauth/access_token", self._exchange)
        mock.get(f"{API}/user", json=USER)

    def allow(self, asked: dict[str, str], code: str) -> str:
        """Let a person press "allow"; return the address that Cobot sends them to."""
        self.challenges[code] = asked["code_challenge"]
        return f"/oauth/callback?code={code}&state={asked['state']}"

    @property
    def exchanges(self) -> int:
        return len([one for one in self.mock.calls if one.request.url.endswith("access_token")])

    def _exchange(self, request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        sent = parse_qs(str(request.body))
        verifier = sent.get("code_verifier", [""])[0]
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        if self.challenges.pop(sent["code"][0], None) != made.decode():
            return 400, {}, json.dumps({"error": "invalid_grant"})
        return 200, {}, json.dumps({"access_token": "user-token"})


@pytest.fixture
def cobot() -> Iterator[Cobot]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Cobot(mock)


@pytest.fixture
def nobody_is_signed_in(app: Flask) -> Iterator[None]:
    yield
    with app.app_context():
        assert not any(db.session.scalars(select(LoginSession.admin_id)))
        assert not any(db.session.scalars(select(LoginSession.sealed_cobot_token)))
        assert db.session.query(Admin).count() == 0


def test_the_right_way_signs_in(client: FlaskClient, cobot: Cobot) -> None:
    back = cobot.allow(go_to_cobot(client), "c")
    assert client.get(back).location == "/spaces"


@pytest.mark.usefixtures("nobody_is_signed_in")
@pytest.mark.parametrize("has_begun", [False, True])
def test_address_that_an_attacker_sends_signs_nobody_in(
    app: Flask, client: FlaskClient, cobot: Cobot, has_begun: bool
) -> None:
    """Login CSRF: the victim would work in the attacker's account without noticing."""
    attackers = cobot.allow(go_to_cobot(app.test_client()), "attackers")
    if has_begun:
        go_to_cobot(client)
    answer = client.get(attackers)
    assert answer.status_code == 400
    assert "Diese Anmeldung ist nicht mehr gültig" in answer.text
    assert cobot.exchanges == 0


@pytest.mark.usefixtures("nobody_is_signed_in")
def test_code_of_another_sign_in_is_refused_though_the_state_is_right(
    app: Flask, client: FlaskClient, cobot: Cobot
) -> None:
    """A foreign code put behind the own state: PKCE is what stops it, at Cobot."""
    cobot.allow(go_to_cobot(app.test_client()), "foreign")
    asked = go_to_cobot(client)
    answer = client.get(f"/oauth/callback?code=foreign&state={asked['state']}")
    assert answer.status_code == 400
    assert "Cobot hat die Anmeldung nicht angenommen" in answer.text


def test_code_and_state_are_good_once(app: Flask, client: FlaskClient, cobot: Cobot) -> None:
    back = cobot.allow(go_to_cobot(client), "c")
    assert client.get(back).status_code == 303
    again = client.get(back)
    assert again.status_code == 400
    assert "Diese Anmeldung ist nicht mehr gültig" in again.text
    assert app.test_client().get(back).status_code == 400, "nor in another browser"
    assert cobot.exchanges == 1
    assert client.get("/spaces/gamma/sevdesk").status_code == 200, "the sign-in itself stays"


@pytest.mark.usefixtures("nobody_is_signed_in")
def test_state_of_an_earlier_try_that_was_refused_is_worth_nothing(
    client: FlaskClient, cobot: Cobot
) -> None:
    asked = go_to_cobot(client)
    assert client.get(f"/oauth/callback?error=access_denied&state={asked['state']}")
    assert client.get(cobot.allow(asked, "later")).status_code == 400


def test_verifier_never_reaches_the_browser(client: FlaskClient, cobot: Cobot) -> None:
    asked = go_to_cobot(client)
    client.get(cobot.allow(asked, "c"))
    verifier = parse_qs(str(cobot.mock.calls[0].request.body))["code_verifier"][0]
    assert len(verifier) >= 43
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert verifier not in cookie.value
    assert verifier not in " ".join(asked.values())


def test_person_is_known_by_cobots_id_not_by_the_mail(
    app: Flask, client: FlaskClient, cobot: Cobot
) -> None:
    with app.app_context():
        db.session.add(Admin(cobot_user_id="u-other", email="neu@example.org"))
        db.session.commit()
    client.get(cobot.allow(go_to_cobot(client), "c"))
    with app.app_context():
        ids = db.session.scalars(select(Admin.cobot_user_id).order_by(Admin.cobot_user_id))
        assert list(ids) == ["u-new", "u-other"]


def test_one_account_signs_in_ten_times_a_minute_from_all_addresses_together(
    make_app: Callable[..., Flask], cobot: Cobot
) -> None:
    app = make_app(proxy_hops=1)
    statuses = []
    for number in range(11):
        browser = app.test_client()
        browser.environ_base["HTTP_X_FORWARDED_FOR"] = f"192.0.2.{number}"
        back = cobot.allow(go_to_cobot(browser), f"c{number}")
        statuses.append(browser.get(back).status_code)
    assert statuses == [303] * 10 + [429]
    with app.app_context():
        assert db.session.query(LoginSession).filter_by(admin_id=None).count() == 1
