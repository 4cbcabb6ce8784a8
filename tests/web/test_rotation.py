"""Keys change while people are signed in and have forms open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.crypto import new_key
from portal.services import resealing
from tests.conftest import TOKEN_KEY
from tests.web.conftest import csrf_of

NEW_KEY = new_key()
OLD_SECRET = "test-secret-key-of-the-tests"


def _with_the_cookie_of(client: FlaskClient, app: Flask) -> FlaskClient:
    other = app.test_client()
    cookie = client.get_cookie("session")
    assert cookie is not None
    other.set_cookie("session", cookie.value)
    return other


def test_a_person_stays_signed_in_while_the_keys_are_rotated(
    owner: FlaskClient, make_app: Callable[..., Flask]
) -> None:
    both = make_app(token_keys=f"{NEW_KEY},{TOKEN_KEY}")
    assert _with_the_cookie_of(owner, both).get("/spaces/alpha/log").status_code == 200
    with both.app_context():
        assert sum(result.done for result in resealing.reseal_all_spaces()) >= 1
    only_new = make_app(token_keys=NEW_KEY)
    assert _with_the_cookie_of(owner, only_new).get("/spaces/alpha/log").status_code == 200


def test_without_a_rotation_taking_the_old_key_away_signs_everybody_out(
    owner: FlaskClient, make_app: Callable[..., Flask]
) -> None:
    only_new = make_app(token_keys=NEW_KEY)
    assert _with_the_cookie_of(owner, only_new).get("/spaces/alpha/log").status_code == 303


@pytest.mark.parametrize(("fallbacks", "status"), [(OLD_SECRET, 303), ("", 400)])
def test_a_form_opened_before_the_secret_changed_can_be_sent_with_a_fallback(
    owner: FlaskClient, make_app: Callable[..., Flask], fallbacks: str, status: int
) -> None:
    token = csrf_of(owner, "/spaces/alpha/log")
    app = make_app(secret_key="another-secret-key-of-tests", secret_key_fallbacks=fallbacks)
    client = _with_the_cookie_of(owner, app)
    assert client.post("/logout", data={"csrf_token": token}).status_code == status


def test_what_is_signed_anew_is_signed_with_the_new_secret(
    owner: FlaskClient, make_app: Callable[..., Flask]
) -> None:
    both = make_app(secret_key="another-secret-key-of-tests", secret_key_fallbacks=OLD_SECRET)
    token = csrf_of(_with_the_cookie_of(owner, both), "/spaces/alpha/log")
    only_new = make_app(secret_key="another-secret-key-of-tests")
    client = _with_the_cookie_of(owner, only_new)
    assert client.post("/logout", data={"csrf_token": token}).status_code == 303
