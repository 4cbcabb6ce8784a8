"""The live log: rows, filters, paging, polling, the file for spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from portal.database import db, utcnow
from portal.models import Space, State
from portal.services import catchup
from portal.views.tables import safe_cell
from tests.web.conftest import NOON, Cast, csrf_of

LOG = "/spaces/alpha/log"


def numbers(page: str) -> list[str]:
    return re.findall(r'<tr [^>]*data-invoice-number="([^"]*)"', page)


def poll_of(page: str) -> str:
    """Return the address that the page polls, with what htmx includes."""
    address = re.search(r'<div id="live"[^>]*hx-get="([^"]+)"', page, re.DOTALL)
    assert address
    rows = re.findall(r'name="row" value="(\d+)"', page)
    return address[1].replace("&amp;", "&") + "".join(f"&row={row}" for row in rows)


def test_row_shows_number_member_amount_and_state_in_german(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, number="2531-Ljnk-278", member="XYZ Design", sevdesk_voucher_id="77")
    page = owner.get(LOG).text
    assert 'data-invoice-number="2531-Ljnk-278" data-state="synced" data-cause=""' in page
    assert "XYZ Design" in page
    assert "261,80\xa0€" in page
    assert "28.02.2025" in page
    assert "Übertragen" in page
    assert "77" in page


def test_same_row_in_english(
    cast: Cast, sign_in: Callable[..., FlaskClient], add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, State.FAILED, cause_code="account_missing", cause_params={"code": "x"})
    page = sign_in(cast.owner, language="en").get(LOG).text
    assert "€261.80" in page
    assert "28 Feb 2025" in page
    assert "Not synced" in page
    assert "sevdesk has no booking account “x”." in page


def test_names_from_outside_are_shown_as_text(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, member="<script>alert(1)</script>", number='"><b>')
    page = owner.get(LOG).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in page


def test_log_shows_no_other_spaces_invoice(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.beta, number="secret-1")
    assert "secret-1" not in owner.get(LOG).text
    assert "secret-1" not in owner.get(f"{LOG}?q=secret").text
    assert "secret-1" not in owner.get("/spaces/alpha/log.csv").text


def test_tabs_count_and_filter(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for state in State:
        add_invoice(cast.alpha, state, number=f"n-{state}")
    assert numbers(owner.get(f"{LOG}?state=failed").text) == ["n-failed"]
    assert numbers(owner.get(f"{LOG}?state=mismatched").text) == ["n-mismatched"]
    running = owner.get(f"{LOG}?state=working").text
    assert numbers(running) == ["n-unknown", "n-sending", "n-waiting"]
    counts = dict(re.findall(r'data-tab="(\w+)">.*?class="count">(\d+)<', running, re.DOTALL))
    assert counts == {
        "all": "7",
        "failed": "1",
        "mismatched": "1",
        "synced": "1",
        "working": "3",
        "skipped": "1",
    }


def test_search_finds_numbers_by_their_beginning_only(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for number in ("2531-1", "2531-12", "12531-1", "25%1", "25_1", "25\\1"):
        add_invoice(cast.alpha, number=number)
    assert numbers(owner.get(f"{LOG}?q=2531-1").text) == ["2531-12", "2531-1"]
    assert numbers(owner.get(f"{LOG}?q=25%25").text) == ["25%1"]
    assert numbers(owner.get(f"{LOG}?q=25_").text) == ["25_1"]
    assert numbers(owner.get(f"{LOG}?q=25%5C").text) == ["25\\1"]
    assert numbers(owner.get(f"{LOG}?q=nothing").text) == []


def test_dates_bound_the_invoice_date_both_included(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for day in (1, 2, 3):
        add_invoice(cast.alpha, number=f"d-{day}", invoice_date=date(2025, 3, day))
    assert numbers(owner.get(f"{LOG}?from=2025-03-02&to=2025-03-02").text) == ["d-2"]


def test_cursor_that_is_none_is_ignored(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, number="n-1")
    for query in (
        "after=abc",
        "after=99999999999999999999999999",
        "after=-1",
        "after=%C2%B2",
    ):
        answer = owner.get(f"{LOG}?{query}")
        assert answer.status_code == 200
        assert numbers(answer.text) == ["n-1"]
    assert owner.get(f"{LOG}/changes?after=x&since=y&row=z&row=99999999999999999999").status_code


def test_cause_filter_offers_what_is_open(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, State.FAILED, number="n-1", cause_code="code_empty")
    add_invoice(cast.alpha, number="n-2")
    page = owner.get(f"{LOG}?cause=code_empty").text
    assert numbers(page) == ["n-1"]
    assert '<option value="code_empty" selected>' in page


def test_paging_goes_on_where_the_page_ended_though_new_ones_came(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for index in range(60):
        add_invoice(cast.alpha, number=f"p-{index:02}")
    first = owner.get(LOG).text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    add_invoice(cast.alpha, number="p-60")
    second = owner.get(older[1].replace("&amp;", "&")).text
    assert numbers(first) == [f"p-{index:02}" for index in range(59, 9, -1)]
    assert numbers(second) == [f"p-{index:02}" for index in range(9, -1, -1)]
    assert 'rel="next"' not in second


def test_page_of_fifty_costs_as_many_statements_as_a_page_of_one(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    def statements(path: str) -> int:
        seen: list[str] = []
        with app.app_context():
            engine = db.engine

        def note(*arguments: Any) -> None:
            seen.append(arguments[2])

        event.listen(engine, "before_cursor_execute", note)
        try:
            assert owner.get(path).status_code in {200, 204}
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len([statement for statement in seen if statement.startswith("SELECT")])

    add_invoice(cast.alpha, State.FAILED, cause_code="code_empty", member="A")
    owner.get(LOG)
    with_one = statements(LOG)
    for _ in range(60):
        add_invoice(cast.alpha, State.FAILED, cause_code="code_empty", member="B")
    assert statements(LOG) <= 8, "the causes are counted anew once after a change"
    assert statements(LOG) == with_one <= 7
    assert statements(poll_of(owner.get(LOG).text)) <= 2


def test_poll_answers_204_while_nothing_is_new(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha)
    answer = owner.get(poll_of(owner.get(LOG).text))
    assert answer.status_code == 204
    assert answer.data == b""


def test_poll_of_another_spaces_change_answers_204(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    address = poll_of(owner.get(LOG).text)
    add_invoice(cast.beta)
    assert owner.get(address).status_code == 204


def test_poll_changes_shown_rows_in_place_and_announces_new_ones(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    change: Callable[..., None],
) -> None:
    first = add_invoice(cast.alpha, State.WAITING, number="n-1")
    add_invoice(cast.alpha, number="n-2")
    address = poll_of(owner.get(LOG).text)
    change(first, State.SYNCED)
    for index in range(3):
        add_invoice(cast.alpha, State.FAILED if index else State.SYNCED, number=f"new-{index}")
    answer = owner.get(address)
    assert answer.status_code == 200
    assert numbers(answer.text) == ["n-1"]
    assert f'<tr id="inv-{first}"' in answer.text
    assert "<template>" in answer.text, "a bare row is dropped by the browser's parser"
    assert "3 neue Rechnungen anzeigen" in answer.text
    assert 'data-news="3 neue, 2 nicht übertragen"' in answer.text
    following = poll_of(answer.text)
    assert owner.get(following).status_code == 204


def test_pill_still_counts_all_new_ones_at_the_next_change(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha)
    page = owner.get(LOG).text
    rows = "".join(f"&row={row}" for row in re.findall(r'name="row" value="(\d+)"', page))
    add_invoice(cast.alpha)
    answer = owner.get(poll_of(page)).text
    assert "1 neue Rechnung anzeigen" in answer
    add_invoice(cast.alpha)
    assert "2 neue Rechnungen anzeigen" in owner.get(poll_of(answer) + rows).text


def test_filtered_page_announces_what_came_to_fit_the_filter(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    change: Callable[..., None],
) -> None:
    waiting = add_invoice(cast.alpha, State.WAITING, number="n-1")
    address = poll_of(owner.get(f"{LOG}?state=failed").text)
    change(waiting, State.FAILED, cause_code="code_empty")
    answer = owner.get(address).text
    assert "1 neue Rechnung anzeigen" in answer
    assert numbers(answer) == [], "what is not on the page cannot be changed there"


def test_row_that_left_the_filter_is_shown_in_its_new_state(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    change: Callable[..., None],
) -> None:
    failed = add_invoice(cast.alpha, State.FAILED, number="n-1", cause_code="code_empty")
    address = poll_of(owner.get(f"{LOG}?state=failed").text)
    change(failed, State.SYNCED, cause_code=None)
    answer = owner.get(address).text
    assert 'data-invoice-number="n-1" data-state="synced"' in answer


def test_older_pages_announce_nothing_new(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for _ in range(52):
        add_invoice(cast.alpha)
    older = re.search(r'rel="next" href="([^"]+)"', owner.get(LOG).text)
    assert older
    address = poll_of(owner.get(older[1].replace("&amp;", "&")).text)
    add_invoice(cast.alpha)
    assert "neue Rechnung" not in owner.get(address).text


def test_htmx_gets_the_list_without_the_page_around(owner: FlaskClient) -> None:
    fragment = owner.get(LOG, headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith('<section id="log">')
    assert "<html" not in fragment


def test_going_back_in_the_history_gets_the_whole_page(owner: FlaskClient) -> None:
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in owner.get(LOG, headers=headers).text


def test_empty_log_says_what_to_expect(owner: FlaskClient) -> None:
    assert "Die erste erscheint wenige Sekunden" in owner.get(LOG).text
    assert "Keine Rechnung passt zu diesem Filter." in owner.get(f"{LOG}?q=9").text


def test_empty_log_looks_in_cobot_for_what_no_message_told(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    edit_space: Callable[..., None],
    add_invoice: Callable[..., int],
) -> None:
    edit_space(cast.alpha, caught_up_on=NOON.date(), start_date=NOON.date())
    page = owner.get(LOG).text
    assert 'action="/spaces/alpha/log/look"' in page
    data = {"csrf_token": csrf_of(owner, LOG)}
    said = owner.post(f"{LOG}/look", data=data, follow_redirects=True).text
    assert "Wir sehen in Cobot nach" in said
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        assert db.session.scalars(select(Space.id).where(catchup.is_due(utcnow()))).all()
        assert space.caught_up_on is None, "upkeep asks too, should the queue be away"
    add_invoice(cast.alpha)
    assert "log/look" not in owner.get(LOG).text


def test_a_paused_space_does_not_look_in_cobot(
    app: Flask, owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    day = NOON.date()
    edit_space(cast.alpha, caught_up_on=day, paused_at=NOON, pause_code="paused_by_hand")
    assert "log/look" not in owner.get(LOG).text
    owner.post(f"{LOG}/look", data={"csrf_token": csrf_of(owner, "/spaces/alpha/disconnect")})
    with app.app_context():
        assert db.session.get_one(Space, cast.alpha).caught_up_on == day


def test_log_of_a_space_that_is_not_connected_promises_nothing(
    owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, connected_at=None)
    page = owner.get(LOG).text
    assert "Sobald der Space verbunden ist" in page
    assert "wenige Sekunden" not in page
    assert 'role="search"' not in page


def test_retry_says_when_once(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(
        cast.alpha, State.WAITING, attempts=1, next_try_at=utcnow(), cause_code="upstream_down"
    )
    page = owner.get(LOG).text
    [row] = re.findall(r'<tr id="inv-.*?</tr>', page, re.DOTALL)
    assert re.search(r"Neuer Versuch um \d\d:\d\d", row)
    assert "sevdesk ist nicht erreichbar." in row
    assert "Nächster Versuch" not in row
    file = owner.get("/spaces/alpha/log.csv").text
    assert len(re.findall(r"\b\d\d:\d\d\b", file)) == 1


def test_file_opens_in_a_spreadsheet_and_holds_the_filtered_list(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, number="n-1", member="Öl & Söhne; GmbH", customer_number="1001")
    add_invoice(cast.alpha, State.FAILED, number="n-2", gross=Decimal("-1234.50"))
    answer = owner.get("/spaces/alpha/log.csv?q=n-")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.data.startswith(b"\xef\xbb\xbf")
    lines = answer.data.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("Rechnung;Datum;Mitglied;Kundennummer;Betrag;Währung;Status")
    assert lines[1].startswith("n-2;28.02.2025;;;-1234,50;EUR;Nicht übertragen")
    assert '"Öl & Söhne; GmbH";1001;261,80' in lines[2]
    assert len(lines) == 3
    assert len(owner.get("/spaces/alpha/log.csv?state=failed").text.splitlines()) == 2


def test_file_of_many_invoices_misses_none(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from portal.services import log

    monkeypatch.setattr(log, "CSV_CHUNK", 4)
    for index in range(13):
        add_invoice(cast.alpha, number=f"c-{index}")
    lines = owner.get("/spaces/alpha/log.csv").text.splitlines()[1:]
    assert [line.split(";")[0] for line in lines] == [f"c-{index}" for index in range(12, -1, -1)]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-cmd", "'-cmd"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("-12,50", "-12,50"),
        ("2531-1", "2531-1"),
        ("", ""),
    ],
)
def test_no_cell_is_run_as_a_formula(text: str, cell: str) -> None:
    assert safe_cell(text) == cell
