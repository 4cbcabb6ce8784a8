"""Guessing hook secrets: the same 404, more cheaply; what is known is never limited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from portal.crypto import digest
from portal.database import db
from portal.views.webhooks import guesses
from tests.web.conftest import Cast

URL = "http://127.0.0.1:9/cobot-space/alpha/api/invoices/abc"


@pytest.fixture(autouse=True)
def _nobody_has_guessed_yet() -> None:
    guesses.reset()


def send(client: FlaskClient, secret: str, address: str = "192.0.2.1") -> int:
    return client.post(
        f"/hooks/cobot/{secret}/created_invoice",
        json={"url": URL},
        environ_overrides={"REMOTE_ADDR": address},
    ).status_code


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """Write down what is said to the database."""
    said: list[str] = []
    with app.app_context():
        engine = db.engine

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_known_secret_is_never_limited(
    app: Flask, client: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, hook_digest=digest("known"))
    assert {send(client, f"guess-{number}") for number in range(70)} == {404}
    assert {send(client, "known") for _ in range(70)} == {202}


def test_after_sixty_guesses_a_minute_no_writer_waits_for_them(
    app: Flask, client: FlaskClient, cast: Cast, database_url: str
) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("only SQLite has one writer at a time")
    for number in range(60):
        send(client, f"guess-{number}")
    with statements(app) as said:
        assert send(client, "guess") == 404
    assert "BEGIN IMMEDIATE" not in said
    assert len([one for one in said if one.startswith("SELECT")]) == 1
    with statements(app) as said:
        assert send(client, "guess", address="192.0.2.2") == 404
    assert "BEGIN IMMEDIATE" in said, "another address has its own sixty"
