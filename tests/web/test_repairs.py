"""One invoice repaired by a person: its contact, its receipt, left out and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient

from portal.database import db
from portal.models import DebtorLink, InvoiceSync, Space, State, Step
from portal.services import vault
from tests.conftest import by_id
from tests.web.conftest import TOKEN, Cast, csrf_of

PAGE = "/spaces/alpha/invoices/i-x"
SEVDESK = "http://127.0.0.1:9/sevdesk/api/v1"
VOUCHER = {
    "id": "900",
    "description": "2531-1",
    "voucherDate": "2025-02-28T00:00:00+01:00",
    "creditDebit": "D",
    "status": "100",
    "sumGross": "261.8",
    "supplier": None,
}
CONTACT = {"id": "501", "customerNumber": "4711", "name": "XYZ <Design>"}


@pytest.fixture
def sevdesk(app: Flask, cast: Cast) -> Iterator[responses.RequestsMock]:
    """Alpha with tokens; what sevdesk answers is the test's to say."""
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        space.sevdesk_client = "71"
        vault.put(space, "sevdesk_token", TOKEN)
        vault.put(space, "cobot_token", "cobot-token")
        db.session.commit()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def post(owner: FlaskClient, cast: Cast) -> Callable[..., str]:
    """Send a form to one of the invoice's addresses; return the page that follows."""
    token = csrf_of(owner, "/spaces/alpha/disconnect")

    def send(path: str, **form: str) -> str:
        data = {"csrf_token": token, **form}
        answer = owner.post(PAGE + path, data=data, follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    return send


@pytest.fixture
def mismatched(cast: Cast, add_invoice: Callable[..., int]) -> int:
    return add_invoice(
        cast.alpha,
        State.MISMATCHED,
        cobot_invoice_id="i-x",
        step=Step.TAGGED,
        cause_code="contact_missing",
        cause_params={"number": "4711"},
        customer_number="4711",
        debtor_kind="teams",
        debtor_id="t-1",
        member="Xenia Yılmaz",
        sevdesk_client="71",
        sevdesk_voucher_id="900",
        is_mismatch=True,
        has_mismatch_tag=True,
    )


@pytest.fixture
def failed(cast: Cast, add_invoice: Callable[..., int]) -> int:
    return add_invoice(
        cast.alpha, State.FAILED, cobot_invoice_id="i-x", cause_code="code_empty", step=Step.FETCHED
    )


def state_of(app: Flask, row: int) -> tuple[str, str | None]:
    with app.app_context():
        invoice = by_id(InvoiceSync, row)
        return invoice.state, invoice.cause_code


def contact_calls(sevdesk: responses.RequestsMock, *found: dict[str, Any]) -> None:
    sevdesk.get(f"{SEVDESK}/Contact", json={"objects": list(found)})
    emails = [
        {"contact": {"id": one["id"]}, "type": "EMAIL", "value": f"{one['id']}@example.org"}
        for one in found
    ]
    sevdesk.get(f"{SEVDESK}/CommunicationWay", json={"objects": emails})


def test_candidates_are_shown_with_number_name_and_email_and_one_is_chosen(
    app: Flask,
    owner: FlaskClient,
    mismatched: int,
    sevdesk: responses.RequestsMock,
    post: Callable[..., str],
) -> None:
    contact_calls(sevdesk, CONTACT)
    assert f'href="{PAGE}/contacts"' in owner.get(PAGE).text
    page = owner.get(f"{PAGE}/contacts").text
    assert 'data-contact="501" data-why="number"' in page
    assert "XYZ &lt;Design&gt;" in page
    assert "501@example.org" in page
    assert "gleiche Kundennummer" in page
    assert "gilt für alle späteren Rechnungen dieses Mitglieds" in page
    sevdesk.get(f"{SEVDESK}/Contact/501", json={"objects": [CONTACT]})
    page = post("/contact", contact_id="501")
    assert "Alle späteren Rechnungen dieses Mitglieds bekommen diesen Kontakt." in page
    assert "sevdesk-Kontakt mit der ID 501" in page
    with app.app_context():
        assert db.session.query(DebtorLink.contact_id).all() == [("501",)]
    page = post("/contact/remove")
    assert "entscheidet wieder die Kundennummer" in page
    assert "sevdesk-Kontakt mit der ID" not in page


def test_nobody_found_and_sevdesk_away_are_said(
    owner: FlaskClient, mismatched: int, sevdesk: responses.RequestsMock
) -> None:
    contact_calls(sevdesk)
    assert "keinen passenden Kontakt" in owner.get(f"{PAGE}/contacts?q=Niemand").text
    sevdesk.replace("GET", f"{SEVDESK}/Contact", status=503)
    answer = owner.get(f"{PAGE}/contacts")
    assert answer.status_code == 503
    assert "Bitte versuche es in einer Minute" in answer.text


def test_contact_that_sevdesk_does_not_have_is_not_chosen(
    app: Flask, mismatched: int, sevdesk: responses.RequestsMock, post: Callable[..., str]
) -> None:
    sevdesk.get(f"{SEVDESK}/Contact/1", status=404)
    assert "sevdesk kennt ihn nicht" in post("/contact", contact_id="1")
    with app.app_context():
        assert db.session.query(DebtorLink.contact_id).all() == []


@pytest.mark.parametrize(
    ("supplier", "said", "state"),
    [
        ({"id": "501"}, "Der Beleg ist da und hat einen Kontakt.", "synced"),
        (None, "hat aber noch keinen Kontakt", "mismatched"),
    ],
)
def test_another_look_turns_the_state_once_the_receipt_has_a_contact(
    app: Flask,
    mismatched: int,
    sevdesk: responses.RequestsMock,
    post: Callable[..., str],
    supplier: dict[str, str] | None,
    said: str,
    state: str,
) -> None:
    sevdesk.get(f"{SEVDESK}/Voucher/900", json={"objects": [{**VOUCHER, "supplier": supplier}]})
    page = post("/look-again")
    assert said in page
    assert f'data-state="{state}"' in page
    assert ('id="tag-left"' in page) == (state == "synced")
    assert state_of(app, mismatched)[0] == state


def test_deleted_receipt_is_made_anew_only_after_a_question(
    app: Flask,
    owner: FlaskClient,
    mismatched: int,
    sevdesk: responses.RequestsMock,
    post: Callable[..., str],
) -> None:
    sevdesk.get(f"{SEVDESK}/Voucher/900", status=404)
    page = post("/look-again")
    assert "Diesen Beleg gibt es in sevdesk nicht mehr." in page
    assert "Beleg 900 wurde in sevdesk gelöscht." in page
    assert f'action="{PAGE}/retry"' not in page
    assert f'action="{PAGE}/create-again"' not in page
    assert state_of(app, mismatched) == ("failed", "receipt_deleted")
    question = owner.get(f"{PAGE}/create-again").text
    assert "neu anlegen?" in question
    assert "nie ein zweiter" in question
    post("/retry")
    assert state_of(app, mismatched) == ("failed", "receipt_deleted")
    assert "Der Beleg wird jetzt neu angelegt." in post("/create-again")
    assert state_of(app, mismatched) == ("waiting", None)
    assert "Hier gibt es nichts neu anzulegen." in post("/create-again")
    assert owner.get(f"{PAGE}/create-again").status_code == 303


def test_one_is_left_out_with_a_reason_and_taken_up_again(
    app: Flask, owner: FlaskClient, failed: int, sevdesk: object, post: Callable[..., str]
) -> None:
    assert f'href="{PAGE}/skip"' in owner.get(PAGE).text
    form = owner.get(f"{PAGE}/skip").text
    assert "überspringen?" in form
    token = csrf_of(owner, "/spaces/alpha/disconnect")
    answer = owner.post(f"{PAGE}/skip", data={"csrf_token": token, "reason": "  "})
    assert answer.status_code == 422
    assert "Bitte gib einen Grund an." in answer.text
    page = post("/skip", reason=" bar   bezahlt ")
    assert "Von einem Admin übersprungen: „bar bezahlt“" in page
    assert state_of(app, failed) == ("skipped", "dismissed")
    csv = owner.get("/spaces/alpha/log.csv").text
    assert "„bar bezahlt“" in csv
    page = post("/take-up")
    assert "Wieder aufgenommen" in page
    assert "„bar bezahlt“" in page  # the history keeps what was said
    assert state_of(app, failed) == ("waiting", None)


def test_what_is_booked_is_not_skipped(
    app: Flask, owner: FlaskClient, mismatched: int, sevdesk: object, post: Callable[..., str]
) -> None:
    assert f'href="{PAGE}/skip"' not in owner.get(PAGE).text
    assert "Nicht übersprungen" in post("/skip", reason="doppelt")
    assert state_of(app, mismatched)[0] == "mismatched"


def test_support_sees_none_of_the_buttons(
    cast: Cast, mismatched: int, sign_in: Callable[..., FlaskClient]
) -> None:
    support = sign_in(cast.support)
    data = {"csrf_token": csrf_of(support, "/support"), "subdomain": "alpha", "reason": "T-1"}
    support.post("/support/visits", data=data)
    page = support.get("/support/spaces/alpha/invoices/i-x").text
    assert 'data-invoice-number="' in page
    for part in ("look-again", "contacts", "/skip", "unlink"):
        assert part not in page


POSTS = ("contact", "contact/remove", "look-again", "create-again", "skip", "take-up")


@pytest.mark.parametrize("path", POSTS)
def test_a_stranger_and_a_foreign_invoice_get_404(
    app: Flask,
    cast: Cast,
    mismatched: int,
    sign_in: Callable[..., FlaskClient],
    path: str,
) -> None:
    stranger = sign_in(cast.stranger)
    data = {"csrf_token": csrf_of(stranger, "/spaces/beta/disconnect"), "reason": "x"}
    assert stranger.post(f"{PAGE}/{path}", data=data).status_code == 404
    assert stranger.post(f"/spaces/beta/invoices/i-x/{path}", data=data).status_code == 404
    for page in ("contacts", "create-again", "skip"):
        assert stranger.get(f"{PAGE}/{page}").status_code == 404
        assert stranger.get(f"/spaces/beta/invoices/i-x/{page}").status_code == 404
    assert state_of(app, mismatched)[0] == "mismatched"
