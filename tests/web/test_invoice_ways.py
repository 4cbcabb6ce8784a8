"""The lines of an invoice, the ways to Cobot and sevdesk, its PDF, and the text for support."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient

from portal.cobot.links import fill_template, page_address
from portal.database import db
from portal.exchange import one_line
from portal.models import InvoiceSync, Space, State
from portal.services import record, vault
from tests.clients.samples import amounts, invoice_resource, item
from tests.conftest import by_id
from tests.web.conftest import Cast

PAGE = "/spaces/alpha/invoices/i-1"
API = "http://127.0.0.1:9/cobot-api"
URLS = f"{API}/spaces/s-alpha/urls"
LINES = [
    {
        "code": "Desk",
        "net": "100.00",
        "gross": "119.00",
        "rate": "19",
        "number": "8400",
        "name": "Erlöse",
        "how": "name",
    },
    {
        "code": "Meeting",
        "net": "120.00",
        "gross": "142.80",
        "rate": "19.0",
        "cause": "account_missing",
        "params": {"code": "Meeting"},
    },
]


@pytest.fixture
def invoice(app: Flask, cast: Cast, add_invoice: Callable[..., int]) -> int:
    row = add_invoice(
        cast.alpha,
        State.FAILED,
        cobot_invoice_id="i-1",
        number="2531-1",
        cause_code="account_missing",
        cause_params={"code": "Meeting"},
        member="Anna Muster",
        lines=LINES,
    )
    with app.app_context():
        vault.put(db.session.get_one(Space, cast.alpha), "cobot_token", "cobot-token")
        db.session.commit()
    return row


def test_lines_say_code_account_and_sum(owner: FlaskClient, invoice: int) -> None:
    page = owner.get(PAGE).text
    assert 'data-match="name"' in page
    assert "8400 Erlöse" in page
    assert 'data-match="account_missing"' in page
    assert "19\xa0%" in page
    assert 'data-sum="equal"' in page
    assert "261,80\xa0€" in page


def test_sum_that_differs_is_said(
    owner: FlaskClient, invoice: int, change: Callable[..., None]
) -> None:
    change(invoice, State.FAILED, lines=LINES[:1])
    page = owner.get(PAGE).text
    assert 'data-sum="different"' in page
    assert "Die Summe weicht vom Betrag in Cobot ab" in page


def test_before_the_first_attempt_there_are_no_lines(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, State.WAITING, cobot_invoice_id="i-1")
    assert "erscheinen nach dem ersten Versuch" in owner.get(PAGE).text


def cobot_tells(*lines: tuple[str, str, str, str], space: str = "s-alpha") -> None:
    """Answer with an invoice of these lines: text, code, net and gross of each."""
    items = [
        item(description=text, accountingCode=code, totalAmount=amounts(net, gross))
        for text, code, net, gross in lines
    ]
    owner = {"space": {"data": {"id": space, "type": "spaces"}}}
    resource = invoice_resource(owner, "i-1", items=items)
    responses.get(f"{API}/invoices/i-1", json={"data": resource})


TOLD = [
    ("Flex Desk <Anna Muster>", "Desk", "100.00", "119.00"),
    ("Raum Elbe", "Meeting", "120.00", "142.80"),
]


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
@responses.activate
def test_descriptions_are_read_from_cobot_on_request_and_not_kept(
    app: Flask, owner: FlaskClient, invoice: int, headers: dict[str, str]
) -> None:
    page = owner.get(PAGE).text
    assert f'href="{PAGE}/lines"' in page
    cobot_tells(*TOLD)
    read = owner.get(f"{PAGE}/lines", headers=headers).text
    assert ("<html" in read) is not bool(headers)
    for text in ("Flex Desk &lt;Anna Muster&gt;", "Raum Elbe", "gerade aus Cobot gelesen"):
        assert text in read
    assert "Raum Elbe" not in owner.get(PAGE).text
    with app.app_context():
        assert "Elbe" not in str(by_id(InvoiceSync, invoice).lines)


@pytest.mark.parametrize(
    ("lines", "space"), [(TOLD[:1], "s-alpha"), ([TOLD[1], TOLD[0]], "s-alpha"), (TOLD, "s-beta")]
)
@responses.activate
def test_descriptions_of_other_lines_are_not_put_beside_these(
    owner: FlaskClient, invoice: int, lines: list[tuple[str, str, str, str]], space: str
) -> None:
    cobot_tells(*lines, space=space)
    read = owner.get(f"{PAGE}/lines").text
    assert "Die Positionen in Cobot sind inzwischen andere" in read
    assert "Raum Elbe" not in read
    assert "Flex Desk" not in read


@pytest.mark.parametrize(("status", "shown"), [(404, 503), (503, 503), (401, 503)])
@responses.activate
def test_descriptions_that_cannot_be_had_are_said_in_words(
    owner: FlaskClient, invoice: int, status: int, shown: int
) -> None:
    responses.get(f"{API}/invoices/i-1", status=status, json={})
    assert owner.get(f"{PAGE}/lines").status_code == shown


def test_a_space_that_is_not_connected_offers_no_descriptions(
    cast: Cast, invoice: int, owner: FlaskClient, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, connected_at=None)
    assert "/lines" not in owner.get(PAGE).text


@responses.activate
def test_pdf_is_handed_through_and_not_kept(owner: FlaskClient, invoice: int) -> None:
    responses.get(f"{API}/invoices/i-1.pdf", body=b"%PDF-1.4 x", content_type="application/pdf")
    answer = owner.get(f"{PAGE}/pdf")
    assert answer.data == b"%PDF-1.4 x"
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="2531-1.pdf"'
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("status", "shown"), [(404, 404), (503, 503), (401, 503), (500, 503)])
@responses.activate
def test_pdf_that_cannot_be_had_is_said_in_words(
    owner: FlaskClient, invoice: int, status: int, shown: int
) -> None:
    responses.get(f"{API}/invoices/i-1.pdf", status=status, json={})
    answer = owner.get(f"{PAGE}/pdf")
    assert answer.status_code == shown
    assert "<h1>" in answer.text


def test_pdf_respects_the_budget_of_calls(
    app: Flask, cast: Cast, owner: FlaskClient, invoice: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.errors import BudgetExhausted
    from portal.services import budgets

    def used_up(*_: object) -> None:
        raise BudgetExhausted("used up", retry_after_seconds=30)

    monkeypatch.setattr(budgets, "take", used_up)
    answer = owner.get(f"{PAGE}/pdf")
    assert answer.status_code == 503
    assert "Keine Rechnung geht verloren" in answer.text


@responses.activate
def test_way_to_cobot_is_cobots_own_and_asked_once(owner: FlaskClient, invoice: int) -> None:
    template = "https://alpha.cobot.me/admin/invoices/{invoiceId}"
    codes = "https://alpha.cobot.me/admin/accounting_codes"
    data = [
        {"attributes": {"identifier": "admin:invoice", "urlTemplate": template}},
        {"attributes": {"identifier": "admin:accounting-codes", "url": codes}},
    ]
    responses.get(URLS, json={"data": data})
    for _ in range(2):
        assert owner.get(f"{PAGE}/cobot").location == "https://alpha.cobot.me/admin/invoices/i-1"
    assert owner.get("/spaces/alpha/accounting-codes").location == codes
    assert len(responses.calls) == 1


@responses.activate
def test_way_to_cobot_that_it_does_not_tell_is_said(owner: FlaskClient, invoice: int) -> None:
    responses.get(URLS, status=503)
    answer = owner.get(f"{PAGE}/cobot")
    assert answer.status_code == 503
    assert "Die Seite in Cobot lässt sich gerade nicht öffnen" in answer.text
    assert "Setup › Accounting Codes" in owner.get("/spaces/alpha/accounting-codes").text


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("https://x.example/{id}", "https://x.example/a%2Fb"),
        ("https://x.example/{+id}", "https://x.example/a/b"),
        ("https://x.example{/id}{?page,id}", "https://x.example/a%2Fb?id=a%2Fb"),
        ("https://x.example/{id}{?page}{#part}", "https://x.example/a%2Fb"),
        ("https://x.example/{id:3}", "https://x.example/a%2Fb"),
        ("https://x.example/", "https://x.example/"),
        ("https://x.example/{other}", None),
        ("https://x.example/{id", None),
    ],
)
def test_templates_are_filled_as_rfc_6570_says(template: str, filled: str | None) -> None:
    assert fill_template(template, {"id": "a/b"}) == filled


@pytest.mark.parametrize("address", ["javascript:alert(1)", "/admin", "ftp://x.example/"])
def test_only_web_addresses_are_gone_to(address: str) -> None:
    assert page_address({"admin:invoice": address}, "admin:invoice", "i-1") is None
    assert page_address({}, "admin:invoice", "i-1") is None


def test_text_for_support_holds_codes_and_no_person(
    app: Flask, cast: Cast, owner: FlaskClient, invoice: int
) -> None:
    with app.app_context():
        row = by_id(InvoiceSync, invoice)
        record.note(
            cast.alpha, "sent", "later", invoice=row, status=503, request_id="r-9", attempt=2
        )
        db.session.commit()
    page = owner.get(PAGE).text
    text = page.partition('<pre id="excerpt"')[2].partition("</pre>")[0]
    assert f"reference: I-{cast.alpha}-{invoice}" in text
    assert "status=503" in text
    assert "request_id=r-9" in text
    assert "Anna" not in text
    assert "261" not in text
    assert "Für Support kopieren" in page


def test_time_line_says_attempt_duration_and_next_try(
    app: Flask, cast: Cast, owner: FlaskClient, invoice: int
) -> None:
    from datetime import UTC, datetime, timedelta

    at = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    with app.app_context():
        row = by_id(InvoiceSync, invoice)
        record.note(cast.alpha, "uploaded", "done", invoice=row, attempt=3, at=at)
        record.note(
            cast.alpha,
            "sent",
            "later",
            invoice=row,
            attempt=3,
            at=at + timedelta(seconds=1.5),
            next_try_at="2026-03-02T12:05:00+00:00",
        )
        db.session.commit()
    page = owner.get(PAGE).text
    assert "Versuch 3" in page
    assert "nach 1,5 s" in page
    assert "13:05" in page


def test_mails_and_ibans_are_masked_before_they_are_kept() -> None:
    said = one_line("anna.muster+x@example.org owes DE89 3704 0044 0532 0130 00, receipt 7001")
    assert said == "[e-mail] owes [IBAN], receipt 7001"
