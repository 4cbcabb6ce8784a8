"""What people see when something went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from portal.database import db
from portal.errors import TemporaryError
from portal.models import Space, SpaceAdmin, State
from portal.services import log as log_service
from portal.services import skips
from tests.web.conftest import Cast, csrf_of


def test_unknown_page_is_said_in_words(client: FlaskClient) -> None:
    german = client.get("/nothing", headers={"Accept-Language": "de"})
    english = client.get("/nothing", headers={"Accept-Language": "en"})
    assert german.status_code == english.status_code == 404
    assert "Diese Seite gibt es nicht" in german.text
    assert "This page does not exist" in english.text


def test_wrong_method_is_said_in_words(client: FlaskClient) -> None:
    answer = client.post("/healthz")
    assert answer.status_code in {400, 405}
    assert "Traceback" not in answer.text
    answer = client.get("/language")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert "Das geht hier nicht" in answer.text


def test_fault_of_ours_shows_a_reference_and_no_stack_trace(
    app: Flask,
    owner: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(log_service, "log_page", fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = owner.get("/spaces/alpha/log")
    assert answer.status_code == 500
    assert "Bei uns ist etwas schiefgegangen" in answer.text
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    reference = answer.text.partition("<code>")[2].partition("</code>")[0]
    assert len(reference) == 8


def test_fault_in_a_poll_is_a_short_notice(
    app: Flask, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(log_service, "changes_since", fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = owner.get("/spaces/alpha/log/changes", headers={"HX-Request": "true"})
    assert answer.status_code == 500
    assert answer.headers["HX-Retarget"] == "#notice"
    assert "<html" not in answer.text


def test_remote_side_that_is_away_is_503_in_words(
    owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TemporaryError("away", remote="cobot")

    monkeypatch.setattr(log_service, "log_page", fail)
    answer = owner.get("/spaces/alpha/log")
    assert answer.status_code == 503
    assert "Keine Rechnung geht verloren" in answer.text


class Database:
    """The portal's database, which can be taken away in the middle of a request."""

    def __init__(self, app: Flask) -> None:
        self.is_away = False
        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", self._answer)

    def _answer(self, *_: object) -> None:
        if self.is_away:
            raise OperationalError(None, None, Exception("gone"))


@pytest.fixture
def database(app: Flask) -> Database:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return Database(app)


def test_a_database_that_goes_away_in_the_middle_is_503_in_words(
    database: Database, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_page = log_service.log_page

    def lose_the_database(*given: Any, **named: Any) -> Any:
        database.is_away = True
        return log_page(*given, **named)

    monkeypatch.setattr(log_service, "log_page", lose_the_database)
    answer = owner.get("/spaces/alpha/log")
    assert answer.status_code == 503
    assert "Unsere Datenbank antwortet gerade nicht" in answer.text
    assert "owner@example.org" in answer.text


def test_a_database_that_goes_away_while_it_is_written_loses_nothing_that_was_typed(
    database: Database,
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lose_the_database(space: Space, *_: object, **__: object) -> None:
        database.is_away = True
        space.name = "Anders"
        db.session.commit()

    add_invoice(cast.alpha, State.FAILED, cobot_invoice_id="i-1", cause_code="code_empty")
    monkeypatch.setattr(skips, "skip", lose_the_database)
    data = {"reason": "Von Hand gebucht", "csrf_token": csrf_of(owner, "/spaces/alpha/disconnect")}
    path, from_us = "/spaces/alpha/invoices/i-1/skip", {"Sec-Fetch-Site": "same-origin"}
    answer = owner.post(path, data=data, headers=from_us)
    assert answer.status_code == 503
    assert "Unsere Datenbank antwortet gerade nicht" in answer.text
    assert 'name="reason" value="Von Hand gebucht"' in answer.text


def test_a_row_that_cannot_be_written_is_a_fault_of_ours_in_words(
    app: Flask, owner: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_twice(*_: object) -> None:
        db.session.add(SpaceAdmin(space_id=cast.alpha, admin_id=cast.owner))
        db.session.commit()

    monkeypatch.setattr(log_service, "log_page", write_twice)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = owner.get("/spaces/alpha/log")
    assert answer.status_code == 500
    assert "Bei uns ist etwas schiefgegangen" in answer.text


def test_form_larger_than_64_kb_is_refused(owner: FlaskClient) -> None:
    answer = owner.post("/language", data={"csrf_token": "x" * 70_000})
    assert answer.status_code == 413
    assert "Das Formular ist zu groß" in answer.text


def test_hook_with_unknown_secret_is_404_without_session_or_body(client: FlaskClient) -> None:
    answer = client.post("/hooks/cobot/unknown/created_invoice", json={"url": "x"})
    assert answer.status_code == 404
    assert answer.data == b""
    assert "Set-Cookie" not in answer.headers


def test_hook_needs_no_token_and_no_origin(client: FlaskClient) -> None:
    answer = client.post(
        "/hooks/cobot/unknown/created_invoice",
        data=b"{}",
        headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://www.cobot.me"},
    )
    assert answer.status_code == 404


def test_hook_larger_than_64_kb_is_answered_by_the_contract(
    app: Flask, client: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    from portal.crypto import digest

    edit_space(cast.alpha, hook_digest=digest("secret"))
    body = b'{"url": "' + b"x" * 70_000 + b'"}'
    assert client.post("/hooks/cobot/secret/created_invoice", data=body).status_code == 400


def test_health_says_that_the_process_lives_and_can_work(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"alive": True}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json()["database"] is True
    assert ready.get_json()["queue"] is True


def test_portal_is_ready_without_the_queue_and_says_that_it_is_away(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(redis_url="unix:///nowhere.sock")
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json()["queue"] is False


def test_portal_is_not_ready_on_a_database_without_tables(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app = make_app(database_url=f"sqlite:///{tmp_path}/empty.db")
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["database"] is False
    assert app.test_client().get("/healthz").status_code == 200


def test_help_has_an_anchor_for_every_cause(client: FlaskClient) -> None:
    from portal.sync.messages import CATALOGUE

    page = client.get("/help").text
    for code in CATALOGUE:
        assert f'id="{code}"' in page
    assert "%(" not in page
