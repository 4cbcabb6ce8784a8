"""The page of one invoice: what happened, what to do, trying again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.call_hooks import Call, Exchanged
from portal.database import db, utcnow
from portal.models import HistoryLine, InvoiceSync, LineCalls, State
from portal.services import calls, record
from tests.conftest import by_id
from tests.web.conftest import Cast, csrf_of

PAGE = "/spaces/alpha/invoices/i-1"


def test_head_of_the_page_names_number_state_and_cause(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(
        cast.alpha,
        State.FAILED,
        cobot_invoice_id="i-1",
        number="2531-1",
        cause_code="account_missing",
        cause_params={"code": "Kaffee"},
    )
    page = owner.get(PAGE).text
    assert 'data-invoice-number="2531-1" data-state="failed" data-cause="account_missing"' in page
    assert "In sevdesk gibt es kein Buchungskonto „Kaffee“." in page
    assert "Einstellungen › Buchhaltung › Buchungskonten" in page
    assert "In sevdesk wurde nichts gebucht." in page


def test_whole_history_is_there_newest_first(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    row_id = add_invoice(cast.alpha, cobot_invoice_id="i-1")
    with app.app_context():
        row = by_id(InvoiceSync, row_id)
        record.note(
            cast.alpha,
            "sending",
            "done",
            invoice=row,
            tax_rule="1",
            tax_reason="taxed_lines",
            accounts=[{"code": "Desk", "number": "8400", "name": "Erlöse", "how": "name"}],
            gross="261.80",
        )
        record.note(cast.alpha, "retry", "done", invoice=row, actor="admin:u-second")
        record.note(cast.alpha, "never heard of", "done", invoice=row, some_fact={"a": [1, True]})
        db.session.commit()
    page = owner.get(PAGE).text
    assert page.index("Neuer Versuch angefordert") < page.index("Senden an sevdesk begonnen")
    assert page.index("Senden an sevdesk begonnen") < page.index("Rechnung aus Cobot gelesen")
    assert "second@example.org" in page
    assert "Die Rechnung hat Positionen mit Umsatzsteuer" in page
    assert "8400" in page
    assert "261,80\xa0€" in page
    assert "Automatik" in page


def test_history_of_another_space_is_not_mixed_in(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, cobot_invoice_id="i-1")
    add_invoice(cast.beta, cobot_invoice_id="i-2", number="secret-2")
    assert owner.get("/spaces/alpha/invoices/i-2").status_code == 404
    assert "secret-2" not in owner.get(PAGE).text


def test_retry_makes_a_failed_invoice_wait_and_names_the_person(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    row_id = add_invoice(
        cast.alpha, State.FAILED, cobot_invoice_id="i-1", cause_code="account_missing"
    )
    token = csrf_of(owner, PAGE)
    answer = owner.post(f"{PAGE}/retry", data={"csrf_token": token})
    assert answer.status_code == 303
    assert answer.location == PAGE
    assert "Der neue Versuch läuft." in owner.get(PAGE).text
    with app.app_context():
        row = by_id(InvoiceSync, row_id)
        assert row.state == State.WAITING
        actors = [line.actor for line in db.session.query(HistoryLine).filter_by(step="retry")]
        assert actors == ["admin:u-owner"]


def test_retry_by_htmx_gives_the_new_state_in_place(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, State.FAILED, cobot_invoice_id="i-1", cause_code="account_missing")
    token = csrf_of(owner, PAGE)
    answer = owner.post(f"{PAGE}/retry", headers={"HX-Request": "true", "X-CSRFToken": token})
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<article id="invoice"')
    assert 'data-state="waiting"' in answer.text
    assert "Der neue Versuch läuft." in answer.text


def test_synced_invoice_offers_no_retry_and_a_planted_one_does_nothing(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, cobot_invoice_id="i-1", sevdesk_voucher_id="77")
    assert "/retry" not in owner.get(PAGE).text
    answer = owner.post(
        f"{PAGE}/retry", data={"csrf_token": csrf_of(owner, PAGE)}, follow_redirects=True
    )
    assert 'data-state="synced"' in answer.text
    assert "Hier gibt es nichts erneut zu versuchen." in answer.text


def test_retry_of_an_invoice_that_is_not_there_is_404(owner: FlaskClient) -> None:
    token = csrf_of(owner, "/spaces/alpha/disconnect")
    answer = owner.post("/spaces/alpha/invoices/none/retry", data={"csrf_token": token})
    assert answer.status_code == 404


def test_page_polls_while_it_runs_and_then_no_more(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    change: Callable[..., None],
) -> None:
    row_id = add_invoice(cast.alpha, State.SENDING, cobot_invoice_id="i-1")
    page = owner.get(PAGE).text
    address = page.partition('hx-get="')[2].partition('"')[0]
    assert owner.get(address).status_code == 204
    change(row_id, State.SYNCED)
    answer = owner.get(address)
    assert answer.status_code == 200
    assert 'data-state="synced"' in answer.text
    assert "hx-trigger" not in answer.text


def test_choice_that_is_needed_is_linked_to(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for index, code in enumerate(("tax_rule_needed", "correction_choice_needed"), 1):
        add_invoice(cast.alpha, State.FAILED, cobot_invoice_id=f"i-{index}", cause_code=code)
        page = owner.get(f"/spaces/alpha/invoices/i-{index}").text
        assert 'href="/spaces/alpha/sevdesk#choices"' in page


def test_change_in_cobot_after_booking_is_a_warning(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(
        cast.alpha,
        cobot_invoice_id="i-1",
        changed_in_cobot="updated_invoice",
        sevdesk_voucher_id="77001",
    )
    page = owner.get(PAGE).text
    assert 'data-state="synced"' in page
    assert "Änderungen werden nicht übertragen" in page
    assert "Danach in Cobot geändert" in owner.get("/spaces/alpha/log").text


def test_deletion_in_cobot_after_booking_is_not_called_a_change(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    row = add_invoice(
        cast.alpha,
        cobot_invoice_id="i-1",
        changed_in_cobot="deleted_invoice",
        sevdesk_voucher_id="77001",
    )
    with app.app_context():
        invoice = by_id(InvoiceSync, row)
        record.note(
            cast.alpha, "changed_in_cobot", "noticed", invoice=invoice, event="deleted_invoice"
        )
        db.session.commit()
    page, log = owner.get(PAGE).text, owner.get("/spaces/alpha/log").text
    assert "wurde in Cobot gelöscht, nachdem sie gebucht war" in page
    assert "storniere ihn dort" in page
    assert "<strong>In Cobot gelöscht</strong>" in page
    assert "Danach in Cobot gelöscht" in log
    assert "geändert" not in page + log


def test_deletion_in_cobot_before_booking_asks_nobody_to_look_at_a_receipt(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for number, state in (("i-1", State.WAITING), ("i-2", State.SKIPPED)):
        add_invoice(
            cast.alpha,
            state,
            cobot_invoice_id=number,
            changed_in_cobot="deleted_invoice",
            cause_code="invoice_deleted" if state == State.SKIPPED else None,
        )
        page = owner.get(f"/spaces/alpha/invoices/{number}").text
        assert "nachdem sie gebucht war" not in page
    assert 'class="mark"' not in owner.get("/spaces/alpha/log").text


def test_change_in_cobot_is_marked_though_the_receipt_is_gone_by_now(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(
        cast.alpha,
        State.FAILED,
        cobot_invoice_id="i-1",
        changed_in_cobot="updated_invoice",
        cause_code="receipt_deleted",
        cause_params={"id": "77001"},
    )
    assert "Danach in Cobot geändert" in owner.get("/spaces/alpha/log").text
    assert "nachdem sie gebucht war" not in owner.get(PAGE).text


def test_next_attempt_is_named_in_the_portals_zone(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    at = utcnow() + timedelta(hours=3)
    add_invoice(cast.alpha, State.WAITING, cobot_invoice_id="i-1", attempts=2, next_try_at=at)
    page = owner.get(PAGE).text
    assert "Nächster Versuch" in page
    assert at.isoformat(timespec="seconds") in page


@pytest.mark.parametrize(
    ("state", "code"), [(State.WAITING, "upstream_down"), (State.UNKNOWN, "checking")]
)
def test_next_attempt_is_said_in_short_and_to_the_second_and_no_third_time(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int], state: State, code: str
) -> None:
    """By the badge, or by the cause where the badge has no time; and among the facts."""
    at = utcnow() + timedelta(hours=3)
    tried = {"cobot_invoice_id": "i-1", "attempts": 2, "next_try_at": at, "cause_code": code}
    add_invoice(cast.alpha, state, **tried)
    page = owner.get(PAGE).text
    article = page[page.index('class="invoice-head"') : page.index('id="lines"')]
    shown = re.sub(r"<[^>]*>", " ", article)
    assert len(re.findall(r"\b\d\d:\d\d", shown)) == 2, shown
    assert re.search(r"\b\d\d:\d\d:\d\d\b", shown)


def test_page_speaks_english(
    cast: Cast, sign_in: Callable[..., FlaskClient], add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, State.MISMATCHED, cobot_invoice_id="i-1")
    page = sign_in(cast.owner, language="en").get(PAGE).text
    assert "Synced without contact" in page
    assert "Invoice read from Cobot" in page


def test_taken_number_is_booked_anyway_only_by_a_persons_choice(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    row_id = add_invoice(
        cast.alpha,
        State.FAILED,
        cobot_invoice_id="i-1",
        cause_code="number_taken",
        cause_params={"id": "77", "number": "2531-1"},
    )
    add_invoice(cast.alpha, State.FAILED, cobot_invoice_id="i-2", cause_code="code_empty")
    assert "Beleg trotzdem anlegen" not in owner.get("/spaces/alpha/invoices/i-2").text
    page = owner.get(PAGE).text
    assert "In sevdesk gibt es schon Beleg 77" in page
    assert "Beleg trotzdem anlegen" in page
    token = csrf_of(owner, PAGE)
    answer = owner.post(
        f"{PAGE}/create-anyway", data={"csrf_token": token, "beside": "76"}, follow_redirects=True
    )
    assert "In sevdesk gibt es schon Beleg 77" in answer.text, "that was another question"
    answer = owner.post(
        f"{PAGE}/create-anyway", data={"csrf_token": token, "beside": "77"}, follow_redirects=True
    )
    assert 'data-state="waiting"' in answer.text
    assert "Entschieden, den Beleg trotzdem anzulegen" in answer.text
    with app.app_context():
        assert by_id(InvoiceSync, row_id).beside_voucher_ids == ["77"]


def test_calls_behind_a_line_are_shown_escaped_and_go_with_time(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    row_id = add_invoice(cast.alpha, cobot_invoice_id="i-1")
    call = Call("sevdesk", "POST /Voucher/Factory/saveVoucher", "POST")
    with app.app_context():
        row = by_id(InvoiceSync, row_id)
        with calls.collecting():
            body = {"error": {"message": "<b>no</b>"}}
            calls.collect(Exchanged(call, 422, 0.42, "req-7", {"status": "100"}, body))
            record.note(cast.alpha, "saved", "failed", invoice=row)
        db.session.commit()
    page = owner.get(PAGE).text
    shown = page.partition('data-endpoint="POST /Voucher/Factory/saveVoucher"')[2]
    shown = shown.partition("</details>")[0]
    for text in ("422", "0,4 s", "req-7", "&lt;b&gt;no&lt;/b&gt;"):
        assert text in shown, text
    assert "request_id=req-7" in page.partition('id="excerpt"')[2], "in the text for support too"
    with app.app_context():
        db.session.query(LineCalls).one().at = utcnow() - timedelta(days=31)
        db.session.commit()
        assert calls.forget_old_calls_of_all_spaces() == 1
    assert "saveVoucher" not in owner.get(PAGE).text


def test_an_invoice_whose_calls_are_gone_says_so_and_keeps_its_history(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, cobot_invoice_id="i-1")
    assert 'id="calls-gone"' not in owner.get(PAGE).text
    long_ago = utcnow() - timedelta(days=31)
    with app.app_context():
        row = record.add_invoice(cast.alpha, "i-old", announced_at=long_ago)
        record.note(cast.alpha, "fetched", "done", invoice=row, at=long_ago, number="2531-9")
        db.session.commit()
    page = owner.get(PAGE.replace("i-1", "i-old")).text
    assert "wurden nach 30 Tagen gelöscht" in page
    assert "2531-9" in page


def test_parts_of_the_page_stand_in_the_order_in_which_one_asks(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    """What is it, why, what do I do, how much, on which accounts, where else, how did it come."""
    add_invoice(
        cast.alpha,
        State.FAILED,
        cobot_invoice_id="i-1",
        cause_code="account_missing",
        cause_params={"code": "x"},
    )
    page = owner.get(PAGE).text
    parts = ('id="state"', 'id="cause"', 'class="facts', 'id="lines-title"', "/pdf", 'id="history"')
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert page.count('class="button primary"') == 1
