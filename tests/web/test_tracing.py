"""Each answer names its request; nobody from outside chooses the name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from portal.crypto import digest
from portal.database import db
from portal.models import InboxEvent
from portal.views import errors
from tests.web.conftest import Cast

GIVEN = "req-0123456789abcdef"


def test_answers_name_their_request(client: FlaskClient) -> None:
    ids = {client.get(path).headers["X-Request-Id"] for path in ("/login", "/nowhere", "/healthz")}
    assert len(ids) == 3
    assert all(len(one) == 16 for one in ids)


def test_only_a_proxy_of_ours_may_give_one(
    client: FlaskClient, make_app: Callable[..., Flask]
) -> None:
    assert client.get("/login", headers={"X-Request-Id": GIVEN}).headers["X-Request-Id"] != GIVEN
    behind = make_app(proxy_hops=1).test_client()
    assert behind.get("/login", headers={"X-Request-Id": GIVEN}).headers["X-Request-Id"] == GIVEN
    for odd in ("short", "with blank 0123", "x" * 65, "<b>0123456789</b>"):
        answered = behind.get("/login", headers={"X-Request-Id": odd}).headers["X-Request-Id"]
        assert answered != odd


def test_a_hook_is_kept_with_its_request(
    app: Flask, client: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, hook_digest=digest("known"))
    url = "http://127.0.0.1:9/cobot-space/alpha/api/invoices/abc"
    answer = client.post("/hooks/cobot/known/created_invoice", json={"url": url})
    assert answer.status_code == 202
    with app.app_context():
        [event] = db.session.scalars(db.select(InboxEvent))
        assert event.request_id == answer.headers["X-Request-Id"]


def test_who_tries_doors_is_seen(
    app: Flask,
    cast: Cast,
    sign_in: Callable[..., FlaskClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stranger = sign_in(cast.stranger)
    # A fresh logger: the one of the module may have been used, and keeps its chain then.
    monkeypatch.setattr(errors, "log", structlog.get_logger("test"))
    with capture_logs() as lines:
        assert stranger.get("/spaces/alpha/log").status_code == 404
        assert stranger.post("/spaces/beta/disconnect").status_code == 400
        stranger.get("/nowhere")
    said = [(line["status"], line["endpoint"], line["who"]) for line in lines]
    assert said == [
        (404, "log.index", cast.stranger),
        (400, "settings.disconnect", cast.stranger),
    ]
