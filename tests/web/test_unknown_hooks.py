"""Guessing hook secrets: always 404, at the price of one read; what is known is never limited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from portal.crypto import digest
from portal.database import db
from tests.web.conftest import Cast

URL = "http://127.0.0.1:9/cobot-space/alpha/api/invoices/abc"


def send(client: FlaskClient, secret: str, event: str = "created_invoice") -> int:
    return client.post(f"/hooks/cobot/{secret}/{event}", json={"url": URL}).status_code


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


def test_no_writer_waits_for_a_guess(app: Flask, client: FlaskClient) -> None:
    with statements(app) as said:
        assert send(client, "guess") == 404
    assert "BEGIN IMMEDIATE" not in said
    assert len([one for one in said if one.startswith("SELECT")]) == 1


def test_the_body_of_a_guess_is_not_read(client: FlaskClient) -> None:
    body = BytesIO(b"{}")
    answer = client.post("/hooks/cobot/guess/created_invoice", input_stream=body)
    assert answer.status_code == 404
    assert body.tell() == 0


def test_a_space_whose_hooks_come_here_is_not_looked_up_again(
    app: Flask, client: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, hook_digest=digest("known"))
    assert send(client, "known") == 202
    with statements(app) as said:
        assert send(client, "known", event="updated_invoice") == 202
    assert not [one for one in said if one.startswith("SELECT")]
