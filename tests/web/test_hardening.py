"""What no page shows: random ids, the scopes asked for, what the log says of a sign-in."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from portal.views import signin
from tests.conftest import ROOT
from tests.web.conftest import Cast
from tests.web.test_oauth import Cobot, cobot  # noqa: F401 a fixture
from tests.web.test_signin import go_to_cobot

BITS_256 = 43
"""So many signs of base64 hold 256 bits."""


def test_the_id_of_a_session_has_256_random_bits(client: FlaskClient) -> None:
    ids = set()
    for _ in range(5):
        client.delete_cookie("session")
        client.get("/login/start")
        cookie = client.get_cookie("session")
        assert cookie is not None
        ids.add(cookie.value)
    assert len(ids) == 5
    assert all(len(one) >= BITS_256 for one in ids)


def test_only_the_scopes_that_are_needed_are_asked_for(client: FlaskClient) -> None:
    asked = parse_qs(urlsplit(client.get("/login/start").headers["Location"]).query)["scope"][0]
    assert sorted(asked.split()) == [
        "read_accounting_codes", "read_activities", "read_contacts", "read_invoices",
        "read_memberships", "read_spaces", "read_subscriptions", "read_teams", "read_urls",
        "read_user", "write_activities", "write_memberships", "write_subscriptions",
    ]  # fmt: skip


def test_nothing_of_a_page_is_kept_or_run_by_htmx(owner: FlaskClient, cast: Cast) -> None:
    page = owner.get("/spaces/alpha/log").text
    for setting in (
        '"historyCacheSize": 0', '"allowEval": false', '"allowScriptTags": false',
        '"includeIndicatorStyles": false', '"selfRequestsOnly": true',
    ):  # fmt: skip
        assert setting in page


def test_sign_ins_are_written_down_good_and_bad(
    client: FlaskClient,
    cobot: Cobot,  # noqa: F811 the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A fresh logger: the one of the module may have been used, and keeps its chain then.
    monkeypatch.setattr(signin, "log", structlog.get_logger("test"))
    with capture_logs() as lines:
        client.get(cobot.allow(go_to_cobot(client), "code-1"))
        client.get("/oauth/callback?code=made-up&state=made-up")
    said = [line["event"] for line in lines if line["event"].startswith("sign")]
    assert said == ["signed in", "sign-in refused"]
    assert lines[-1]["why"] == "mismatching_state"
    assert "made-up" not in str(lines)


def test_debugging_is_off_whatever_the_environment_says(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    app = make_app(public_url="https://portal.example")
    assert app.debug is False
    assert not app.config["PROPAGATE_EXCEPTIONS"]


def test_the_web_server_writes_no_addresses_down() -> None:
    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    assert settings["accesslog"] is None
