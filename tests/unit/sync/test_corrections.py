"""Rechnungskorrekturen: what happens to them is the space's choice."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.sync.sums import sevdesk_total
from portal.sync.vouchers import VoucherPlan, plan_voucher
from tests.unit.sync.factories import account, invoice, line, settings

CHART = (account(),)
CORRECTION = invoice(line("-220.0", gross="-261.8"), corrects="inv-0")


def test_negative_revenue_receipt_keeps_the_signs():
    plan = plan_voucher(CORRECTION, CHART, settings(corrections="negative"))
    assert plan.credit_debit == "D"
    assert [position.amount for position in plan.positions] == [Decimal("-220.00")]
    assert (plan.gross, plan.voucher_gross) == (Decimal("-261.80"), Decimal("-261.80"))


def test_expense_receipt_turns_the_signs_on_the_same_account_and_rule():
    negative = plan_voucher(CORRECTION, CHART, settings(corrections="negative"))
    plan = plan_voucher(CORRECTION, CHART, settings(corrections="expense"))
    assert plan.credit_debit == "C"
    assert [position.amount for position in plan.positions] == [Decimal("220.00")]
    assert (plan.gross, plan.voucher_gross) == (Decimal("-261.80"), Decimal("261.80"))
    assert (plan.accounts, plan.tax_rule_id) == (negative.accounts, negative.tax_rule_id)


@pytest.mark.parametrize("choice", ["negative", "expense"])
def test_correction_that_stays_positive_is_revenue(choice):
    raised = invoice(line("50.0"), corrects="inv-0")
    plan = plan_voucher(raised, CHART, settings(corrections=choice))
    assert (plan.credit_debit, plan.positions[0].amount) == ("D", Decimal("50.00"))


@pytest.mark.parametrize("choice", ["ask", "negative", "expense", "never"])
def test_ordinary_invoices_do_not_depend_on_the_choice(choice):
    plan = plan_voucher(invoice(), CHART, settings(corrections=choice))
    assert isinstance(plan, VoucherPlan)
    assert plan.credit_debit == "D"


def test_cent_difference_of_an_expense_receipt_is_exact():
    bill = invoice(line("-220.0", gross="-261.8"), gross="-261.81")
    plan = plan_voucher(bill, CHART, settings(corrections="expense", cent_difference=True))
    assert sevdesk_total(plan.positions, plan.is_net) == plan.voucher_gross == Decimal("261.81")


LINES = st.lists(
    st.builds(
        lambda cents, rate: line(str(Decimal(cents) / 100), rate),
        st.integers(-100_000, 100_000),
        st.sampled_from(["0.0", "7.0", "19.0"]),
    ),
    min_size=1,
    max_size=8,
)


@given(LINES)
@hypothesis_settings(deadline=None)
def test_both_forms_book_the_same_money(lines):
    bill = invoice(*lines, corrects="inv-0")
    plans = [
        plan_voucher(bill, CHART, settings(corrections=choice, zero_tax_rule="4"))
        for choice in ("negative", "expense")
    ]
    if not all(isinstance(plan, VoucherPlan) for plan in plans):
        assert type(plans[0]) is type(plans[1])
        return
    revenue, other = (
        sevdesk_total(plan.positions, plan.is_net) * (-1 if plan.credit_debit == "C" else 1)
        for plan in plans
    )
    assert revenue == other == plans[0].gross
    assert all(plan.voucher_gross >= 0 for plan in plans if plan.credit_debit == "C")
