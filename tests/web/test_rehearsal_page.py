"""The rehearsal: one sentence, what is in the way, the list; again with other days."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import db, utcnow
from portal.models import Task
from portal.services import task_upkeep
from tests.conftest import by_id
from tests.web.conftest import Cast, csrf_of
from tests.web.tasks import Row, invoice_row, looked

PAGE = "/spaces/alpha/rehearsal"


@pytest.fixture
def token(owner: FlaskClient, cast: Cast) -> str:
    return csrf_of(owner, "/spaces/alpha/disconnect")


def found() -> list[Row]:
    """41 of 44 would be transferred; two accounts and a contact are missing."""
    fine = [invoice_row(f"ok-{one}", "synced") for one in range(41)]
    missing = {"cause_params": {"code": "Meeting"}}
    two: list[Row] = [
        {"code": "account_missing", "params": {"code": "meeting"}},
        {"code": "account_missing", "params": {"code": "Telefonkabine"}},
    ]
    return [
        *fine,
        invoice_row("bad-1", "failed", "account_missing", **missing),
        invoice_row(
            "bad-2",
            "failed",
            "account_missing",
            **missing,
            facts={"currency": "EUR", "causes": two},
        ),
        invoice_row("lost", "mismatched", "contact_missing", cause_params={"number": "4711"}),
    ]


def said(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", page).split())


def test_one_sentence_says_what_would_be_transferred_and_what_is_missing(
    app: Flask, owner: FlaskClient, cast: Cast
) -> None:
    with app.app_context():
        looked(cast.alpha, "rehearsal", found(), state="done")
    page = owner.get(PAGE).text
    words = said(page)
    assert "41 von 44 würden übertragen, fehlt: 2 Buchungskonten, 1 Kontakt" in words
    assert "In sevdesk gibt es kein Buchungskonto „Telefonkabine“." in words
    assert "1 dieser Rechnungen außerdem: In sevdesk gibt es kein Buchungskonto" in words
    assert "Beleg wurde mit" not in words, "nothing has happened yet"
    assert 'href="/spaces/alpha/mapping"' in page
    failed = owner.get(f"{PAGE}?show=failed").text
    assert re.findall(r'data-item="([\w-]+)"', failed) == ["bad-1", "bad-2"]
    assert owner.get(f"{PAGE}?show=x&after_place=y").status_code == 200


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "Cobot hat aus diesen Tagen keine Rechnung."),
        (
            [invoice_row("old", "known"), invoice_row("zero", "skipped", "zero_total")],
            "Nichts zu prüfen",
        ),
        ([invoice_row("new", "synced")], "1 von 1 würde übertragen"),
        (
            [
                invoice_row("a", "failed", "code_empty"),
                invoice_row("b", "failed", "code_empty"),
                invoice_row("c", "failed", "tax_rule_needed"),
                invoice_row("d", "failed", "tax_rule_needed"),
                invoice_row("e", "failed", "cost_centre_missing", cause_params={"number": "9"}),
                invoice_row("f", "failed", "several_taxes"),
            ],
            "0 von 6 würden übertragen, fehlt: 2 Buchungscodes, 1 Entscheidung von dir, "
            "die Kostenstelle, 1 anderes Hindernis",
        ),
    ],
)
def test_other_ends(
    app: Flask, owner: FlaskClient, cast: Cast, rows: list[Row], words: str
) -> None:
    with app.app_context():
        looked(cast.alpha, "rehearsal", rows, state="done")
    assert words in said(owner.get(PAGE).text)


def test_it_is_repeated_with_other_days_followed_and_cancelled(
    app: Flask, owner: FlaskClient, cast: Cast, token: str
) -> None:
    assert 'value="31"' in owner.get(PAGE).text
    owner.post(PAGE, data={"csrf_token": token, "days": "7"})
    page = owner.get(PAGE).text
    assert 'data-task="look-running"' in page
    poll = re.findall(r'hx-get="([^"]+changes[^"]+)"', page)[0].replace("&amp;", "&")
    assert owner.get(poll).status_code == 204
    with app.app_context():
        task = db.session.scalars(select(Task)).one()
        task_id = task.id
        assert (task.to_date - task.from_date).days == 6
        task.cause_code, task.next_try_at = "upstream_down", utcnow() + timedelta(minutes=2)
        db.session.commit()
    assert "nicht erreichbar" in owner.get(poll).text
    owner.post(PAGE, data={"csrf_token": token, "days": "366"})
    with app.app_context():
        assert [one.state for one in db.session.scalars(select(Task).order_by(Task.id))] == [
            "cancelled",
            "running",
        ]
    owner.post(f"{PAGE}/{task_id + 1}/cancel", data={"csrf_token": token})
    assert "data-task=" not in owner.get(PAGE).text


@pytest.mark.parametrize("days", ["", "0", "367", "-1", "x", "9" * 30, "9" * 309])
def test_days_that_cannot_be_are_refused_at_their_field(
    app: Flask, owner: FlaskClient, token: str, days: str
) -> None:
    answer = owner.post(PAGE, data={"csrf_token": token, "days": days})
    assert answer.status_code == 422
    assert 'id="days-error"' in answer.text
    with app.app_context():
        assert db.session.scalars(select(Task)).all() == []


def test_while_sync_is_to_be_checked_first_the_button_stands_beside_the_result(
    app: Flask, owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, paused_at=utcnow(), pause_code="check_first")
    with app.app_context():
        looked(cast.alpha, "rehearsal", found(), state="done")
    page = owner.get(PAGE).text
    assert page.count('action="/spaces/alpha/switch-on"') == 2
    edit_space(cast.alpha, paused_at=None, pause_code=None)
    assert "switch-on" not in owner.get(PAGE).text


def test_what_ended_long_ago_is_gone_and_an_unconnected_space_begins_nothing(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    token: str,
    edit_space: Callable[..., None],
) -> None:
    with app.app_context():
        task_id = looked(cast.alpha, "rehearsal", found(), state="done")
        by_id(Task, task_id).finished_at = utcnow() - timedelta(days=31)
        db.session.commit()
        task_upkeep.tidy_all_spaces()
    assert 'id="outcome"' not in owner.get(PAGE).text
    edit_space(cast.alpha, connected_at=None)
    owner.post(PAGE, data={"csrf_token": token, "days": "7"})
    assert 'id="rehearse"' not in owner.get(PAGE).text
    with app.app_context():
        assert len(db.session.scalars(select(Task)).all()) == 1


def test_a_stranger_never_reaches_anothers_rehearsal(
    app: Flask, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        task_id = looked(cast.alpha, "rehearsal", found())
    stranger = sign_in(cast.stranger)
    token = csrf_of(stranger, "/spaces/beta/disconnect")
    for space in ("alpha", "beta"):
        answer = stranger.post(
            f"/spaces/{space}/rehearsal/{task_id}/cancel", data={"csrf_token": token}
        )
        assert answer.status_code == 404
    assert 'id="outcome"' not in stranger.get("/spaces/beta/rehearsal").text


def test_the_page_reads_english_too(
    app: Flask, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        looked(cast.alpha, "rehearsal", found(), state="done")
    page = said(sign_in(cast.owner, language="en").get(PAGE).text)
    assert "41 of 44 would be transferred, missing: 2 booking accounts, 1 contact" in page
