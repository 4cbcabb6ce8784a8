"""What every answer carries, errors included; and the way from http to https."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.crypto import digest
from tests.web.conftest import Cast, csrf_of

HTTPS = "https://portal.example"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ON_EVERY_ANSWER = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
ANSWERS: dict[int, tuple[str, str, dict[str, object]]] = {
    200: ("GET", "/spaces/alpha/log", {}),
    204: ("GET", "/spaces/alpha/log/changes?after=9", {}),
    302: ("GET", "/spaces/alpha", {}),
    400: ("GET", "/spaces/alpha/log?q=%00", {}),
    403: ("POST", "/theme", {"headers": {"Sec-Fetch-Site": "cross-site"}}),
    404: ("GET", "/nothing", {}),
    405: ("GET", "/language", {}),
    413: ("POST", "/language", {"data": {"csrf_token": "x" * 70_000}}),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_strict_headers_are_on_every_answer(owner: FlaskClient, cast: Cast, status: int) -> None:
    method, path, rest = ANSWERS[status]
    answer = owner.open(path, method=method, **rest)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in ON_EVERY_ANSWER} == ON_EVERY_ANSWER
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers
    assert "HX-Request" in answer.headers["Vary"]


def test_strict_headers_are_on_answers_for_machines_and_on_files(
    client: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, hook_digest=digest("secret"))
    for answer in (
        client.get("/healthz"),
        client.get("/static/portal.css"),
        client.post("/hooks/cobot/unknown/created_invoice", json={"url": "x"}),
        client.post("/hooks/cobot/secret/created_invoice", json={"url": "x"}),
    ):
        answer.close()
        assert {name: answer.headers.get(name) for name in ON_EVERY_ANSWER} == ON_EVERY_ANSWER


def test_strict_headers_are_on_the_page_of_a_fault_of_ours(
    app: Flask, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.services import log as log_service

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(log_service, "log_page", fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = owner.get("/spaces/alpha/log")
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in ON_EVERY_ANSWER} == ON_EVERY_ANSWER


def test_pages_obey_the_policy(owner: FlaskClient, cast: Cast) -> None:
    for path in (
        "/login", "/spaces/alpha/log", "/spaces/alpha/sevdesk", "/spaces/alpha/settings",
        "/account", "/help", "/nothing",
    ):  # fmt: skip
        text = owner.get(path).text
        for forbidden in ("style=", "hx-on", "onclick", "<style", "<script>", "javascript:"):
            assert forbidden not in text, (path, forbidden)


@pytest.mark.parametrize("path", ["/login", "/nothing", "/healthz", "/static/portal.css"])
def test_https_brings_hsts_on_every_answer(make_app: Callable[..., Flask], path: str) -> None:
    answer = make_app(public_url=HTTPS).test_client().get(path, base_url=HTTPS)
    answer.close()
    said = answer.headers["Strict-Transport-Security"]
    assert said == "max-age=31536000; includeSubDomains"


def test_https_brings_the_host_cookie(make_app: Callable[..., Flask]) -> None:
    browser = make_app(public_url=HTTPS).test_client()
    cookie = browser.get("/login/start", base_url=HTTPS).headers["Set-Cookie"]
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-session=")
    assert set(attributes) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}


def test_loopback_has_a_cookie_without_secure_and_no_hsts(client: FlaskClient) -> None:
    answer = client.get("/login/start")
    name, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("session=")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Lax"}
    assert "Strict-Transport-Security" not in answer.headers


def test_page_asked_for_without_https_is_sent_to_its_https_address(
    make_app: Callable[..., Flask],
) -> None:
    browser = make_app(public_url=HTTPS, proxy_hops=1).test_client()
    seen_by_proxy = {"X-Forwarded-Proto": "http", "Host": "evil.example"}
    answer = browser.get("/login?next=/spaces&x=%2F", headers=seen_by_proxy)
    assert (answer.status_code, answer.location) == (308, f"{HTTPS}/login?next=/spaces&x=%2F")
    assert browser.get("//evil.example/", headers=seen_by_proxy).location.startswith(HTTPS + "/")
    assert "Strict-Transport-Security" in answer.headers
    assert browser.get("/login", headers={"X-Forwarded-Proto": "https"}).status_code == 200


def test_machines_are_not_sent_on_to_https(make_app: Callable[..., Flask]) -> None:
    browser = make_app(public_url=HTTPS, proxy_hops=1).test_client()
    assert browser.get("/healthz").status_code == 200
    assert browser.get("/readyz").status_code == 200
    assert browser.post("/hooks/cobot/unknown/created_invoice").status_code == 404


def test_without_known_proxies_nobody_is_sent_in_a_circle(make_app: Callable[..., Flask]) -> None:
    assert make_app(public_url=HTTPS).test_client().get("/login").status_code == 200


def test_on_a_loopback_host_http_stays_http(make_app: Callable[..., Flask]) -> None:
    browser = make_app(proxy_hops=1).test_client()
    assert browser.get("/login", headers={"X-Forwarded-Proto": "http"}).status_code == 200


def test_token_of_the_form_is_in_no_address(owner: FlaskClient, cast: Cast) -> None:
    token = csrf_of(owner, "/spaces/alpha/settings")
    assert f"={token}" not in owner.get("/spaces/alpha/settings").text.replace(
        f'content="{token}"', ""
    ).replace(f'value="{token}"', "")
