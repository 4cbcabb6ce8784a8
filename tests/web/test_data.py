"""What is held: given out whole and without secrets, and a person's name erased for good."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import Base, db, utcnow
from portal.models import Admin, HistoryLine, LoginSession, PersonName, Space, SpaceAdmin
from portal.services import exports, history, record, vault
from portal.services.table_words import TABLES
from tests.conftest import by_id
from tests.web.conftest import Cast, csrf_of

DATA = "/spaces/alpha/data"
SECRETS = {"sevdesk_token": 32 * "a", "cobot_token": 64 * "b", "hook_secret": 43 * "c"}


@pytest.fixture
def planted(app: Flask, cast: Cast, add_invoice: Callable[..., int]) -> Cast:
    """Two people with invoices in alpha, one in beta, and secrets in alpha."""
    add_invoice(cast.alpha, cobot_invoice_id="i-1", number="A-1", member="=Erika Müller")
    add_invoice(cast.alpha, cobot_invoice_id="i-2", number="A-2", member="Otto Groß")
    add_invoice(cast.beta, cobot_invoice_id="i-3", number="B-1", member="Erika Fremd")
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        for field, secret in SECRETS.items():
            vault.put(space, field, secret)  # type: ignore[arg-type]
        space.hook_digest = "d" * 64
        db.session.commit()
    return cast


def person_id(app: Flask, name: str) -> int:
    with app.app_context():
        return db.session.scalars(select(PersonName.id).where(PersonName.name == name)).one()


def rows_of_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))


def test_everything_of_a_space_is_given_out_as_json(owner: FlaskClient, planted: Cast) -> None:
    answer = owner.get("/spaces/alpha/export.json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="alpha.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    found = json.loads(answer.text)
    assert [one["number"] for one in found["invoice_sync"]] == ["A-1", "A-2"]
    assert [one["name"] for one in found["person_name"]] == ["=Erika Müller", "Otto Groß"]
    assert len(found["history_line"]) == 2
    assert found["space"][0]["subdomain"] == "alpha"
    assert "Fremd" not in answer.text
    assert "B-1" not in answer.text


def test_each_table_is_given_out_as_csv_that_a_spreadsheet_does_not_run(
    owner: FlaskClient, planted: Cast
) -> None:
    head, *rows = rows_of_csv(owner.get("/spaces/alpha/export/person_name.csv").text)
    assert [row[head.index("name")] for row in rows] == ["'=Erika Müller", "Otto Groß"]
    assert owner.get("/spaces/alpha/export/admin.csv").status_code == 404


@pytest.mark.parametrize(("language", "amount"), [("de", "12,05"), ("en", "12.05")])
def test_tables_write_amounts_as_the_log_does(
    app: Flask,
    cast: Cast,
    sign_in: Callable[..., FlaskClient],
    add_invoice: Callable[..., int],
    edit_space: Callable[..., None],
    language: str,
    amount: str,
) -> None:
    """A German spreadsheet takes 12.05 for the 12th of May."""
    add_invoice(cast.alpha, member="Otto Groß", gross=Decimal("12.05"))
    edit_space(cast.alpha, locale=language)
    number = person_id(app, "Otto Groß")
    reader = sign_in(cast.owner, language=language)
    files = [
        reader.get(f"/spaces/alpha/{name}.csv").text
        for name in ("log", "export/invoice_sync", f"people/{number}")
    ]
    run = app.test_cli_runner().invoke
    files += [
        run(args=["space", "export", "alpha", "--table", "invoice_sync"]).output,
        run(args=["person", "export", "alpha", str(number), "--csv"]).output,
    ]
    for file in files:
        assert any(amount in row for row in rows_of_csv(file)), file
    assert '"gross": "12.05"' in reader.get("/spaces/alpha/export.json").text


@pytest.mark.parametrize(
    ("language", "words"),
    [("de", "Namen von Personen und Firmen"), ("en", "Names of people and companies")],
)
def test_each_table_has_its_words(
    sign_in: Callable[..., FlaskClient], planted: Cast, language: str, words: str
) -> None:
    assert set(TABLES) == set(exports.tables_of_a_space())
    assert len(set(TABLES.values())) == len(TABLES)
    page = sign_in(planted.owner, language=language).get(DATA).text
    links = re.findall(r'href="/spaces/alpha/export/(\w+)\.csv">([^<]+)<', page)
    assert dict(links)["person_name"] == words
    assert not [said for table, said in links if said == table or "_" in said]
    assert [table for table, _ in links] == list(TABLES)


def test_large_tables_are_read_in_pieces_and_none_is_lost(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exports, "PIECE", 3)
    for _ in range(10):
        add_invoice(cast.alpha)
    found = json.loads(owner.get("/spaces/alpha/export.json").text)
    assert len({one["id"] for one in found["invoice_sync"]}) == 10
    assert len({one["hash"] for one in found["history_line"]}) == 10


def test_no_secret_is_in_any_export(app: Flask, owner: FlaskClient, planted: Cast) -> None:
    paths = ["/spaces/alpha/export.json", "/account/data.json", "/account/data.csv"]
    paths += [f"/spaces/alpha/export/{table}.csv" for table in exports.tables_of_a_space()]
    said = "\n".join(owner.get(path).text for path in paths)
    assert "A-1" in said
    for secret in (*SECRETS.values(), "user-token", "d" * 64):
        assert secret not in said
    with app.app_context():
        row = db.session.query(LoginSession).filter_by(admin_id=planted.owner).one()
        assert row.id_digest not in said
        space = db.session.get_one(Space, planted.alpha)
        assert str(space.sevdesk_token_key) not in said
    assert "sealed" not in said


def test_every_table_of_a_space_is_given_out_or_left_out_on_purpose() -> None:
    with_space = {table.name for table in Base.metadata.sorted_tables if "space_id" in table.c}
    given = set(exports.tables_of_a_space()) - {"space"}
    assert given | exports.NOT_OF_THE_SPACE == with_space | {"prune_permit"}
    assert not given & exports.NOT_OF_THE_SPACE


def test_person_is_found_by_name_and_only_in_the_own_space(
    app: Flask, owner: FlaskClient, planted: Cast
) -> None:
    page = owner.get(f"{DATA}?q=groß").text
    assert "Otto Groß" in page
    assert "Erika" not in page
    assert "Niemand heißt" in owner.get(f"{DATA}?q=fremd").text
    foreign = person_id(app, "Erika Fremd")
    for path in (
        f"{foreign}.json",
        f"{foreign}.csv",
        f"{foreign}/erase",
        "x.json",
        "9" * 30 + ".csv",
    ):
        assert owner.get(f"/spaces/alpha/people/{path}").status_code == 404, path


def test_person_is_told_all_that_is_held_of_them_and_nothing_of_others(
    app: Flask, owner: FlaskClient, planted: Cast
) -> None:
    number = person_id(app, "Otto Groß")
    found = json.loads(owner.get(f"/spaces/alpha/people/{number}.json").text)
    assert [one["name"] for one in found["person_name"]] == ["Otto Groß"]
    assert [one["number"] for one in found["invoice_sync"]] == ["A-2"]
    assert [one["step"] for one in found["history_line"]] == ["fetched"]
    listed = owner.get(f"/spaces/alpha/people/{number}.csv").text
    assert ["invoice_sync", "1", "number", "A-2"] in rows_of_csv(listed)
    assert "A-1" not in listed
    assert "Erika" not in listed


def test_erased_name_is_shown_as_a_pseudonym_and_every_chain_stays_whole(
    app: Flask, owner: FlaskClient, planted: Cast
) -> None:
    number = person_id(app, "Otto Groß")
    erase = f"/spaces/alpha/people/{number}/erase"
    assert "Otto Groß" in owner.get(erase).text
    assert owner.post(erase).status_code == 400, "without the form's token nothing is erased"
    answer = owner.post(erase, data={"csrf_token": csrf_of(owner, erase)}, follow_redirects=True)
    assert f"Stattdessen steht dort Person {number}" in answer.text
    for path in ("/spaces/alpha/log", "/spaces/alpha/invoices/i-2", "/spaces/alpha/log.csv"):
        text = owner.get(path).text
        assert f"Person {number}" in text, path
        assert "Groß" not in text, path
        assert "A-2" in text, path
    assert "Groß" not in owner.get("/spaces/alpha/export.json").text
    assert f"Person {number}" in owner.get(f"{DATA}?q=Person {number}").text
    assert "A-2" not in owner.get("/spaces/alpha/log?q=gro").text
    with app.app_context():
        space = db.session.get_one(Space, planted.alpha)
        lines, breaks = history.verify(space)
        assert (lines, breaks) == (3, [])
        line = db.session.scalars(
            select(HistoryLine).where(HistoryLine.step == "person_erased")
        ).one()
        assert (line.actor, line.facts) == ("admin:u-owner", {"number": str(number)})
    owner.post(erase, data={"csrf_token": csrf_of(owner, DATA)})
    with app.app_context():
        space = db.session.get_one(Space, planted.alpha)
        assert history.verify(space)[0] == 3, "the second time nothing happens"


def test_support_reads_the_pseudonym_and_gives_nothing_out(
    app: Flask, owner: FlaskClient, planted: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    number = person_id(app, "Otto Groß")
    support = sign_in(planted.support)
    visit = {"csrf_token": csrf_of(support, "/support"), "subdomain": "alpha", "reason": "Ticket 9"}
    assert support.post("/support/visits", data=visit).status_code == 303
    page = "/support/spaces/alpha/invoices/i-2"
    assert "Otto Groß" in support.get(page).text
    erase = f"/spaces/alpha/people/{number}/erase"
    assert support.post(erase, data={"csrf_token": visit["csrf_token"]}).status_code == 404
    owner.post(erase, data={"csrf_token": csrf_of(owner, erase)})
    said = support.get(page).text + support.get("/support?q=A-2").text
    assert "Groß" not in said
    assert f"Person {number}" in said
    for path in ("data", "export.json", f"people/{number}.json", "export/person_name.csv"):
        assert support.get(f"/spaces/alpha/{path}").status_code == 404, path


def test_erased_name_does_not_come_back_with_the_next_invoice(
    app: Flask, owner: FlaskClient, planted: Cast
) -> None:
    number = person_id(app, "Otto Groß")
    erase = f"/spaces/alpha/people/{number}/erase"
    owner.post(erase, data={"csrf_token": csrf_of(owner, erase)})
    with app.app_context():
        row = by_id(PersonName, number)
        again = record.name_person(planted.alpha, row.kind, row.remote_id, "Otto Groß")
        db.session.commit()
        db.session.refresh(row)
        assert again == number
        assert (row.name, row.folded, row.folded_last) == (None, None, None)


def test_disconnected_space_says_when_it_is_deleted_and_may_be_kept(
    app: Flask, owner: FlaskClient, planted: Cast, edit_space: Callable[..., None]
) -> None:
    def press(keep: str) -> Any:
        data = {"csrf_token": csrf_of(owner, DATA), "keep": keep}
        return owner.post(f"{DATA}/keep", data=data, follow_redirects=True)

    assert 'id="leaving"' not in owner.get(DATA).text
    assert "Die Daten bleiben" not in press("yes").text, "nothing to decide while connected"
    edit_space(planted.alpha, connected_at=None, disconnected_at=utcnow() - timedelta(days=80))
    assert 'id="leaving"' in owner.get(DATA).text
    assert "Die Daten bleiben" in press("yes").text
    assert 'id="kept"' in owner.get(DATA).text
    press("no")
    with app.app_context():
        space = db.session.get_one(Space, planted.alpha)
        assert space.kept_since is None
        assert space.disconnected_at is not None
        assert utcnow() - space.disconnected_at < timedelta(minutes=1), "the time begins anew"
        steps = db.session.scalars(select(HistoryLine.step).where(HistoryLine.invoice_id.is_(None)))
        assert list(steps) == ["kept", "kept_no_longer"]


def test_admin_is_told_what_is_held_of_them(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    with app.app_context():
        record.note(cast.alpha, "paused", "done", actor="admin:u-owner")
        record.note(cast.alpha, "paused", "done", actor="admin:u-second")
        db.session.commit()
    found = json.loads(owner.get("/account/data.json").text)
    assert [one["email"] for one in found["admin"]] == ["owner@example.org"]
    assert [one["space_id"] for one in found["space_admin"]] == [cast.alpha]
    assert len(found["session"]) == 1
    assert [one["actor"] for one in found["history_line"]] == ["admin:u-owner"]
    listed = rows_of_csv(owner.get("/account/data.csv").text)
    assert ["admin", "1", "email", "owner@example.org"] in listed


def test_admin_who_wants_to_be_forgotten_is_out_everywhere(
    app: Flask, owner: FlaskClient, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    elsewhere = sign_in(cast.owner)
    assert owner.post("/account/forget").status_code == 400
    answer = owner.post("/account/forget", data={"csrf_token": csrf_of(owner, "/account/forget")})
    assert answer.location == "/login"
    assert elsewhere.get("/spaces").status_code == 303
    with app.app_context():
        admin = db.session.get_one(Admin, cast.owner)
        assert (admin.email, admin.cobot_user_id) == ("", "u-owner")
        rights = select(SpaceAdmin).where(SpaceAdmin.admin_id == cast.owner)
        assert db.session.scalars(rights).all() == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", ("90 Tagen", "10 volle Kalenderjahre", "Deine Rechte")),
        ("en", ("90 days", "Your rights")),
    ],
)
def test_privacy_page_says_what_the_settings_say(
    client: FlaskClient, language: str, words: tuple[str, ...]
) -> None:
    page = client.get("/privacy", headers={"Accept-Language": language}).text
    for word in words:
        assert word in page
    assert "/privacy" in client.get("/login").text
