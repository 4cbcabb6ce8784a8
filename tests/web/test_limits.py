"""Guessing sevdesk tokens: counted for the person and for the address; good ones never count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.database import db
from portal.models import Admin, SpaceAdmin
from portal.services import connection
from portal.services.connection import SettingsRefused
from tests.web.conftest import TOKEN, Cast, csrf_of

PAGE = "/spaces/alpha/sevdesk"


@pytest.fixture(autouse=True)
def _sevdesk(monkeypatch: pytest.MonkeyPatch) -> None:
    """sevdesk takes one token and refuses every other."""

    def save(_space: Any, settings: connection.SevdeskSettings, **_: Any) -> None:
        if settings.api_token != TOKEN:
            raise SettingsRefused("api_token", "token_invalid")

    def test(_space: Any, _token: str) -> None:
        raise SettingsRefused("api_token", "token_invalid")

    monkeypatch.setattr(connection, "save_settings", save)
    monkeypatch.setattr(connection, "test_token", test)


def try_token(browser: FlaskClient, csrf: str, address: str = "192.0.2.1") -> int:
    return browser.post(
        f"{PAGE}/token-test",
        data={"csrf_token": csrf, "api_token": 32 * "0"},
        headers={"HX-Request": "true"},
        environ_overrides={"REMOTE_ADDR": address},
    ).status_code


def save(browser: FlaskClient, csrf: str, token: str) -> int:
    data = {"csrf_token": csrf, "api_token": token, "due_after_days": "30"}
    return browser.post(PAGE, data=data).status_code


def test_person_tests_ten_tokens_a_minute_from_whatever_address(owner: FlaskClient) -> None:
    csrf = csrf_of(owner, PAGE)
    statuses = [try_token(owner, csrf, f"192.0.2.{number}") for number in range(11)]
    assert statuses == [200] * 10 + [429]


def test_address_tests_thirty_tokens_a_minute_whoever_signs_in(
    app: Flask, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    statuses = []
    for number in range(4):
        with app.app_context():
            admin = Admin(cobot_user_id=f"u-{number}", email=f"{number}@example.org")
            db.session.add(admin)
            db.session.flush()
            db.session.add(SpaceAdmin(space_id=cast.alpha, admin_id=admin.id))
            db.session.commit()
            admin_id = admin.id
        browser = sign_in(admin_id)
        csrf = csrf_of(browser, PAGE)
        statuses += [try_token(browser, csrf) for _ in range(8)]
    assert statuses == [200] * 30 + [429] * 2


def test_saving_is_no_way_around_the_limit(owner: FlaskClient) -> None:
    csrf = csrf_of(owner, PAGE)
    assert [save(owner, csrf, 32 * "0") for _ in range(10)] == [422] * 10
    assert save(owner, csrf, TOKEN) == 429


def test_tokens_that_are_taken_are_not_counted(owner: FlaskClient) -> None:
    csrf = csrf_of(owner, PAGE)
    assert [save(owner, csrf, TOKEN) for _ in range(12)] == [303] * 12
