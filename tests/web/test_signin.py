"""Signing in: the way over Cobot, and every way it can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient
from requests import ConnectionError as NoConnection

from portal.database import db
from portal.models import Admin, LoginSession
from portal.views.protection import storage_uri
from tests.web.conftest import Cast, csrf_of

WWW = "http://127.0.0.1:9/cobot"
API = "http://127.0.0.1:9/cobot-api"
USER = {
    "data": {
        "id": "u-new",
        "type": "users",
        "attributes": {"email": "neu@example.org"},
        "relationships": {"adminOf": {"data": [{"id": "s-gamma", "type": "spaces"}]}},
    },
    "included": [
        {
            "id": "s-gamma",
            "type": "spaces",
            "attributes": {"subdomain": "gamma", "name": "Gamma", "locale": "de"},
        }
    ],
}


def go_to_cobot(client: FlaskClient, path: str = "/login/start") -> dict[str, str]:
    """Follow the button; return what Cobot would be asked."""
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.location.startswith(f"{WWW}/oauth/authorize?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def test_button_leads_to_cobot_with_state_and_pkce(client: FlaskClient) -> None:
    asked = go_to_cobot(client)
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/oauth/callback"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 22
    assert "write_subscriptions" in asked["scope"]


def test_redirect_address_never_comes_from_the_host_header(client: FlaskClient) -> None:
    answer = client.get("/login/start", headers={"Host": "evil.example"})
    assert "evil.example" not in answer.location


def test_login_page_says_in_german_what_is_read_and_written(client: FlaskClient) -> None:
    page = client.get("/login", headers={"Accept-Language": "de-AT,de;q=0.9"}).text
    assert '<html lang="de">' in page
    assert "Mit Cobot anmelden" in page
    assert "Wir lesen deine Rechnungen" in page


def test_login_page_speaks_english_to_an_english_browser(client: FlaskClient) -> None:
    page = client.get("/login", headers={"Accept-Language": "en-GB,en;q=0.9"}).text
    assert '<html lang="en">' in page
    assert "Sign in with Cobot" in page


def test_other_languages_get_german(client: FlaskClient) -> None:
    page = client.get("/login", headers={"Accept-Language": "fr"}).text
    assert '<html lang="de">' in page


def test_chosen_language_stays(client: FlaskClient) -> None:
    token = csrf_of(client, "/login")
    answer = client.post(
        "/language", data={"csrf_token": token, "locale": "en", "next": "/login?next=/spaces"}
    )
    assert answer.location == "/login?next=/spaces"
    assert "Sign in with Cobot" in client.get("/login", headers={"Accept-Language": "de"}).text


def test_language_switch_leads_to_no_other_site(client: FlaskClient) -> None:
    token = csrf_of(client, "/login")
    answer = client.post(
        "/language", data={"csrf_token": token, "locale": "xx", "next": "//evil.example"}
    )
    assert answer.location == "/"


@responses.activate
def test_person_comes_back_signed_in_on_the_page_first_asked_for(
    app: Flask, client: FlaskClient
) -> None:
    asked = go_to_cobot(client, "/login/start?next=/spaces/gamma/sevdesk")
    token = responses.post(f"{WWW}/oauth/access_token", json={"access_token": "user-token"})
    responses.get(f"{API}/user", json=USER)
    before = client.get_cookie("session")
    answer = client.get(f"/oauth/callback?code=c&state={asked['state']}")
    assert answer.location == "/spaces/gamma/sevdesk"
    sent = parse_qs(token.calls[0].request.body)
    assert sent["client_secret"] == ["demo-secret"]
    assert sent["code_verifier"]
    after = client.get_cookie("session")
    assert before is not None
    assert after is not None
    assert before.value != after.value, "a session planted before the sign-in must be worth nothing"
    assert client.get("/spaces/gamma/sevdesk").status_code == 200
    with app.app_context():
        assert db.session.query(Admin).filter_by(cobot_user_id="u-new").count() == 1


def test_person_who_refuses_is_told_so_and_offered_the_button_again(client: FlaskClient) -> None:
    asked = go_to_cobot(client, "/login/start?next=/spaces/gamma/log")
    answer = client.get(f"/oauth/callback?error=access_denied&state={asked['state']}")
    assert answer.status_code == 200
    assert "Du hast den Zugriff nicht erlaubt" in answer.text
    assert "/login/start?next=/spaces/gamma/log" in answer.text


@pytest.mark.parametrize("query", ["code=c&state=planted", "code=c", ""])
def test_callback_with_another_state_is_refused_in_words(client: FlaskClient, query: str) -> None:
    go_to_cobot(client)
    answer = client.get(f"/oauth/callback?{query}")
    assert answer.status_code == 400
    assert "Diese Anmeldung ist nicht mehr gültig" in answer.text
    assert "Mit Cobot anmelden" in answer.text


@responses.activate
@pytest.mark.parametrize("away_at", ["token", "user"])
def test_cobot_away_is_said_in_words(client: FlaskClient, away_at: str) -> None:
    asked = go_to_cobot(client)
    if away_at == "token":
        responses.post(f"{WWW}/oauth/access_token", body=NoConnection())
    else:
        responses.post(f"{WWW}/oauth/access_token", json={"access_token": "user-token"})
        responses.get(f"{API}/user", status=503)
    answer = client.get(f"/oauth/callback?code=c&state={asked['state']}")
    assert answer.status_code == 503
    assert "Cobot antwortet gerade nicht" in answer.text
    assert "Mit Cobot anmelden" in answer.text


@responses.activate
@pytest.mark.parametrize(
    "reply",
    [
        {"status": 401, "json": {"error": "invalid_client"}},
        {"status": 200, "json": {"nothing": "useful"}},
        {"status": 200, "body": "<html>"},
    ],
)
def test_unusable_answer_of_cobot_is_no_stack_trace(
    client: FlaskClient, reply: dict[str, object]
) -> None:
    asked = go_to_cobot(client)
    responses.post(f"{WWW}/oauth/access_token", **reply)  # type: ignore[arg-type]
    answer = client.get(f"/oauth/callback?code=c&state={asked['state']}")
    assert answer.status_code in {400, 502, 503}
    assert "Mit Cobot anmelden" in answer.text
    assert "Traceback" not in answer.text


def test_sign_out_ends_the_session_on_the_server(app: Flask, owner: FlaskClient) -> None:
    token = csrf_of(owner, "/spaces/alpha/log")
    cookie = owner.get_cookie("session")
    assert cookie is not None
    answer = owner.post("/logout", data={"csrf_token": token})
    assert answer.location == "/login"
    with app.app_context():
        assert db.session.query(LoginSession).count() == 0
    owner.set_cookie("session", cookie.value)
    assert owner.get("/spaces/alpha/log").status_code == 303


def test_signing_out_needs_a_form_not_a_link(owner: FlaskClient) -> None:
    answer = owner.get("/logout")
    assert answer.status_code == 405
    assert "Das geht hier nicht" in answer.text


def test_eleventh_try_in_a_minute_is_told_to_wait(client: FlaskClient) -> None:
    answers = [client.get("/login/start") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [302] * 10 + [429]
    assert "Zu viele Versuche" in answers[-1].text
    assert int(answers[-1].headers["Retry-After"]) <= 60


def test_login_works_while_the_queue_is_away(make_app: Callable[..., Flask]) -> None:
    app = make_app(redis_url="unix:///nowhere/queue.sock")
    browser = app.test_client()
    answers = [browser.get("/login/start").status_code for _ in range(11)]
    assert answers[:10] == [302] * 10
    assert answers[10] == 429, "without the queue the limit is counted in memory"


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("unix:///run/queue.sock", "redis+unix:///run/queue.sock"),
        ("redis://queue:6379/0", "redis://queue:6379/0"),
        ("rediss://queue:6379/0", "rediss://queue:6379/0"),
    ],
)
def test_address_of_the_queue_is_spelled_as_the_limiter_wants_it(url: str, uri: str) -> None:
    assert storage_uri(url) == uri


def test_admin_of_no_space_reads_which_account_it_is(
    cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    page = sign_in(cast.support).get("/spaces").text
    assert "support@example.org" in page
    assert "Mit anderem Konto anmelden" in page
