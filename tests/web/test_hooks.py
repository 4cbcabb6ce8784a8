"""Webhooks are answered in front of the pages."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.crypto import digest
from portal.database import begin_reading
from portal.services import webhooks
from portal.tenancy import enter_space
from tests.web.conftest import Cast
from tests.web.test_unknown_hooks import URL, send, statements


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_only_a_post_brings_a_message(
    client: FlaskClient, cast: Cast, edit_space: Callable[..., None], method: str
) -> None:
    edit_space(cast.alpha, hook_digest=digest("known"))
    answer = client.open("/hooks/cobot/known/created_invoice", method=method)
    assert (answer.status_code, answer.headers["Allow"], answer.data) == (405, "POST", b"")
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/hooks/cobot/known", "/hooks/cobot/known/created_invoice/more"])
def test_any_other_address_is_a_page_that_is_not_there(client: FlaskClient, path: str) -> None:
    assert "<html" in client.post(path, json={"url": URL}).text


def test_a_fault_of_ours_has_cobot_send_it_again_and_shows_nothing(
    client: FlaskClient,
    cast: Cast,
    edit_space: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit_space(cast.alpha, hook_digest=digest("known"))

    def fail(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(webhooks, "receive", fail)
    answer = client.post("/hooks/cobot/known/created_invoice", json={"url": URL})
    assert (answer.status_code, answer.data) == (500, b"")
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_a_request_before_left_open_counts_for_no_hook(
    app: Flask, client: FlaskClient, cast: Cast, edit_space: Callable[..., None], database_url: str
) -> None:
    """A page that is sent in pieces is read after its request is over, in the same thread."""
    edit_space(cast.alpha, hook_digest=digest("known"))
    assert send(client, "known") == 202
    enter_space(cast.beta)
    begin_reading()
    with statements(app) as said:
        assert send(client, "known") == 202
        assert send(client, "known", event="updated_invoice") == 202
    if database_url.startswith("sqlite"):
        assert "BEGIN" not in said


def test_a_body_that_breaks_off_is_no_message(
    client: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, hook_digest=digest("known"))
    answer = client.post(
        "/hooks/cobot/known/created_invoice",
        input_stream=BytesIO(),
        environ_overrides={"CONTENT_LENGTH": "100"},
    )
    assert (answer.status_code, answer.data) == (400, b"")
