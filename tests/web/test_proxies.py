"""Whose request it is: counted one by one behind a proxy, and no lie is believed without one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from portal.config import ConfigError, load_config
from portal.views.protection import limiter


def statuses(app: Flask, addresses: list[str], **headers: str) -> list[int]:
    """Start so many sign-ins, each said to come from another address."""
    with app.app_context():
        limiter.reset()
    browser = app.test_client()
    return [
        browser.get("/login/start", headers={"X-Forwarded-For": address, **headers}).status_code
        for address in addresses
    ]


def test_visitors_behind_a_proxy_have_ten_sign_ins_a_minute_each(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(proxy_hops=1)
    addresses = [f"192.0.2.{number}" for number in range(12)]
    assert set(statuses(app, addresses)) == {302}
    assert statuses(app, ["192.0.2.1"] * 11) == [302] * 10 + [429]


def test_what_the_visitor_says_before_the_proxy_does_not_count(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(proxy_hops=1)
    forged = [f"198.51.100.{number}, 192.0.2.1" for number in range(11)]
    assert statuses(app, forged) == [302] * 10 + [429]


def test_address_is_the_one_before_the_platforms_own(make_app: Callable[..., Flask]) -> None:
    app = make_app(proxy_hops=2)
    addresses = [f"192.0.2.{number}, 203.0.113.1" for number in range(12)]
    assert set(statuses(app, addresses)) == {302}


def test_without_a_proxy_nobody_can_claim_another_address(app: Flask) -> None:
    addresses = [f"192.0.2.{number}" for number in range(11)]
    assert statuses(app, addresses) == [302] * 10 + [429]


def test_host_named_by_a_proxy_is_not_believed(make_app: Callable[..., Flask]) -> None:
    browser = make_app(proxy_hops=1).test_client()
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    foreign = {**headers, "Origin": "http://evil.example"}
    assert browser.post("/language", data={"locale": "en"}, headers=foreign).status_code == 403
    with browser.application.app_context():
        limiter.reset()
    assert "evil" not in browser.get("/login/start", headers=headers).location
    assert browser.get("/spaces", headers=headers).location == "/login?next=/spaces"


@pytest.mark.parametrize("hops", ["-1", "x", "11"])
def test_number_of_proxies_must_be_one(monkeypatch: pytest.MonkeyPatch, hops: str) -> None:
    monkeypatch.setenv("PROXY_HOPS", hops)
    with pytest.raises(ConfigError, match="PROXY_HOPS"):
        load_config()
