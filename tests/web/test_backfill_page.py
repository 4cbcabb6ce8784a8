"""Older invoices: the rehearsal's sums and list, then progress, pause, cancel, summary."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import db, utcnow
from portal.models import HistoryLine, InvoiceSync, Space, State, Task, TaskItem
from portal.services import record, task_upkeep, tasks
from tests.conftest import by_id
from tests.web.conftest import NOON, Cast, csrf_of
from tests.web.tasks import invoice_row, looked

PAGE = "/spaces/alpha/backfill"
WINDOW = {"from_date": "2026-01-01", "to_date": "2026-03-31"}
NEW, KNOWN = ("new-1", "synced"), ("old-1", "known")


@pytest.fixture
def token(owner: FlaskClient, cast: Cast) -> str:
    return csrf_of(owner, "/spaces/alpha/disconnect")


@pytest.fixture
def press(owner: FlaskClient, token: str) -> Callable[..., str]:
    """Press a button; return the page one ends up on."""

    def send(path: str, **form: str) -> str:
        answer = owner.post(path, data={"csrf_token": token, **form}, follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    return send


@pytest.fixture
def rehearsed(app: Flask, cast: Cast) -> int:
    """A rehearsal of six invoices of every kind."""
    rows = [
        invoice_row("new-1", "synced"),
        invoice_row("new-2", "synced"),
        invoice_row("there", "synced", facts={"currency": "EUR", "was_there": True}),
        invoice_row("lost", "mismatched", "contact_missing", cause_params={"number": "4711"}),
        invoice_row("bad", "failed", "account_missing", cause_params={"code": "Meeting"}),
        invoice_row("old", "known"),
    ]
    with app.app_context():
        return looked(cast.alpha, "backfill", rows)


def take_up(app: Flask, task_id: int, *states: State) -> None:
    """Take up the first items, as a worker does, and leave them in these states."""
    with app.app_context():
        task = by_id(Task, task_id)
        for item, state in zip(tasks.items(task), states, strict=False):
            item.taken_at = utcnow()
            row = record.add_invoice(task.space_id, item.remote_id, announced_at=NOON)
            row.number, row.invoice_date, row.is_backfill = item.number, item.day, True
            record.set_state(row, state)
        db.session.commit()


def state_of(page: str) -> str:
    return re.findall(r'data-task="([\w-]+)"', page)[0]


def poll_of(page: str) -> str | None:
    found = re.search(r'hx-get="([^"]+changes[^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else None


def test_first_visit_offers_a_window_of_this_year(owner: FlaskClient) -> None:
    page = owner.get(PAGE).text
    today = utcnow().date()
    assert f'value="{today.year}-01-01"' in page
    assert "Probe starten" in page
    assert 'id="task"' not in page


@pytest.mark.parametrize(
    ("window", "text"),
    [
        ({"from_date": "", "to_date": "2026-03-31"}, "Wähle einen Tag."),
        ({"from_date": "2026-03-31", "to_date": "2026-03-01"}, "liegt vor dem ersten"),
        ({"from_date": "2026-03-31", "to_date": "2999-01-01"}, "Spätestens heute."),
        ({"from_date": "1999-01-01", "to_date": "2026-01-01"}, "Höchstens zehn Jahre"),
    ],
)
def test_a_window_that_cannot_be_is_refused_at_its_field(
    app: Flask, owner: FlaskClient, token: str, window: dict[str, str], text: str
) -> None:
    answer = owner.post(PAGE, data={"csrf_token": token, **window})
    assert answer.status_code == 422
    assert text in answer.text
    with app.app_context():
        assert db.session.scalars(select(Task)).all() == []


@pytest.mark.parametrize("field", WINDOW)
@pytest.mark.parametrize("typed", ["20255-01-01", "31.12.2025", "2026-02-30", "soon"])
def test_a_day_that_cannot_be_read_is_named_at_its_field_and_stays_there(
    owner: FlaskClient, token: str, field: str, typed: str
) -> None:
    answer = owner.post(PAGE, data={"csrf_token": token, **WINDOW, field: typed})
    assert answer.status_code == 422
    assert f'id="{field}-error">Kein gültiges Datum' in answer.text
    assert f'value="{typed}"' in answer.text


def test_browsers_offer_no_year_of_five_digits(owner: FlaskClient) -> None:
    assert owner.get(PAGE).text.count('max="9999-12-31"') == len(WINDOW)


def test_the_rehearsal_begins_and_the_page_follows_it(
    app: Flask, owner: FlaskClient, press: Callable[..., str]
) -> None:
    page = press(PAGE, **WINDOW)
    assert state_of(page) == "look-running"
    assert "Die Probe läuft" in page
    assert "Probe starten" not in page
    poll = poll_of(page)
    assert poll is not None
    assert owner.get(poll).status_code == 204
    with app.app_context():
        task = db.session.scalars(select(Task)).one()
        task.cause_code, task.next_try_at = "upstream_down", utcnow() + timedelta(minutes=2)
        db.session.commit()
    assert "nicht erreichbar" in owner.get(poll).text


def test_sums_list_and_button_say_what_would_happen(owner: FlaskClient, rehearsed: int) -> None:
    page = owner.get(PAGE).text
    assert state_of(page) == "look-ready"
    assert poll_of(page) is None
    said = " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert "6 Rechnungen, 714,00 €: 3 neu, 2 schon da, 1 noch nicht buchbar" in said
    assert "4 Rechnungen übertragen" in said
    assert "1 davon bekommt einen Beleg ohne Kontakt (119,00 €)." in said
    assert "In sevdesk gibt es kein Buchungskonto „Meeting“." in said
    assert "1 hat in sevdesk schon einen Beleg" in said
    assert re.findall(r'data-item="([\w-]+)" data-verdict="(\w+)"', page)[-1] == ("old", "known")
    failed = owner.get(f"{PAGE}?show=failed").text
    assert re.findall(r'data-item="([\w-]+)"', failed) == ["bad"]
    assert owner.get(f"{PAGE}?show=nonsense&after_place=x").status_code == 200


def test_a_long_list_comes_in_pages(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    with app.app_context():
        looked(cast.alpha, "backfill", [invoice_row(f"n-{one}", "synced") for one in range(130)])
    page = owner.get(PAGE).text
    assert len(re.findall("data-item=", page)) == 100
    more = re.search(r'rel="next" href="([^"#]+)', page)
    assert more is not None
    rest = owner.get(more[1].replace("&amp;", "&")).text
    assert re.findall(r'data-item="([\w-]+)"', rest)[0] == "n-100"
    assert 'rel="next"' not in rest


def test_it_runs_is_paused_goes_on_and_ends_with_the_way_to_what_failed(
    app: Flask,
    owner: FlaskClient,
    rehearsed: int,
    press: Callable[..., str],
    change: Callable[..., None],
) -> None:
    page = press(f"{PAGE}/{rehearsed}/start")
    assert state_of(page) == "work-running"
    assert "0 von 5" in page
    assert "Choose" not in page
    assert "Probe starten" not in page
    take_up(app, rehearsed, State.SYNCED, State.WAITING)
    poll = poll_of(page)
    assert poll is not None
    seen = owner.get(poll)
    assert "1 von 5" in seen.text
    assert owner.get(poll_of(seen.text) or "").status_code == 204
    page = press(f"{PAGE}/{rehearsed}/pause")
    assert (state_of(page), poll_of(page) is None) == ("work-paused", False)
    assert "Fortsetzen" in page
    assert "inzwischen" in press(f"{PAGE}/{rehearsed}/pause")
    page = press(f"{PAGE}/{rehearsed}/go-on")
    assert state_of(page) == "work-running"
    with app.app_context():
        task = by_id(Task, rehearsed)
        waiting = db.session.scalars(
            select(InvoiceSync).where(InvoiceSync.state == State.WAITING)
        ).one()
        record.set_state(waiting, State.FAILED)
        tasks.finish_work(task)
        db.session.commit()
    page = owner.get(PAGE).text
    assert state_of(page) == "work-done"
    assert poll_of(page) is None
    link = re.search(r'href="([^"]+)">Zeigen, was nicht übertragen ist', page)
    assert link is not None
    listed = owner.get(link[1].replace("&amp;", "&")).text
    assert re.findall(r'data-invoice-number="([\w-]+)"', listed) == ["new-2"]
    assert "Probe starten" in page
    with app.app_context():
        steps = db.session.scalars(select(HistoryLine.step).order_by(HistoryLine.id)).all()
    assert [one for one in steps if one.startswith("backfill")] == [
        "backfill_started", "backfill_paused", "backfill_resumed", "backfill_done",
    ]  # fmt: skip


def test_cancelled_work_is_followed_until_what_was_begun_is_finished(
    app: Flask, owner: FlaskClient, rehearsed: int, press: Callable[..., str]
) -> None:
    press(f"{PAGE}/{rehearsed}/start")
    take_up(app, rehearsed, State.SENDING)
    page = press(f"{PAGE}/{rehearsed}/cancel")
    assert state_of(page) == "work-cancelled"
    assert poll_of(page) is not None
    assert "Was noch läuft" in page


def test_a_lost_token_pauses_it_by_itself_and_says_so(
    owner: FlaskClient,
    cast: Cast,
    rehearsed: int,
    press: Callable[..., str],
    edit_space: Callable[..., None],
) -> None:
    press(f"{PAGE}/{rehearsed}/start")
    edit_space(cast.alpha, paused_at=NOON, pause_code="token_invalid")
    page = owner.get(PAGE).text
    assert state_of(page) == "work-paused"
    assert "Das wartet, weil der Space angehalten ist." in page
    assert "einen neuen Token ein" in page
    assert "/pause" not in page.partition('id="task"')[2]
    assert poll_of(page) is not None


def test_nothing_to_do_and_an_empty_window_are_said(
    app: Flask, owner: FlaskClient, cast: Cast
) -> None:
    with app.app_context():
        looked(cast.alpha, "backfill", [invoice_row("old", "known")], state="done")
    assert 'data-nothing="known"' in owner.get(PAGE).text
    with app.app_context():
        looked(cast.alpha, "backfill", [], state="done")
    assert 'data-nothing="empty"' in owner.get(PAGE).text


def test_a_look_that_failed_names_the_cause_and_one_dropped_leaves_the_form(
    app: Flask, owner: FlaskClient, press: Callable[..., str]
) -> None:
    press(PAGE, **WINDOW)
    with app.app_context():
        tasks.fail(db.session.scalars(select(Task)).one(), "gave_up")
    assert "Das Lesen ist gescheitert" in owner.get(PAGE).text
    press(PAGE, **WINDOW)
    with app.app_context():
        newest = db.session.scalars(select(Task.id).order_by(Task.id.desc())).first()
    page = press(f"{PAGE}/{newest}/cancel")
    assert "Probe starten" in page
    assert 'id="outcome"' not in page


def test_one_at_a_time(app: Flask, rehearsed: int, press: Callable[..., str]) -> None:
    press(f"{PAGE}/{rehearsed}/start")
    assert "läuft schon eine Übernahme" in press(PAGE, **WINDOW)
    assert "inzwischen" in press(f"{PAGE}/{rehearsed}/start")
    with app.app_context():
        assert len(db.session.scalars(select(Task)).all()) == 1


def test_what_ended_long_ago_is_no_longer_shown(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    with app.app_context():
        task_id = looked(cast.alpha, "backfill", [invoice_row("old", "known")], state="done")
        by_id(Task, task_id).finished_at = utcnow() - timedelta(days=31)
        db.session.commit()
        task_upkeep.tidy_all_spaces()
        assert db.session.scalars(select(TaskItem)).all() == []
    assert 'id="task"' not in owner.get(PAGE).text


def test_a_space_that_is_not_connected_can_do_nothing_here(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    press: Callable[..., str],
    edit_space: Callable[..., None],
) -> None:
    edit_space(cast.alpha, connected_at=None)
    assert "Probe starten" not in owner.get(PAGE).text
    press(PAGE, **WINDOW)
    with app.app_context():
        assert db.session.scalars(select(Task)).all() == []


def test_strangers_get_404_everywhere_and_never_anothers_task(
    app: Flask, cast: Cast, rehearsed: int, sign_in: Callable[..., FlaskClient]
) -> None:
    stranger = sign_in(cast.stranger)
    token = csrf_of(stranger, "/spaces/beta/disconnect")
    for path in (PAGE, f"{PAGE}/changes"):
        assert stranger.get(path).status_code == 404
    for step in ("start", "pause", "go-on", "cancel"):
        for space in ("alpha", "beta"):
            path = f"/spaces/{space}/backfill/{rehearsed}/{step}"
            assert stranger.post(path, data={"csrf_token": token}).status_code == 404
    assert stranger.post(PAGE, data={"csrf_token": token, **WINDOW}).status_code == 404
    for wrong in ("9" * 30, "0", "-1", "x"):
        path = f"/spaces/beta/backfill/{wrong}/pause"
        assert stranger.post(path, data={"csrf_token": token}).status_code == 404
    with app.app_context():
        assert by_id(Task, rehearsed).state == "ready"


def test_the_page_reads_english_too(
    cast: Cast, rehearsed: int, sign_in: Callable[..., FlaskClient]
) -> None:
    page = sign_in(cast.owner, language="en").get(PAGE).text
    said = " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert "3 are new, 2 there already, 1 cannot be booked yet" in said
    assert "Transfer 4 invoices" in said


def test_space_name_is_not_trusted(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    """A name with markup stays text, in the frame and in the rows."""
    with app.app_context():
        db.session.get_one(Space, cast.alpha).name = "<b>x</b>"
        looked(cast.alpha, "backfill", [invoice_row("<i>1</i>", "synced")])
    page = owner.get(PAGE).text
    assert "<b>x</b>" not in page
    assert "<i>1</i>" not in page
