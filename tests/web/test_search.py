"""Finding invoices in the log: by number, member, customer number, receipt, amount."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from portal.database import db
from portal.filters import money
from portal.forms_log import asked_filter
from portal.models import Batch, State
from portal.services.prefixes import folded, folded_last
from tests.web.conftest import Cast, csrf_of

LOG = "/spaces/alpha/log"


def numbers(page: str) -> list[str]:
    return re.findall(r'<tr id="inv-\d+" data-invoice-number="([^"]*)"', page)


@pytest.fixture
def three(cast: Cast, add_invoice: Callable[..., int]) -> None:
    add_invoice(
        cast.alpha,
        number="A-1",
        member="Anna  Groß",
        customer_number="1042",
        sevdesk_voucher_id="77001",
        gross=Decimal("10.00"),
    )
    add_invoice(
        cast.alpha,
        number="A-2",
        member="Berta Müller-Lüdenscheidt",
        customer_number="2042",
        sevdesk_voucher_id="88001",
        gross=Decimal("1261.80"),
    )
    add_invoice(cast.alpha, number="B-3", gross=Decimal("-5.00"), member="100% Café")
    add_invoice(cast.beta, number="A-9", member="Anna Groß", customer_number="1042")


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("anna", ["A-1"]),
        ("ANNA gross", ["A-1"]),
        ("groß", ["A-1"]),
        ("müller-l", ["A-2"]),
        ("nna", []),
        ("1042", ["A-1"]),
        ("042", []),
        ("770", ["A-1"]),
        ("88001", ["A-2"]),
        ("A-", ["A-2", "A-1"]),
        ("100%", ["B-3"]),
        ("%", []),
        ("_", []),
    ],
)
def test_search_goes_by_the_beginning_of_each(
    owner: FlaskClient, three: None, q: str, found: list[str]
) -> None:
    page = owner.get(LOG, query_string={"q": q}).text
    assert numbers(page) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"amount_from": "10"}, ["A-2", "A-1"]),
        ({"amount_from": "10,01"}, ["A-2"]),
        ({"amount_to": "1.261,79 €"}, ["B-3", "A-1"]),
        ({"amount_from": "1.261,80", "amount_to": "1261.8"}, ["A-2"]),
        ({"amount_to": "-1"}, ["B-3"]),
    ],
)
def test_amounts_bound_the_total_both_included(
    owner: FlaskClient, three: None, query: dict[str, str], found: list[str]
) -> None:
    assert numbers(owner.get(LOG, query_string=query).text) == found


def test_amount_stays_in_the_address_of_tabs_and_polls(owner: FlaskClient, three: None) -> None:
    page = owner.get(f"{LOG}?amount_from=10,00&q=A").text
    assert "amount_from=10.00" in page
    assert 'name="amount_from" value="10.00"' in page


def test_csv_holds_what_the_search_found(owner: FlaskClient, three: None) -> None:
    lines = owner.get("/spaces/alpha/log.csv?q=anna").text.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("A-1;")


@pytest.mark.parametrize(
    ("typed", "german", "english"),
    [
        ("1.261,80", "1261.80", "1261.80"),
        ("1,261.80", "1261.80", "1261.80"),
        ("1.261", "1261", None),
        ("1,261", None, "1261"),
        ("1.26", "1.26", "1.26"),
        ("1,26", "1.26", "1.26"),
        ("1.261.800", "1261800", "1261800"),
        ("-€1,261.80", "-1261.80", "-1261.80"),
        ("1.261,80\xa0€", "1261.80", "1261.80"),
        ("CHF\xa01,261.80", "1261.80", "1261.80"),
        ("1261.8", "1261.8", "1261.8"),
        ("1,2,3", None, None),
        ("12.61,80", None, None),
        ("1e9", None, None),
        ("9" * 10, None, None),
    ],
)
def test_filter_reads_amounts_as_people_write_them(
    app: Flask, typed: str, german: str | None, english: str | None
) -> None:
    for language, amount in (("de", german), ("en", english)):
        with app.test_request_context("/", headers={"Accept-Language": language}):
            asked = asked_filter({"amount_from": typed})
        assert asked.filters.amount_from == (amount and Decimal(amount)), language
        assert bool(asked.unreadable) is (amount is None)


def test_english_amounts_bound_an_english_log(
    sign_in: Callable[..., FlaskClient], cast: Cast, three: None
) -> None:
    reader = sign_in(cast.owner, language="en")
    for typed in ("1,261.80", "1,261", "€1,261.80"):
        answer = reader.get(LOG, query_string={"amount_from": typed})
        assert (answer.status_code, numbers(answer.text)) == (200, ["A-2"]), typed


@pytest.mark.parametrize("language", ["de", "en"])
def test_amounts_that_the_page_shows_are_understood(app: Flask, language: str, cast: Cast) -> None:
    for amount in ("1261.80", "-5.00", "0.10", "1261800.00"):
        with app.test_request_context("/", headers={"Accept-Language": language}):
            shown = money(Decimal(amount))
            assert asked_filter({"amount_to": shown}).filters.amount_to == Decimal(amount)


@pytest.mark.parametrize(
    ("language", "query", "said"),
    [
        ("de", {"amount_from": "much"}, "„much“ ist kein Betrag. Schreib ihn so: 1.261,80."),
        ("en", {"amount_to": "1.261"}, "“1.261” is no amount. Write it like 1,261.80."),
        ("de", {"from": "31.12.2025"}, "„31.12.2025“ ist kein Datum."),
        ("en", {"to": "20255-01-01"}, "“20255-01-01” is no day."),
    ],
)
def test_filter_that_cannot_be_read_is_named_and_lets_nothing_through(
    sign_in: Callable[..., FlaskClient],
    cast: Cast,
    three: None,
    language: str,
    query: dict[str, str],
    said: str,
) -> None:
    [(field, typed)] = query.items()
    answer = sign_in(cast.owner, language=language).get(LOG, query_string={**query, "q": "A"})
    assert answer.status_code == 422
    assert f'id="{field}-error">{said}' in answer.text
    # A date field shows no such text, and a browser complains of it: there the sentence has it.
    assert (f'value="{typed}"' in answer.text) == field.startswith("amount")
    assert 'name="q" value="A"' in answer.text
    assert numbers(answer.text) == []
    assert 'id="batch"' not in answer.text
    assert "log.csv" not in answer.text


def test_state_that_there_is_not_is_named_too(owner: FlaskClient, three: None) -> None:
    answer = owner.get(f"{LOG}?state=bogus")
    assert answer.status_code == 422
    assert "Einen Status „bogus“ gibt es nicht." in answer.text
    assert numbers(answer.text) == []


@pytest.mark.parametrize("query", [{"amount_from": "much"}, {"to": "soon"}, {"state": "bogus"}])
def test_nothing_is_given_out_or_tried_by_a_filter_that_cannot_be_read(
    app: Flask, owner: FlaskClient, three: None, query: dict[str, str]
) -> None:
    file = owner.get("/spaces/alpha/log.csv", query_string=query)
    assert file.status_code == 422
    assert "A-1" not in file.text
    form = {"csrf_token": csrf_of(owner, LOG), "all": "1", **query}
    assert owner.post("/spaces/alpha/batches", data=form).status_code == 422
    assert owner.get(f"{LOG}/changes", query_string={"after": "0", **query}).status_code == 204
    with app.app_context():
        assert db.session.scalars(select(Batch)).all() == []


def test_names_are_folded_for_the_search() -> None:
    assert folded("  Anna  GROSS ") == folded("anna Groß") == "anna gross"
    assert folded_last("Anna Maria Groß") == "gross anna maria"
    assert folded_last("Groß") == "gross"


def test_search_is_answered_from_indexes(
    app: Flask, database_url: str, owner: FlaskClient, three: None
) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("how PostgreSQL plans depends on the size of the table")
    seen: list[tuple[str, object]] = []
    with app.app_context():
        engine = db.engine

    def note(*arguments: object) -> None:
        seen.append((str(arguments[2]), arguments[3]))

    event.listen(engine, "before_cursor_execute", note)
    try:
        owner.get(LOG, query_string={"q": "anna"})
    finally:
        event.remove(engine, "before_cursor_execute", note)
    searching = [one for one in seen if "folded" in one[0]]
    assert searching
    with engine.connect() as connection:
        for statement, parameters in searching:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in plan]
            assert [step for step in steps if step.startswith("SCAN invoice_sync")] == []
            assert any("ix_person_name_folded" in step for step in steps)
            for column in ("number", "customer_number", "sevdesk_voucher_id"):
                within = f"(space_id=? AND {column}>? AND {column}<?)"
                assert any(step.endswith(within) for step in steps), column


def test_select_of_causes_keeps_one_that_nothing_has_any_more(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, State.FAILED, cause_code="account_missing", cause_params={"code": "x"})
    page = owner.get(f"{LOG}?cause=gave_up").text
    assert '<option value="gave_up" selected>' in page
    assert "Buchungskonto fehlt in sevdesk" in page
