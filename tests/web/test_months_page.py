"""The month's comparison: chosen, run with progress, read, printed, taken along as a file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import db, utcnow
from portal.models import Space, State, Task
from portal.services import month, tasks
from portal.services.month_report import Entry, Figure, MonthReport, Slice, to_plain
from tests.web.conftest import NOON, Cast, csrf_of
from tests.web.test_backfill_page import poll_of, state_of

LIST = "/spaces/alpha/months"
PAGE = f"{LIST}/2026-02"
NOTHING = Figure(0, Decimal(0))


def figure(count: int, gross: str) -> Figure:
    return Figure(count, Decimal(gross))


def a_report(**changes: Any) -> MonthReport:
    """Return the report of a month in order, or with what is given otherwise."""
    fields: dict[str, Any] = {
        "year": 2026,
        "month": 2,
        "cobot": figure(2, "1261.80"),
        "foreign": 0,
        "booked": figure(2, "1261.80"),
        "without_contact": NOTHING,
        "not_booked": NOTHING,
        "skipped": NOTHING,
        "difference": Decimal(0),
        "entries": (),
        "gaps": (),
        "slices": (Slice("4400", "Mieten", "19", 2, Decimal("1060.34"), Decimal("1261.80")),),
        "is_equal": True,
    }
    return MonthReport(**{**fields, **changes})


EDITED = Entry(
    "edited", "R-2", "c-2", "2026-02-03", "273.70", currency="EUR", voucher_id="900",
    details=(
        {"field": "gross", "before": "1261.80", "now": "1273.70"},
        {"field": "date", "before": "2026-02-03", "now": "2026-03-01"},
        {"field": "line_1", "before": "Mieten · 220.00 · 19 %", "now": "Mieten · 1230.00 · 19 %"},
    ),
)  # fmt: skip
SKIPPED = Entry(
    "skipped", "=R-3", "c-3", "2026-02-04", "10.00", currency="EUR",
    cause="dismissed", params={"reason": "=in bar verbucht"},
)  # fmt: skip
LOST = Entry(
    "not_booked", "R-6", "c-6", "2026-02-05", "20.00", currency="EUR", cause="checking", params={}
)
UNKNOWN = Entry("unknown_here", "R-4", "c-4", "2026-02-05", "20.00", currency="CHF")
DIFFERENT = a_report(
    entries=(EDITED, UNKNOWN, SKIPPED), gaps=("R-5",), difference=Decimal("-11.90"),
    foreign=1, is_equal=False,
)  # fmt: skip


@pytest.fixture
def press(owner: FlaskClient, cast: Cast) -> Callable[..., str]:
    token = csrf_of(owner, "/spaces/alpha/disconnect")

    def send(path: str, **form: str) -> str:
        answer = owner.post(path, data={"csrf_token": token, **form}, follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    return send


@pytest.fixture
def compared(app: Flask, cast: Cast) -> Callable[..., int]:
    """Leave a comparison as a worker would have; return the task's id."""

    def keep(report: MonthReport, *, space_id: int = cast.alpha) -> int:
        first, last = month.days_of(report.year, report.month)
        with app.app_context():
            task = Task(
                space_id=space_id, kind="month", actor="admin:u-owner", state="done",
                from_date=first, to_date=last, finished_at=utcnow(),
                result={"report": to_plain(report)},
            )  # fmt: skip
            db.session.add(task)
            db.session.commit()
            return task.id

    return keep


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_list_shows_a_year_of_months_and_what_came_out(
    owner: FlaskClient, compared: Callable[..., int]
) -> None:
    compared(DIFFERENT)
    compared(a_report(year=2024, month=12))
    page = owner.get(LIST).text
    found = re.findall(r'data-month="([\d-]+)" data-result="(\w+)"', page)
    today = utcnow().date()
    assert found[0][0] == f"{today.year}-{today.month:02d}"
    assert found[-1] == ("2024-12", "equal")
    assert len(found) >= 14
    assert [name for name, result in found if result == "none"][:1]
    assert "Monatsabgleich" in page


def test_another_month_is_gone_to_and_one_that_cannot_be_is_said(
    owner: FlaskClient, cast: Cast
) -> None:
    answer = owner.get(f"{LIST}?year=2025&month=3")
    assert (answer.status_code, answer.location) == (303, f"{LIST}/2025-03")
    for query in ("year=2999&month=1", "year=1&month=1", "year=2025&month=13", "year=x"):
        assert "schon begonnen" in owner.get(f"{LIST}?{query}").text


@pytest.mark.parametrize("name", ["2999-01", "1999-12", "2026-13", "2026-1", "x", "0000-01"])
def test_a_month_that_cannot_be_is_not_there(
    owner: FlaskClient, cast: Cast, name: str, press: Callable[..., str]
) -> None:
    for path in ("", "/changes", "/month.csv"):
        assert owner.get(f"{LIST}/{name}{path}").status_code == 404


def test_it_is_begun_followed_and_cancelled(
    app: Flask, owner: FlaskClient, press: Callable[..., str]
) -> None:
    assert 'id="compare"' in owner.get(PAGE).text
    page = press(PAGE)
    assert state_of(page) == "running"
    assert "werden in Cobot gelesen" in page
    poll = poll_of(page)
    assert poll is not None
    assert owner.get(poll).status_code == 204
    with app.app_context():
        task = db.session.scalars(select(Task)).one()
        task.total, task.done = 40, 30
        db.session.commit()
    seen = owner.get(poll).text
    assert '<progress id="bar" value="30" max="40">' in seen
    assert 'id="compare"' not in seen
    press(PAGE)
    with app.app_context():
        assert len(db.session.scalars(select(Task)).all()) == 1
    assert "Februar 2026 abgeglichen" in press(f"{LIST}/2026-01")
    page = press(f"{PAGE}/cancel")
    assert (state_of(page), poll_of(page)) == ("cancelled", None)
    assert "inzwischen" in press(f"{PAGE}/cancel")


def test_waiting_and_failing_are_said_and_the_last_report_stays(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    press: Callable[..., str],
    compared: Callable[..., int],
    edit_space: Callable[..., None],
) -> None:
    compared(a_report())
    page = press(PAGE)
    assert 'data-verdict="equal"' in page
    with app.app_context():
        task = db.session.scalars(select(Task).where(Task.finished_at.is_(None))).one()
        task.cause_code, task.next_try_at = "upstream_down", utcnow() + timedelta(minutes=2)
        db.session.commit()
    assert "nicht erreichbar" in owner.get(PAGE).text
    edit_space(cast.alpha, paused_at=NOON, pause_code="token_invalid")
    assert "weil der Space angehalten ist" in owner.get(PAGE).text
    edit_space(cast.alpha, paused_at=None, pause_code=None)
    with app.app_context():
        tasks.fail(db.session.scalars(select(Task).order_by(Task.id.desc())).first(), "gave_up")  # type: ignore[arg-type]
    page = owner.get(PAGE).text
    assert "Der Abgleich ist gescheitert" in page
    assert 'data-verdict="equal"' in page


def test_a_month_in_order_says_that_both_sides_are_equal(
    owner: FlaskClient, compared: Callable[..., int]
) -> None:
    compared(a_report())
    page = owner.get(PAGE).text
    said = text_of(page)
    assert "Cobot = sevdesk Beide Seiten wurden vollständig gelesen" in said
    assert "In Cobot 2 1.261,80\xa0€".replace("\xa0", " ") in said.replace("\xa0", " ")
    assert "data-group=" not in page
    assert "data-gaps=" not in page
    assert re.findall(r'data-account="(\w+)" data-rate="(\w+)"', page) == [("4400", "19")]


def test_what_differs_is_named_field_by_field_with_its_reason(
    owner: FlaskClient, compared: Callable[..., int]
) -> None:
    compared(DIFFERENT)
    page = owner.get(PAGE).text
    said = text_of(page).replace("\xa0", " ")
    assert 'data-verdict="equal"' not in page
    assert "Cobot ≠ sevdesk: 2 Abweichungen" in said
    assert "In sevdesk stehen 11,90 € mehr als in Cobot." in said
    assert re.findall(r'data-group="(\w+)" data-count="(\d+)"', page) == [
        ("edited", "1"), ("unknown_here", "1"), ("skipped", "1"),
    ]  # fmt: skip
    assert "Betrag: 1.261,80 € → 1.273,70 €" in said
    assert "Datum: 03.02.2026 → 01.03.2026" in said
    assert "Position 1: Mieten · 220,00 € · 19 % → Mieten · 1.230,00 € · 19 %" in said
    assert "in bar verbucht" in said
    assert "1 Rechnungsnummer fehlt: R-5" in said
    assert "20,00 CHF" in said
    assert "/spaces/alpha/invoices/c-2" in page
    assert "/spaces/alpha/invoices/c-4" not in page


def test_no_time_of_a_next_try_is_named(owner: FlaskClient, compared: Callable[..., int]) -> None:
    compared(a_report(entries=(LOST,), is_equal=False))
    page = owner.get(PAGE).text
    assert "sevdesk hat nicht geantwortet" in page
    assert "Um ?" not in page


def test_only_what_was_skipped_is_said_as_that(
    owner: FlaskClient, compared: Callable[..., int]
) -> None:
    left = {"skipped": figure(1, "10.00"), "difference": Decimal("10.00"), "is_equal": False}
    compared(a_report(entries=(SKIPPED,), **left))
    page = owner.get(PAGE).text
    assert 'data-verdict="skipped"' in page
    assert "data-result" not in page
    assert "Bewusst übersprungen" in owner.get(LIST).text


def test_what_has_changed_since_is_said(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    compared: Callable[..., int],
    add_invoice: Callable[..., int],
) -> None:
    compared(a_report())
    assert "data-changed" not in owner.get(PAGE).text
    add_invoice(
        cast.alpha, State.SYNCED, invoice_date=date(2026, 2, 28),
        finished_at=utcnow() + timedelta(seconds=1),
    )  # fmt: skip
    assert 'data-changed="1"' in owner.get(PAGE).text


def test_the_file_opens_in_a_german_excel_and_does_nothing_there(
    owner: FlaskClient, compared: Callable[..., int]
) -> None:
    compared(DIFFERENT)
    answer = owner.get(f"{PAGE}/month.csv")
    assert answer.mimetype == "text/csv"
    assert 'filename="alpha-2026-02.csv"' in answer.headers["Content-Disposition"]
    assert answer.text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    assert {len(row) for row in rows} == {15}
    assert rows[0][:4] == ["Was", "Rechnung", "Datum", "Anzahl"]
    by_what = {row[0]: row for row in reversed(rows)}
    assert by_what["Summe: In Cobot"][3:7] == ["2", "", "1261,80", "EUR"]
    assert by_what["Summe: Differenz"][5] == "-11,90"
    assert by_what["Cobot = sevdesk"][3] == "nein"
    account = by_what["Nach Buchungskonto"]
    assert (account[4], account[5], account[11]) == ("1060,34", "1261,80", "4400 Mieten")
    assert by_what["Bewusst übersprungen"][1] == "'=R-3"
    assert sum(row[1] == "R-2" for row in rows) == 3
    assert by_what["Nummer fehlt"][1] == "R-5"


def test_no_file_before_a_comparison(owner: FlaskClient, cast: Cast) -> None:
    assert owner.get(f"{PAGE}/month.csv").status_code == 404


def test_a_long_list_is_cut_on_the_page_and_not_in_the_file(
    owner: FlaskClient, compared: Callable[..., int]
) -> None:
    many = tuple(
        Entry("not_booked", f"R-{one}", f"c-{one}", "2026-02-01", "1.00") for one in range(230)
    )
    compared(a_report(entries=many, is_equal=False))
    page = owner.get(PAGE).text
    assert len(re.findall("data-entry=", page)) == 200
    assert "30 weitere stehen in der CSV-Datei" in page
    assert owner.get(f"{PAGE}/month.csv").text.count("Nicht gebucht;R-") == 230


def test_a_space_that_is_let_go_reads_its_reports_and_makes_no_new_ones(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    press: Callable[..., str],
    compared: Callable[..., int],
    edit_space: Callable[..., None],
) -> None:
    compared(a_report())
    edit_space(cast.alpha, connected_at=None)
    page = press(PAGE)
    assert 'data-verdict="equal"' in page
    assert 'id="compare"' not in page
    with app.app_context():
        assert len(db.session.scalars(select(Task)).all()) == 1


def test_strangers_see_and_start_nothing_and_spaces_have_months_of_their_own(
    owner: FlaskClient,
    cast: Cast,
    compared: Callable[..., int],
    sign_in: Callable[..., FlaskClient],
) -> None:
    compared(DIFFERENT)
    stranger = sign_in(cast.stranger)
    token = csrf_of(stranger, "/spaces/beta/disconnect")
    for path in ("", "/2026-02", "/2026-02/changes", "/2026-02/month.csv"):
        assert stranger.get(LIST + path).status_code == 404
    for path in ("/2026-02", "/2026-02/cancel"):
        assert stranger.post(LIST + path, data={"csrf_token": token}).status_code == 404
    own = stranger.get("/spaces/beta/months/2026-02").text
    assert "data-verdict" not in own
    assert stranger.get("/spaces/beta/months/2026-02/month.csv").status_code == 404


def test_the_page_reads_english_too(
    cast: Cast, compared: Callable[..., int], sign_in: Callable[..., FlaskClient]
) -> None:
    compared(DIFFERENT)
    said = text_of(sign_in(cast.owner, language="en").get(PAGE).text)
    assert "Comparison of February 2026" in said
    assert "Amount: €1,261.80 → €1,273.70" in said
    assert "2 differences" in said


def test_what_others_wrote_stays_text(
    app: Flask, owner: FlaskClient, cast: Cast, compared: Callable[..., int]
) -> None:
    with app.app_context():
        db.session.get_one(Space, cast.alpha).name = "<b>x</b>"
        db.session.commit()
    bad = Entry(
        "edited", "<i>1</i>", "c-1", "2026-02-01", "1.00",
        details=({"field": "line_1", "before": "<u>a</u>", "now": None},),
    )  # fmt: skip
    compared(a_report(entries=(bad,), gaps=("<s>2</s>",), is_equal=False))
    page = owner.get(PAGE).text
    for tag in ("<b>x", "<i>1", "<u>a", "<s>2"):
        assert tag not in page
