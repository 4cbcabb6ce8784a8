"""Sessions on the server: what is ended stays ended, what is new begins empty."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from portal.cobot.client import CobotClient
from portal.database import db, utcnow
from portal.errors import TemporaryError
from portal.models import Admin, LoginSession
from portal.services import log as log_service
from portal.services import sessions
from tests.conftest import as_owner
from tests.web.conftest import Cast, csrf_of

LOG = "/spaces/alpha/log"


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Let something happen while the log page is being made."""

    def during(happens: Callable[[], Any]) -> None:
        real, done = log_service.log_page, []

        def log_page(*args: Any) -> Any:
            if not done:
                done.append(True)
                # Another request of another thread: what it enters and leaves is its own.
                copy_context().run(happens)
            return real(*args)

        monkeypatch.setattr(log_service, "log_page", log_page)

    return during


def elsewhere(app: Flask, cookie: Any) -> FlaskClient:
    """Return a second tab of the same browser."""
    other = app.test_client()
    other.set_cookie("session", cookie.value)
    return other


@pytest.mark.parametrize("is_due_for_a_touch", [False, True])
def test_page_in_flight_does_not_undo_a_sign_out(
    app: Flask,
    owner: FlaskClient,
    meanwhile: Callable[[Callable[[], Any]], None],
    is_due_for_a_touch: bool,
) -> None:
    token = csrf_of(owner, "/spaces/alpha/settings") if is_due_for_a_touch else None
    cookie = owner.get_cookie("session")
    assert cookie is not None
    if is_due_for_a_touch:
        with app.app_context():
            db.session.query(LoginSession).one().expires_at = utcnow() + timedelta(hours=2)
            db.session.commit()
    tab = elsewhere(app, cookie)

    def sign_out() -> None:
        other = elsewhere(app, cookie)
        data = {"csrf_token": token or csrf_of(other, "/spaces/alpha/settings")}
        assert other.post("/logout", data=data).status_code == 303

    meanwhile(sign_out)
    answer = tab.get(LOG)
    assert "Set-Cookie" not in answer.headers
    assert elsewhere(app, cookie).get(LOG).status_code == 303
    with app.app_context():
        assert db.session.query(LoginSession).count() == 0


def test_page_in_flight_does_not_bring_back_the_id_from_before_a_sign_in(
    app: Flask, owner: FlaskClient, cast: Cast, meanwhile: Callable[[Callable[[], Any]], None]
) -> None:
    cookie = owner.get_cookie("session")
    assert cookie is not None
    tab = elsewhere(app, cookie)

    def sign_in_again() -> None:
        with app.app_context():
            admin = db.session.get(Admin, cast.owner)
        with owner.session_transaction() as session:
            session.start(admin, "user-token")  # type: ignore[attr-defined]

    meanwhile(sign_in_again)
    tab.get(LOG)
    assert elsewhere(app, cookie).get(LOG).status_code == 303
    assert owner.get(LOG).status_code == 200


def test_visit_moves_the_end_of_the_session(app: Flask, owner: FlaskClient) -> None:
    csrf_of(owner, LOG)
    with app.app_context():
        db.session.query(LoginSession).one().expires_at = utcnow() + timedelta(hours=2)
        db.session.commit()
    assert owner.get("/spaces").status_code == 302
    with app.app_context():
        expires_at = db.session.query(LoginSession).one().expires_at
        assert expires_at > utcnow() + timedelta(hours=7)


def polls(app: Flask) -> set[str]:
    """Return the endpoints that pages ask by themselves, as their templates name them."""
    folder = Path(str(app.jinja_loader.searchpath[0]))  # type: ignore[union-attr]
    templates = [path.read_text(encoding="utf-8") for path in folder.rglob("*.html")]
    polled = re.compile(r'hx-get="{{ url_for\("([\w.]+)"(?:(?!hx-get).)*?hx-trigger="every ', re.S)
    found = [endpoint for text in templates for endpoint in polled.findall(text)]
    assert len(found) == sum(text.count('hx-trigger="every ') for text in templates)
    return set(found)


def test_every_view_that_a_page_asks_by_itself_is_known_as_a_poll(app: Flask) -> None:
    found = polls(app)
    assert {"log.changes", "invoices.changes", "batches.changes"} <= found
    assert not {name for name in found if not hasattr(app.view_functions[name], "is_poll")}


def test_an_open_tab_does_not_keep_an_idle_session_alive(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    csrf_of(owner, LOG)
    ends_at = utcnow() + timedelta(hours=2)
    with app.app_context():
        db.session.query(LoginSession).one().expires_at = ends_at
        db.session.commit()
    for polled in (f"{LOG}/changes?after=0", f"{LOG}/changes?after=99"):
        assert owner.get(polled, headers={"HX-Request": "true"}).status_code in {200, 204}
    with app.app_context():
        assert db.session.query(LoginSession).one().expires_at == ends_at
    owner.get(LOG)
    with app.app_context():
        assert db.session.query(LoginSession).one().expires_at > ends_at


def test_a_poll_that_reads_the_rights_anew_does_not_keep_the_session_alive(
    app: Flask, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    csrf_of(owner, LOG)
    ends_at = utcnow() + timedelta(hours=2)
    with app.app_context():
        row = db.session.query(LoginSession).one()
        row.expires_at, row.rights_read_at = ends_at, utcnow() - timedelta(minutes=61)
        db.session.commit()

    def away(*_: object) -> None:
        raise TemporaryError("away", remote="cobot", endpoint="GET /user")

    monkeypatch.setattr(CobotClient, "user", away)
    assert owner.get(f"{LOG}/changes?after=0").status_code in {200, 204}
    with app.app_context():
        assert db.session.query(LoginSession).one().expires_at == ends_at


def test_what_was_in_the_session_before_the_sign_in_is_gone(
    app: Flask, cast: Cast, client: FlaskClient
) -> None:
    with client.session_transaction() as session:
        session["csrf_token"] = session["planted"] = "x"
    with app.app_context():
        admin = db.session.get(Admin, cast.owner)
    with client.session_transaction() as session:
        session.start(admin, "user-token")  # type: ignore[attr-defined]
    with client.session_transaction() as session:
        assert dict(session) == {}
    with app.app_context():
        assert db.session.query(LoginSession).count() == 1


@pytest.mark.parametrize("path", ["/", "/login", "/help", "/nothing"])
def test_page_for_nobody_leaves_no_row_and_no_cookie(
    app: Flask, client: FlaskClient, path: str
) -> None:
    assert "Set-Cookie" not in client.get(path).headers
    with app.app_context():
        assert db.session.query(LoginSession).count() == 0


def test_language_of_nobody_is_kept_in_a_cookie(app: Flask, client: FlaskClient) -> None:
    answer = client.post("/language", data={"locale": "en", "next": "/help"})
    assert answer.location == "/help"
    assert answer.headers["Set-Cookie"].startswith("language=en;")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert '<html lang="en">' in client.get("/help", headers={"Accept-Language": "de"}).text
    with app.app_context():
        assert db.session.query(LoginSession).count() == 0


def test_language_chosen_goes_along_to_another_browser(
    app: Flask, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    browser = sign_in(cast.owner)
    data = {"csrf_token": csrf_of(browser, "/help"), "locale": "en"}
    assert browser.post("/language", data=data).status_code == 303
    assert '<html lang="en">' in sign_in(cast.owner).get("/help").text


@pytest.mark.parametrize("path", ["/language", "/theme"])
def test_choice_of_somebody_signed_in_needs_the_token(owner: FlaskClient, path: str) -> None:
    assert owner.post(path, data={"locale": "en", "theme": "dark"}).status_code == 400


@pytest.mark.parametrize("path", ["/language", "/theme"])
def test_choice_of_nobody_is_refused_from_another_site(client: FlaskClient, path: str) -> None:
    answer = client.post(
        path, data={"locale": "en", "theme": "dark"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_database_away_is_said_on_a_page_of_ours(app: Flask, owner: FlaskClient) -> None:
    cookie = owner.get_cookie("session")
    with app.app_context():
        as_owner("ALTER TABLE session RENAME TO session_away")
    answer = owner.get(LOG)
    assert answer.status_code == 503
    assert "Unsere Datenbank antwortet gerade nicht" in answer.text
    assert "Content-Security-Policy" in answer.headers
    assert "Set-Cookie" not in answer.headers, "the cookie is still good when the database is back"
    poll = owner.get(LOG, headers={"HX-Request": "true"})
    assert (poll.status_code, poll.headers["HX-Retarget"]) == (503, "#notice")
    assert owner.get("/healthz").status_code == 200
    with app.app_context():
        as_owner("ALTER TABLE session_away RENAME TO session")
    assert owner.get_cookie("session") == cookie
    assert owner.get(LOG).status_code == 200


def test_database_away_in_the_middle_of_a_page_is_503_too(
    owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the server closed the connection"))

    monkeypatch.setattr(log_service, "log_page", fail)
    monkeypatch.setattr(sessions, "_change", fail)
    answer = owner.get(LOG)
    assert answer.status_code == 503
    assert "Unsere Datenbank antwortet gerade nicht" in answer.text
