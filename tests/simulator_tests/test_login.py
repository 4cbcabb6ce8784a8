import base64
import hashlib

import pytest

from tests.simulator_tests.driver import CALLBACK, location

VERIFIER = "v" * 50
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


def test_the_login_page_has_one_form_per_user(simulator):
    page = simulator.authorize().text
    assert page.count('<form method="post">') == 3
    for user in ("owner", "second", "stranger"):
        assert f'<input type="hidden" name="user_id" value="{user}">' in page


def test_the_login_gives_code_and_state_back_and_the_code_a_token(simulator):
    answer = simulator.authorize("POST", {"user_id": "owner"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(CALLBACK)
    assert location(answer)["state"] == "s t/a&te"
    token = simulator.exchange(location(answer)["code"])
    assert token.status_code == 200
    assert set(token.json()) == {"access_token", "token_type"}
    assert simulator.www("GET", "/api/user", token.json()["access_token"]).json()["id"] == "owner"


def test_a_denied_login_says_so(simulator):
    answer = simulator.authorize("POST", {"user_id": "owner", "decision": "deny"})
    assert location(answer) == {"error": "access_denied", "state": "s t/a&te"}


@pytest.mark.parametrize(
    "query",
    [
        {"client_id": "other"},
        {"redirect_uri": "https://portal.example/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1.example/oauth/callback"},
        {"redirect_uri": ""},
    ],
)
def test_unknown_apps_and_redirect_uris_get_a_page_and_no_redirect(simulator, query):
    for method in ("GET", "POST"):
        answer = simulator.authorize(method, {"user_id": "owner"}, **query)
        assert answer.status_code == 400
        assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"scope": "read_user read_revenue_accounts"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": "abc"}, "invalid_request"),
        ({"code_challenge": "abc", "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_wrong_requests_go_back_with_an_error(simulator, query, error):
    assert location(simulator.authorize(**query))["error"] == error


def test_an_unknown_user_gets_no_code(simulator):
    assert simulator.authorize("POST", {"user_id": "nobody"}).status_code == 400


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type"),
        ({"code": "unknown"}, 400, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:5001/"}, 400, "invalid_grant"),
    ],
)
def test_wrong_exchanges_are_refused(simulator, form, status, error):
    answer = simulator.exchange(simulator.code(), **form)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_a_code_is_good_once_and_for_its_app_only(simulator):
    code = simulator.code()
    assert simulator.exchange(code).status_code == 200
    assert simulator.exchange(code).status_code == 400


def test_the_secret_in_a_basic_header_is_refused(simulator):
    answer = simulator.http.post(
        f"{simulator.ready['COBOT_WWW_URL']}/oauth/access_token",
        data={"grant_type": "authorization_code", "code": simulator.code()},
        auth=("demo", "demo-secret"),
    )
    assert answer.status_code == 401


def test_the_exchange_may_leave_the_redirect_uri_out(simulator):
    assert simulator.exchange(simulator.code(), redirect_uri="").status_code == 200


@pytest.mark.parametrize(
    ("challenge", "verifier", "status"),
    [
        (CHALLENGE, VERIFIER, 200),
        (CHALLENGE, "w" * 50, 400),
        (CHALLENGE, "", 400),
        ("", VERIFIER, 400),
    ],
)
def test_the_pkce_verifier_must_fit_the_challenge(simulator, challenge, verifier, status):
    method = "S256" if challenge else ""
    code = simulator.code(code_challenge=challenge, code_challenge_method=method)
    assert simulator.exchange(code, code_verifier=verifier).status_code == status


def test_named_clients_replace_the_default_one_and_are_exact(simulator):
    uri = "https://portal.example/cb"
    client = {"client_id": "c", "client_secret": "s", "redirect_uris": [uri]}
    simulator.reset({"clients": [client], "users": [{"id": "owner"}]})
    assert simulator.authorize().status_code == 400
    assert simulator.authorize(client_id="c").status_code == 400
    code = simulator.code(client_id="c", redirect_uri=uri)
    answer = simulator.exchange(code, client_id="c", client_secret="s", redirect_uri=uri)
    assert answer.status_code == 200
