"""Finding invoices in the log: by number, member, customer number, receipt, amount."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from portal.database import db
from portal.forms import log_filter
from portal.models import State
from portal.services.prefixes import folded, folded_last
from tests.web.conftest import Cast

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
        ({"amount_from": "much"}, ["B-3", "A-2", "A-1"]),
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


def test_filter_reads_amounts_as_people_write_them() -> None:
    assert log_filter({"amount_from": "1.261,80"}).amount_from == Decimal("1261.80")
    assert log_filter({"amount_from": "1.261"}).amount_from == Decimal("1261")
    assert log_filter({"amount_from": "1.26"}).amount_from == Decimal("1.26")
    assert log_filter({"amount_from": "1e9"}).amount_from is None


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
