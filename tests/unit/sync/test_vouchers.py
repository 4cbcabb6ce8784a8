import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.cobot.records import Address
from portal.sevdesk.records import VoucherDraft, VoucherPosition
from portal.sync.accounts import AccountIndex
from portal.sync.causes import Cause
from portal.sync.vouchers import VoucherPlan, due_date, plan_voucher, supplier_name
from tests.unit.sync.factories import account, invoice, line, settings

DESK = account("Desk", "4400", 3631)
ROOM = account("Room", "4300", 3700)
CHART = (DESK, ROOM)


@pytest.mark.parametrize(
    ("day", "days", "due"),
    [
        (date(2025, 2, 28), 0, date(2025, 2, 28)),
        (date(2025, 2, 28), 30, date(2025, 3, 30)),
        (date(2024, 2, 28), 1, date(2024, 2, 29)),
        (date(2024, 2, 29), 365, date(2025, 2, 28)),
        (date(2025, 2, 28), 1, date(2025, 3, 1)),
        (date(2000, 2, 28), 2, date(2000, 3, 1)),
        (date(2100, 2, 28), 1, date(2100, 3, 1)),
        (date(2025, 12, 31), 1, date(2026, 1, 1)),
        (date(2025, 12, 2), 30, date(2026, 1, 1)),
        (date(2025, 4, 30), 31, date(2025, 5, 31)),
        (date(2025, 3, 29), 1, date(2025, 3, 30)),  # the night the clocks change
    ],
)
def test_due_date_counts_calendar_days_from_the_invoice(day, days, due):
    assert due_date(day, days) == due


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 365))
def test_due_date_is_never_before_the_invoice_and_so_many_days_later(day, days):
    assert due_date(day, days) - day == timedelta(days=days)


def test_invoice_of_the_help_page_becomes_its_receipt():
    bill = invoice(line("220.0", gross="261.8"), number="2531-Ljnk-278", day=date(2025, 2, 28))
    plan = plan_voucher(bill, CHART, settings(due_after_days=30, cost_centre_id="9"))
    assert isinstance(plan, VoucherPlan)
    assert plan.gross == Decimal("261.80")
    assert plan.draft("501", "XYZ Design", "f019.pdf") == VoucherDraft(
        description="2531-Ljnk-278",
        voucher_date=date(2025, 2, 28),
        payment_deadline=date(2025, 3, 30),
        credit_debit="D",
        tax_rule_id="1",
        positions=(VoucherPosition(Decimal("220.00"), 19, 3631, "Flex Desk"),),
        is_net=True,
        status=100,
        contact_id="501",
        supplier_name=None,
        cost_centre_id="9",
        filename="f019.pdf",
    )


def test_voucher_without_contact_bears_the_supplier_name():
    draft = plan_voucher(invoice(), CHART, settings()).draft(None, "XYZ Design", None)
    assert (draft.contact_id, draft.supplier_name) == (None, "XYZ Design")


@pytest.mark.parametrize("nobody", [None, ""])
def test_voucher_with_neither_contact_nor_name_is_never_drafted(nobody):
    with pytest.raises(ValueError, match="contact or a supplier name"):
        plan_voucher(invoice(), CHART, settings()).draft(nobody, nobody, None)


@pytest.mark.parametrize(
    ("recipient", "number", "name"),
    [
        (Address(company="XYZ Design", name="Mia"), "1005", "XYZ Design"),
        (Address(company="  ", name=" Mia Beispiel "), "1005", "Mia Beispiel"),
        (Address(), "1005", "Kundennummer 1005"),
        (Address(name=""), " ", "2531-Ljnk-278"),
        (Address(), None, "2531-Ljnk-278"),
    ],
)
def test_supplier_name_is_the_best_that_the_invoice_tells(recipient, number, name):
    assert supplier_name(invoice(recipient=recipient, customer_number=number)) == name


def test_each_line_becomes_a_position_on_its_own_account():
    bill = invoice(
        line("200.0", accounting_code="desk"),
        line("50.00", "7.0", "4300", description="Room"),
        line("0.0", accounting_code="4300 Room", description="Free hours"),
    )
    plan = plan_voucher(bill, CHART, settings())
    assert plan.positions == (
        VoucherPosition(Decimal("200.00"), 19, 3631, "Flex Desk"),
        VoucherPosition(Decimal("50.00"), 7, 3700, "Room"),
        VoucherPosition(Decimal("0.00"), 19, 3700, "Free hours"),
    )
    assert [match.how for match in plan.accounts] == ["name", "number", "number_and_name"]
    assert plan.is_net is True


def test_lines_paid_already_are_booked_like_others():
    bill = invoice(line("100.0", paid=True), line("10.0"))
    assert len(plan_voucher(bill, CHART, settings()).positions) == 2


def test_discount_is_a_negative_position():
    plan = plan_voucher(invoice(line("100.0"), line("-20.0")), CHART, settings())
    assert [position.amount for position in plan.positions] == [Decimal(100), Decimal(-20)]
    assert (plan.gross, plan.credit_debit) == (Decimal("95.20"), "D")


def test_long_line_texts_are_cut_for_sevdesk():
    plan = plan_voucher(invoice(line(description=" x" * 300)), CHART, settings())
    assert len(plan.positions[0].comment) == 255


def test_lines_without_tax_beside_taxed_ones_are_named():
    plan = plan_voucher(invoice(line(), line(rate=None), line(rate="0.0")), CHART, settings())
    assert (plan.tax_rule_id, plan.zero_rate_lines) == ("1", (1, 2))
    assert plan.facts()["zero_rate_lines"] == [2, 3]


def test_gross_mode_is_used_when_cobot_rounds_its_gross_amounts():
    lines = [line("33.61", gross="40.0"), line("33.61", gross="40.0"), line("33.62", gross="40.0")]
    plan = plan_voucher(invoice(*lines), CHART, settings())
    assert plan.is_net is False
    assert [position.amount for position in plan.positions] == [Decimal("40.00")] * 3


def test_line_whose_gross_hides_a_tax_it_does_not_name_is_not_booked_gross():
    bill = invoice(line("100.0", None, gross="119.0"))
    found = plan_voucher(bill, CHART, settings(zero_tax_rule="4"))
    assert found.cause == Cause("totals_differ", {"a": "119.00", "b": "100.00"})


def test_gross_of_many_units_may_be_rounded_unit_by_unit():
    # 0.42 net is 0.50 gross a piece; two hundred of them are 100.00, not 99.96.
    bill = invoice(line("84.0", gross="100.0", quantity="200.0"))
    assert plan_voucher(bill, CHART, settings()).is_net is False


def test_cent_difference_is_booked_when_the_space_allows_it():
    bill = invoice(line("220.0", gross="261.8"), line("10.0", gross="11.9"), gross="273.71")
    plan = plan_voucher(bill, CHART, settings(cent_difference=True))
    assert plan.positions[0].amount == Decimal("220.01")
    assert plan.facts()["cent_adjustments"] == [{"position": 1, "amount": "0.01"}]


def test_facts_are_json_and_name_rule_accounts_and_mode_but_no_person():
    bill = invoice(line(description="Desk of Mia Beispiel", accounting_code=" desk"))
    plan = plan_voucher(bill, CHART, settings(due_after_days=14))
    told = json.dumps(plan.facts())
    assert "Mia" not in told
    assert "XYZ" not in told
    assert json.loads(told) == {
        "tax_rule": "1",
        "tax_reason": "taxed_lines",
        "zero_rate_lines": [],
        "accounts": [
            {"code": "desk", "id": 3631, "number": "4400", "name": "Desk", "how": "name"}
        ],
        "mode": "net",
        "cent_adjustments": [],
        "credit_debit": "D",
        "gross": "119.00",
        "due_date": "2025-03-14",
        "status": 100,
    }  # fmt: skip


def test_fingerprint_changes_with_what_is_booked_and_with_nothing_else():
    def fingerprint(bill, **chosen):
        return plan_voucher(bill, CHART, settings(corrections="negative", **chosen)).fingerprint()

    bill = invoice(line("100.0"), line("10.0"))
    same = fingerprint(bill)
    assert len(same) == 64
    assert fingerprint(bill, due_after_days=30, cost_centre_id="9") == same
    assert fingerprint(replace(bill, customer_number="7", recipient=Address())) == same
    assert fingerprint(invoice(line("100.00"), line("10.000"))) == same
    others = [
        replace(bill, number="2531-Ljnk-279"),
        replace(bill, invoice_date=date(2025, 3, 1)),
        invoice(line("110.0")),
        invoice(line("100.0"), line("10.0", accounting_code="Room")),
        invoice(line("100.0", "7.0"), line("10.0")),
        invoice(line("-100.0"), line("-10.0")),
    ]
    assert len({same, *map(fingerprint, others)}) == len(others) + 1


def test_mapping_rows_are_taken_beside_an_index():
    index = AccountIndex(CHART)
    bill = invoice(line(accounting_code="Bar"))
    plan = plan_voucher(bill, index, settings(), {"Bar": ROOM.id})
    assert plan.accounts[0].how == "mapping"
    assert plan_voucher(bill, index.with_mappings({"Bar": ROOM.id}), settings()) == plan
