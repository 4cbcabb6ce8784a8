"""The mapping check: codes that do not match first, what helps, rows assigned by hand."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from portal.database import db, utcnow
from portal.models import AccountMapping, Chart, InvoiceSync, Space, State, Task
from portal.services import mapping_rows, plan_lists, tasks, vault
from portal.services.connection import SettingsRefused
from tests.web.conftest import NOON, Cast, csrf_of
from tests.web.tasks import chart, checked

PAGE = "/spaces/alpha/mapping"
ACCOUNTS = [
    (3631, "4400", "Mitgliedschaft"),
    (3632, "4401", "Meetingräume"),
    (3633, "4300", "Getränke"),
]
CODES = [
    ("Mitgliedschaft", True, 40, "8800.00", ["19"]),
    ("getränke", True, 12, "33.60", ["7"]),
    ("Meeting räume", True, 6, "210.00", ["19"]),
    ("Telefonkabine", False, 1, "35.00", ["19"]),
    ("4401", True, 0, "0.00", []),
]


@pytest.fixture
def token(owner: FlaskClient, cast: Cast) -> str:
    return csrf_of(owner, "/spaces/alpha/disconnect")


@pytest.fixture
def known(app: Flask, cast: Cast) -> None:
    """A check of five codes, of which three match."""
    with app.app_context():
        chart(cast.alpha, ACCOUNTS)
        checked(cast.alpha, CODES, bare=2)


def assign(app: Flask, space_id: int, code: str, account_id: int) -> None:
    with app.app_context():
        db.session.add(AccountMapping(space_id=space_id, code=code, account_id=account_id))
        db.session.commit()


def said(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def codes_of(page: str) -> list[tuple[str, str, str]]:
    return re.findall(r'data-code="([^"]*)" data-how="(\w*)" data-cause="(\w*)"', page)


def test_before_the_first_check_a_button_begins_it_and_the_page_follows(
    app: Flask, owner: FlaskClient, token: str
) -> None:
    assert "Jetzt prüfen" in owner.get(PAGE).text
    page = owner.post(PAGE, data={"csrf_token": token}, follow_redirects=True).text
    assert "Die Buchungscodes werden geprüft" in page
    poll = re.findall(r'hx-get="([^"]+changes[^"]+)"', page)[0].replace("&amp;", "&")
    assert owner.get(poll).status_code == 204
    with app.app_context():
        task = db.session.scalars(select(Task)).one()
        assert (task.to_date - task.from_date).days == 89
        chart(task.space_id, ACCOUNTS)
        task.result = {"codes": [], "without_code": 0, "matches": {}}
        tasks.finish(task, "done")
        db.session.commit()
    page = owner.get(poll).text
    assert "In Cobot gibt es keine Buchungscodes" in page
    assert "hx-get" not in page.partition(">")[0]


def test_pressing_check_again_with_scripts_answers_with_the_part(
    owner: FlaskClient, known: None, token: str
) -> None:
    answer = owner.post(PAGE, data={"csrf_token": token}, headers={"HX-Request": "true"})
    assert answer.text.lstrip().startswith('<section id="task"')
    assert "werden geprüft" in answer.text
    assert len(codes_of(answer.text)) == 5, "the last check stays in sight"


def test_what_does_not_match_comes_first_with_suggestions_and_why(
    owner: FlaskClient, known: None
) -> None:
    page = owner.get(PAGE).text
    assert codes_of(page) == [
        ("Meeting räume", "", "account_missing"),
        ("Telefonkabine", "", "account_missing"),
        ("Mitgliedschaft", "name", ""),
        ("getränke", "name_folded", ""),
        ("4401", "number", ""),
    ]
    words = said(page)
    assert "3 von 5 Buchungscodes passen" in words
    assert "2 Positionen der letzten 90 Tage haben gar keinen Buchungscode" in words
    assert "4401 Meetingräume nur ein Leerzeichen anders" in words
    assert "Namen kopieren" in words
    assert "nur auf Rechnungen" in words
    assert "8.800,00" in words
    assert 'href="/spaces/alpha/accounting-codes"' in page
    assert 'href="http://127.0.0.1:9/"' in page, "sevdesk's start page"
    opened = owner.get(f"{PAGE}?show=open").text
    assert len(codes_of(opened)) == 2
    assert owner.get(f"{PAGE}?show=x&after_place=y").status_code == 200


def plans(app: Flask, space_id: int, *known: tuple[str, str | None, int]) -> None:
    with app.app_context():
        rows = [{"name": name, "code": code, "members": count} for name, code, count in known]
        plan_lists.keep(space_id, rows)
        db.session.commit()


def test_plans_that_use_a_code_stand_beside_it_and_those_without_one_above(
    app: Flask, owner: FlaskClient, cast: Cast, known: None
) -> None:
    words = said(owner.get(PAGE).text)
    assert "Die Tarife in Cobot sind noch nicht bekannt" in words
    plans(
        app, cast.alpha, ("Flex", "Mitgliedschaft", 12), ("Fix", "mitgliedschaft", 1),
        ("Team 4", "Teambüro", 3), ("Post", None, 2),
        *((f"Tarif {n}", "4401", 9 - n) for n in range(5)),
    )  # fmt: skip
    page = owner.get(PAGE).text
    assert ("Teambüro", "", "account_missing") in codes_of(page), "no invoice used it yet"
    words = said(page)
    assert "Flex (12 Mitglieder), Fix (1 Mitglied) 40 Positionen in 90 Tagen" in words
    assert "Tarif 2 (7 Mitglieder) und 2 weitere – 4401 Meetingräume" in words
    assert "nur in Tarifen" in words
    assert "Ein Tarif hat keinen Buchungscode, seine Rechnungen werden nicht" in words
    assert "Post (2 Mitglieder)" in words
    assert "noch nicht bekannt" not in words


def test_all_match_leads_to_the_older_invoices(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    with app.app_context():
        chart(cast.alpha, ACCOUNTS)
        checked(cast.alpha, CODES[:2])
    page = owner.get(PAGE).text
    assert "Alle 2 Buchungscodes passen" in page
    assert 'class="button primary" href="/spaces/alpha/backfill"' in page


def test_an_account_that_does_not_take_the_rates_in_use_is_named(
    app: Flask, owner: FlaskClient, cast: Cast
) -> None:
    with app.app_context():
        chart(cast.alpha, ACCOUNTS)
        checked(cast.alpha, [("Mitgliedschaft", True, 4, "80.00", ["19"])])
        space = db.session.get_one(Space, cast.alpha)
        known = db.session.get_one(Chart, space.id)
        known.accounts = [{**known.accounts[0], "rules": {"1": [7]}}]
        db.session.commit()
    page = owner.get(PAGE).text
    assert codes_of(page) == [("Mitgliedschaft", "name", "rule_not_allowed")]
    assert "0 von 1 Buchungscodes passen" in page
    assert "erlaubt diese Steuerregel mit 19" in said(page)


def test_changes_since_the_check_before_are_said(
    app: Flask, owner: FlaskClient, cast: Cast
) -> None:
    with app.app_context():
        chart(cast.alpha, ACCOUNTS)
        checked(
            cast.alpha,
            [*CODES[:1], ("Alt", True, 0, "0.00", [])],
            {"mitgliedschaft": None, "alt": "4401 Meetingräume"},
        )
        checked(cast.alpha, CODES[:2], {"mitgliedschaft": "4400 Mitgliedschaft", "getränke": None})
    page = owner.get(PAGE).text
    assert "3 Änderungen seit" in page
    assert re.findall(r'data-change="(\w+)"><strong>([^<]+)', page) == [
        ("gone", "Alt"),
        ("new", "getränke"),
        ("matched", "Mitgliedschaft"),
    ]


def test_while_sevdesk_is_away_the_last_state_stays_with_its_time(
    app: Flask, owner: FlaskClient, cast: Cast, known: None, token: str
) -> None:
    owner.post(PAGE, data={"csrf_token": token})
    with app.app_context():
        chart(cast.alpha, ACCOUNTS, read_at=NOON)
        task = tasks.open_task(db.session.get_one(Space, cast.alpha), "mapping")
        assert task is not None
        task.cause_code, task.next_try_at = "upstream_down", utcnow() + timedelta(minutes=2)
        db.session.commit()
    page = owner.get(PAGE).text
    assert "sevdesk ist gerade nicht erreichbar" in page
    assert 'datetime="2026-03-02T11:00:00+00:00"' in page
    assert len(codes_of(page)) == 5
    with app.app_context():
        task = tasks.open_task(db.session.get_one(Space, cast.alpha), "mapping")
        assert task is not None
        tasks.fail(task, "gave_up")
    page = owner.get(PAGE).text
    assert "Die Prüfung ist gescheitert" in page
    assert "Unten steht der Stand der letzten Prüfung." in page


def test_after_a_repair_one_press_retries_what_waited(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    known: None,
    token: str,
    add_invoice: Callable[..., int],
) -> None:
    for _ in range(12):
        add_invoice(
            cast.alpha,
            State.FAILED,
            cause_code="account_missing",
            cause_params={"code": "Telefonkabine"},
        )
    page = owner.get(PAGE).text
    assert "12 Rechnungen warten darauf" in page
    assert 'id="freed"' not in page
    way = 'href="/spaces/alpha/mapping/assign?code=Telefonkabine"'
    for path in ("log", "invoices/i-1"):
        assert way in owner.get(f"/spaces/alpha/{path}").text, path
    with app.app_context():
        chart(cast.alpha, [*ACCOUNTS, (3700, "4500", "Telefonkabine")])
    page = owner.get(PAGE).text
    assert re.search(r'id="freed" data-count="12"', page)
    assert "12 Rechnungen warteten darauf" in page
    answer = owner.post(f"{PAGE}/retry", data={"csrf_token": token}, follow_redirects=True)
    assert "12 Rechnungen werden jetzt" in answer.text
    with app.app_context():
        states = db.session.scalars(select(InvoiceSync.state)).all()
        assert set(states) == {State.WAITING}
    again = owner.post(f"{PAGE}/retry", data={"csrf_token": token}, follow_redirects=True)
    assert "gibt es nichts" in again.text


def test_one_code_is_assigned_on_a_page_of_its_own_or_in_its_row(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    known: None,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = f"{PAGE}/assign?code=Meeting%20r%C3%A4ume"
    page = owner.get(path).text
    assert "Buchungskonto für „Meeting räume“" in page
    assert "6 Positionen in den letzten 90 Tagen" in page
    assert page.count("<option") == 3
    assert 'name="account_id" value="3632"' in page
    part = owner.get(path, headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "<option" not in part, "all rows share one list of accounts"
    shared = owner.get(f"{PAGE}/accounts", headers={"HX-Request": "true"}).text
    assert shared.count("<option") == 3
    assert owner.get(f"{PAGE}/accounts").status_code == 302
    taken: list[tuple[str, object]] = []

    def save(space: Space, code: str, wanted: object, *, actor: str) -> int:
        taken.append((code, wanted))
        return 2

    monkeypatch.setattr(mapping_rows, "save_mapping", save)
    for form in ({"account_id": "3632"}, {"account": " 4401 Meetingräume "}):
        answer = owner.post(
            f"{PAGE}/assign", data={"csrf_token": token, "code": "Meeting räume", **form}
        )
        assert (answer.status_code, answer.location) == (303, PAGE)
    assert taken == [("Meeting räume", 3632), ("Meeting räume", "4401 Meetingräume")]
    page = owner.get(PAGE).text
    assert "„Meeting räume“ wird ab jetzt auf das gewählte Konto gebucht. 2 Rechnungen" in page


def test_a_row_is_marked_and_taken_back(
    app: Flask, owner: FlaskClient, cast: Cast, known: None, token: str
) -> None:
    assign(app, cast.alpha, "Telefonkabine", 3632)
    assign(app, cast.alpha, "Nur hier", 99)
    page = owner.get(PAGE).text
    assert ("Telefonkabine", "mapping", "") in codes_of(page)
    assert ("Nur hier", "", "account_missing") in codes_of(page)
    assert "Das zugeordnete Konto gibt es nicht mehr." in page
    assert page.count("fest zugeordnet") >= 2
    assert len(codes_of(owner.get(f"{PAGE}?show=fixed").text)) == 2
    for code, words in (
        ("telefonkabine", "Zurückgenommen"),
        ("Sonst", "Es wurde nichts geändert."),
    ):
        answer = owner.post(
            f"{PAGE}/remove", data={"csrf_token": token, "code": code}, follow_redirects=True
        )
        assert words in answer.text
    with app.app_context():
        assert db.session.scalars(select(AccountMapping.code)).all() == ["Nur hier"]


@pytest.mark.parametrize(
    ("form", "error", "words"),
    [
        ({"account": ""}, None, "Wähle ein Buchungskonto."),
        (
            {"account": "Nirgends"},
            SettingsRefused("account", "account_missing", {"code": "Nirgends"}),
            "kein Buchungskonto „Nirgends“",
        ),
        (
            {"account_id": "3633"},
            SettingsRefused(
                "account", "rule_not_allowed", {"number": "4300", "name": "G", "rate": "19"}
            ),
            "erlaubt diese Steuerregel mit 19",
        ),
    ],
)
def test_what_cannot_be_assigned_is_said_at_the_field(
    owner: FlaskClient,
    known: None,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    form: dict[str, str],
    error: SettingsRefused | None,
    words: str,
) -> None:
    def refuse(*_: object, **__: object) -> int:
        assert error is not None
        raise error

    monkeypatch.setattr(mapping_rows, "save_mapping", refuse)
    answer = owner.post(
        f"{PAGE}/assign", data={"csrf_token": token, "code": "Telefonkabine", **form}
    )
    assert answer.status_code == 422
    assert words in said(answer.text)
    assert 'aria-invalid="true"' in answer.text


@responses.activate
def test_nothing_is_assigned_while_sevdesk_is_away(
    app: Flask, owner: FlaskClient, cast: Cast, token: str, edit_space: Callable[..., None]
) -> None:
    with app.app_context():
        chart(cast.alpha, ACCOUNTS, read_at=NOON)
        space = db.session.get_one(Space, cast.alpha)
        for name in ("sevdesk_token", "cobot_token"):
            vault.put(space, name, "0123456789abcdef0123456789abcdef")
        space.cobot_user_id = "u-owner"
        db.session.commit()
    data = {"csrf_token": token, "code": "Telefonkabine", "account_id": "3632"}
    answer = owner.post(f"{PAGE}/assign", data=data)
    assert answer.status_code == 422
    assert "sevdesk antwortet nicht. Nichts wurde geändert" in answer.text
    with app.app_context():
        assert db.session.scalars(select(AccountMapping)).all() == []


def test_tokens_that_do_not_open_are_said_and_crash_no_page(
    app: Flask, owner: FlaskClient, cast: Cast, known: None, token: str
) -> None:
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        space.sealed_sevdesk_token = space.sealed_cobot_token = b"sealed with a key that is gone"
        db.session.get_one(Chart, space.id).read_at = NOON
        db.session.commit()
    data = {"csrf_token": token, "code": "Telefonkabine", "account_id": "3632"}
    answer = owner.post(f"{PAGE}/assign", data=data)
    assert answer.status_code == 422
    assert "ein Schlüssel" in answer.text
    data = {"csrf_token": token}
    answer = owner.post("/spaces/alpha/causes/check", data=data, follow_redirects=True)
    assert answer.status_code == 200
    assert "ein Schlüssel" in answer.text
    assert owner.get("/spaces/alpha/accounting-codes").status_code == 503


@pytest.mark.parametrize("code", ["", "   ", "x" * 501])
def test_a_code_that_cannot_be_is_not_found(
    owner: FlaskClient, known: None, token: str, code: str
) -> None:
    assert owner.get(f"{PAGE}/assign", query_string={"code": code}).status_code == 404
    data = {"csrf_token": token, "code": code, "account": "4400"}
    assert owner.post(f"{PAGE}/assign", data=data).status_code == 404


def test_names_from_outside_stay_text(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    with app.app_context():
        chart(cast.alpha, [(1, "1", '"><b>x</b>')])
        checked(cast.alpha, [('"><i>y</i>', True, 1, "1.00", ["19"])])
    for path in (PAGE, f"{PAGE}/assign?code=%22%3E%3Ci%3Ey"):
        page = owner.get(path).text
        assert "<b>x" not in page
        assert "<i>y" not in page


def test_an_unconnected_space_begins_and_assigns_nothing(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    token: str,
    edit_space: Callable[..., None],
) -> None:
    edit_space(cast.alpha, connected_at=None)
    assert 'id="check"' not in owner.get(PAGE).text
    owner.post(PAGE, data={"csrf_token": token})
    owner.post(f"{PAGE}/assign", data={"csrf_token": token, "code": "x", "account": "4400"})
    assert owner.get(f"{PAGE}/assign?code=x").status_code == 404
    with app.app_context():
        assert db.session.scalars(select(Task)).all() == []


def test_a_stranger_sees_and_changes_nothing_of_another_space(
    app: Flask,
    cast: Cast,
    known: None,
    sign_in: Callable[..., FlaskClient],
) -> None:
    assign(app, cast.alpha, "Telefonkabine", 3632)
    stranger = sign_in(cast.stranger)
    token = csrf_of(stranger, "/spaces/beta/disconnect")
    assert codes_of(stranger.get("/spaces/beta/mapping").text) == []
    part = {"HX-Request": "true"}
    assert "4401" not in stranger.get("/spaces/beta/mapping/accounts", headers=part).text
    assert "4401" not in stranger.get("/spaces/beta/mapping/assign?code=Meeting").text
    stranger.post(
        "/spaces/beta/mapping/remove", data={"csrf_token": token, "code": "Telefonkabine"}
    )
    with app.app_context():
        assert len(db.session.scalars(select(AccountMapping)).all()) == 1
        task_id = db.session.scalars(select(Task.id)).one()
    for space in ("alpha", "beta"):
        path = f"/spaces/{space}/mapping/{task_id}/cancel"
        assert stranger.post(path, data={"csrf_token": token}).status_code == 404


def test_500_codes_and_3000_accounts_cost_no_more_statements_and_no_large_page(
    app: Flask, owner: FlaskClient, cast: Cast, known: None
) -> None:
    def look(path: str) -> tuple[str, int]:
        asked: list[str] = []

        def note(_c: object, _u: object, statement: str, *_: object) -> None:
            asked.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            page = owner.get(path).text
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return page, len(asked)

    look(PAGE)  # what is kept once, such as the locale
    few = look(PAGE)[1]
    words = ("Tisch", "Raum", "Schrank", "Kaffee", "Druck", "Post", "Garage", "Abend")
    with app.app_context():
        chart(
            cast.alpha,
            [
                (one, str(4000 + one), f"{words[one % 8]}miete {words[one // 8 % 8]} {one}")
                for one in range(3000)
            ],
        )
        checked(
            cast.alpha,
            [
                (f"{words[one % 8]}miete {words[one // 8 % 8]}{one}", True, 3, "90.00", ["19"])
                for one in range(500)
            ],
        )
    look(PAGE)
    page, many = look(PAGE)
    assert many <= few
    assert len(codes_of(page)) == 100
    assert "<option" not in page, "the accounts are fetched once, and only when they are needed"
    assert page.count("data-suggested") > 100
    assert len(page) < 350_000
    assert len(gzip.compress(page.encode())) < 40_000
    last = look(f"{PAGE}?after_place=400")[0]
    assert len(codes_of(last)) == 100
    assert 'rel="next"' not in last
    part = {"HX-Request": "true"}
    accounts = owner.get(f"{PAGE}/accounts", headers=part).text
    assert accounts.count("<option") == 3000
    assert len(gzip.compress(accounts.encode())) < 40_000
    row = owner.get(f"{PAGE}/assign?code=Tischmiete", headers=part).text
    assert len(row) < 4_000
