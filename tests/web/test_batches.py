"""Trying many again: the preview says what it would do, the work can be followed and stopped."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import db
from portal.models import Batch, InvoiceSync, Space, State
from portal.services import batches, vault
from tests.conftest import by_id
from tests.web.conftest import TOKEN, Cast, csrf_of

LOG = "/spaces/alpha/log"
BATCHES = "/spaces/alpha/batches"
GUIDANCE = "http://127.0.0.1:9/sevdesk/api/v1/ReceiptGuidance/forRevenue"
NAME_OF_TOKEN = "csrf_token"


@pytest.fixture
def token(owner: FlaskClient, cast: Cast) -> str:
    return csrf_of(owner, "/spaces/alpha/disconnect")


@pytest.fixture
def choose(owner: FlaskClient, token: str) -> Callable[..., str]:
    """Send a choice of invoices; return the address of the preview."""

    def send(**form: Any) -> str:
        answer = owner.post(BATCHES, data={NAME_OF_TOKEN: token, **form})
        assert answer.status_code == 303
        return answer.location

    return send


def effects(page: str) -> dict[str, int]:
    return {
        name: int(count)
        for name, count in re.findall(r'data-effect="(\w+)" data-count="(\d+)"', page)
    }


def test_preview_counts_what_would_happen(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
) -> None:
    for _ in range(3):
        add_invoice(cast.alpha, State.FAILED, cause_code="code_empty")
    add_invoice(cast.alpha, State.SYNCED)
    add_invoice(cast.alpha, State.MISMATCHED)
    add_invoice(cast.alpha, State.FAILED, cause_code="tax_rule_needed")
    add_invoice(cast.alpha, State.FAILED, cause_code="correction_choice_needed")
    add_invoice(cast.alpha, State.SENDING)
    add_invoice(cast.alpha, State.SKIPPED, cause_code="dismissed")
    add_invoice(cast.beta, State.FAILED)
    page = owner.get(choose(all="1")).text
    assert effects(page) == {
        "to_try": 3,
        "booked": 2,
        "needs_choice": 2,
        "running": 1,
        "others": 1,
    }
    assert "9 ausgewählt:" in page
    assert "3 werden versucht" in page
    assert "2 sind schon übertragen" in page
    assert "3 Rechnungen erneut versuchen" in page


@responses.activate
def test_preview_asks_sevdesk_which_booking_accounts_are_still_missing(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
) -> None:
    account = {
        "accountDatevId": 1,
        "accountNumber": "8400",
        "accountName": "Coffee",
        "allowedTaxRules": [],
        "allowedReceiptTypes": ["REVENUE"],
    }
    responses.get(GUIDANCE, json={"objects": [account]})
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        vault.put(space, "sevdesk_token", TOKEN)
        vault.put(space, "cobot_token", "cobot-token")
        db.session.commit()
    for code in ("coffee", "Meeting", "Meeting"):
        add_invoice(
            cast.alpha,
            State.FAILED,
            cause_code="account_missing",
            cause_params={"code": code},
            lines=[{"code": code, "net": "1", "gross": "1", "rate": "0"}],
        )
    page = owner.get(choose(all="1")).text
    assert effects(page) == {"to_try": 1, "needs_account": 2}
    assert "2 brauchen noch ein Buchungskonto" in page


def test_ticked_rows_alone_are_taken_and_only_ones_own(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
) -> None:
    first = add_invoice(cast.alpha, State.FAILED, cause_code="code_empty")
    add_invoice(cast.alpha, State.FAILED, cause_code="code_empty")
    foreign = add_invoice(cast.beta, State.FAILED, cause_code="code_empty")
    page = owner.get(choose(pick=[str(first), str(foreign), "x", "9" * 30])).text
    assert effects(page) == {"to_try": 1}


def test_all_hits_are_those_of_the_filter(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
) -> None:
    add_invoice(cast.alpha, State.FAILED, cause_code="code_empty")
    add_invoice(cast.alpha, State.FAILED, cause_code="gave_up")
    page = owner.get(choose(all="1", state="failed", cause="gave_up")).text
    assert effects(page) == {"to_try": 1}


def test_nothing_ticked_is_said_in_the_log(owner: FlaskClient, choose: Callable[..., str]) -> None:
    assert choose(state="failed") == f"{LOG}?state=failed"
    assert "Nichts ausgewählt." in owner.get(LOG).text


def test_batch_runs_to_its_summary_and_survives_the_closed_page(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    token: str,
    add_invoice: Callable[..., int],
    change: Callable[..., None],
    choose: Callable[..., str],
) -> None:
    rows = [add_invoice(cast.alpha, State.FAILED, cause_code="code_empty") for _ in range(7)]
    address = choose(all="1")
    assert owner.post(f"{address}/start", data={NAME_OF_TOKEN: token}).location == address
    page = owner.get(address).text
    assert 'data-batch-state="running"' in page
    assert "0 von 7" in page
    assert "7 Rechnungen werden erneut versucht." in owner.get(LOG).text
    poll = re.search(r'hx-get="([^"]+)"', page)
    assert poll
    assert owner.get(poll[1]).status_code == 204
    with app.app_context():
        assert batches.is_open(cast.alpha)
        assert batches.take_up(cast.alpha)
        taken = db.session.scalars(
            select(InvoiceSync.id).where(InvoiceSync.state == State.WAITING)
        ).all()
        assert len(taken) == batches.CHUNK
    for row in taken:
        change(row, State.SYNCED)
    assert "5 von 7" in owner.get(poll[1]).text
    with app.app_context():
        assert batches.take_up(cast.alpha)
    for row in set(rows) - set(taken):
        change(row, State.FAILED, cause_code="code_empty")
    with app.app_context():
        assert batches.take_up(cast.alpha)
        assert not batches.take_up(cast.alpha)
        assert not batches.is_open(cast.alpha)
    page = owner.get(address).text
    assert 'data-batch-state="done"' in page
    assert "7 von 7" in page
    assert "Zeigen, was nicht übertragen ist" in page
    assert "hx-get" not in page.partition('id="batch-progress"')[2].partition("</article>")[0]


def test_stopped_batch_takes_up_nothing_more(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    token: str,
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
) -> None:
    add_invoice(cast.alpha, State.FAILED, cause_code="code_empty")
    address = choose(all="1")
    owner.post(f"{address}/start", data={NAME_OF_TOKEN: token})
    owner.post(f"{address}/cancel", data={NAME_OF_TOKEN: token})
    with app.app_context():
        assert not batches.take_up(cast.alpha)
        row = db.session.scalars(select(InvoiceSync)).one()
        assert row.state == State.FAILED
    page = owner.get(address).text
    assert 'data-batch-state="cancelled"' in page
    assert owner.post(f"{address}/start", data={NAME_OF_TOKEN: token}).location == address
    assert 'data-batch-state="cancelled"' in owner.get(address).text


def test_draft_that_was_not_wanted_leads_back_and_a_new_one_replaces_it(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    token: str,
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
) -> None:
    add_invoice(cast.alpha, State.FAILED, cause_code="code_empty")
    first, second = choose(all="1"), choose(all="1")
    assert owner.get(second).status_code == 200
    with app.app_context():
        assert len(db.session.scalars(select(Batch)).all()) == 1
    assert owner.post(f"{second}/cancel", data={NAME_OF_TOKEN: token}).location == LOG
    assert first


@pytest.mark.parametrize("batch_id", ["0", "999", "x", "-1", "9" * 30])
def test_batch_that_is_not_there_is_404(owner: FlaskClient, cast: Cast, batch_id: str) -> None:
    assert owner.get(f"{BATCHES}/{batch_id}").status_code == 404


def test_batch_of_another_space_is_404(
    cast: Cast,
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
    sign_in: Callable[..., FlaskClient],
) -> None:
    add_invoice(cast.alpha, State.FAILED, cause_code="code_empty")
    address = choose(all="1")
    stranger = sign_in(cast.stranger)
    assert stranger.get(address.replace("alpha", "beta")).status_code == 404
    assert stranger.get(address).status_code == 404


@pytest.fixture
def failed_ones(cast: Cast, add_invoice: Callable[..., int]) -> list[int]:
    return [add_invoice(cast.alpha, State.FAILED, cause_code="code_empty") for _ in range(2)]


def states(app: Flask, rows: list[int]) -> list[tuple[str, str | None]]:
    with app.app_context():
        found = [by_id(InvoiceSync, row) for row in rows]
        return [(one.state, one.cause_code) for one in found]


def test_ticked_ones_are_skipped_with_a_reason_after_a_preview(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    token: str,
    failed_ones: list[int],
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
) -> None:
    others = [
        add_invoice(cast.alpha, State.SYNCED, step="tagged", sevdesk_voucher_id="1"),
        add_invoice(cast.alpha, State.UNKNOWN, step="sent"),
        add_invoice(cast.alpha, State.SKIPPED, cause_code="zero_total"),
    ]
    assert 'name="skip"' in owner.get(LOG).text
    address = choose(pick=[str(row) for row in failed_ones + others], skip="1")
    page = owner.get(address).text
    assert effects(page) == {"to_try": 2, "booked": 1, "running": 1, "others": 1}
    assert "2 werden übersprungen" in page
    refused = owner.post(f"{address}/start", data={NAME_OF_TOKEN: token, "reason": " "})
    assert refused.status_code == 422
    assert "Bitte gib einen Grund an." in refused.text
    assert states(app, failed_ones) == [("failed", "code_empty")] * 2
    data = {NAME_OF_TOKEN: token, "reason": "bar bezahlt"}
    assert owner.post(f"{address}/start", data=data).location == address
    page = owner.get(address).text
    assert "2 Rechnungen sind übersprungen." in page
    assert states(app, failed_ones) == [("skipped", "dismissed")] * 2
    assert [state for state, _ in states(app, others)] == ["synced", "unknown", "skipped"]
    with app.app_context():
        assert not batches.is_open(cast.alpha)


def test_skipped_ones_are_taken_up_again_together(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    token: str,
    failed_ones: list[int],
    add_invoice: Callable[..., int],
    choose: Callable[..., str],
) -> None:
    zero = add_invoice(cast.alpha, State.SKIPPED, cause_code="zero_total")
    address = choose(pick=[str(row) for row in failed_ones], skip="1")
    owner.post(f"{address}/start", data={NAME_OF_TOKEN: token, "reason": "bar bezahlt"})
    assert 'name="take_up"' in owner.get(f"{LOG}?state=skipped").text
    retried = choose(all="1", state="skipped")
    assert effects(owner.get(retried).text) == {"to_try": 1, "others": 2}
    address = choose(pick=[str(row) for row in [*failed_ones, zero]], take_up="1")
    assert effects(owner.get(address).text) == {"to_try": 2, "others": 1}
    owner.post(f"{address}/start", data={NAME_OF_TOKEN: token})
    with app.app_context():
        assert batches.take_up(cast.alpha)
    assert states(app, failed_ones) == [("waiting", None)] * 2
    assert states(app, [zero]) == [("skipped", "zero_total")]
