"""Every cause for which nothing is booked, and the order in which causes are looked for."""

from dataclasses import replace

import pytest

from portal.cobot.records import Tax
from portal.sync.causes import Cause
from portal.sync.messages import CATALOGUE
from portal.sync.vouchers import NotBookable, Skip, VoucherPlan, plan_voucher
from tests.unit.sync.factories import SMALL_BUSINESS, account, invoice, line, settings

DESK = account("Desk", "4400", 1)
CHART = (
    DESK,
    account("Kaffee", "4500", 2),
    account("kaffee", "4501", 3),
    account("Ermäßigt", "4300", 4, {"1": frozenset({7})}),
)
SMALL_CHART = (account("Desk", "4180", 9, SMALL_BUSINESS),)

NOT_BOOKABLE = {
    "correction": (
        invoice(line("-100.0")), {}, Cause("correction_choice_needed")
    ),
    "linked correction": (
        invoice(line(), corrects="inv-0"), {}, Cause("correction_choice_needed")
    ),
    "currency": (
        invoice(line(currency="CHF"), currency="CHF"), {},
        Cause("currency_not_supported", {"currency": "CHF"}),
    ),
    "currency of one line": (
        invoice(line(), line(currency="USD")), {},
        Cause("currency_not_supported", {"currency": "USD"}),
    ),
    "two taxes": (
        invoice(line(taxes=["19.0", "7.0"])), {}, Cause("several_taxes")
    ),
    "no lines": (
        replace(invoice(gross="5.0"), lines=()), {},
        Cause("totals_differ", {"a": "5.00", "b": "0.00"}),
    ),
    "empty code": (
        invoice(line(accounting_code=None)), {}, Cause("code_empty")
    ),
    "empty code on a line of zero": (
        invoice(line(), line("0.0", accounting_code=None)), {}, Cause("code_empty")
    ),
    "unknown code": (
        invoice(line(accounting_code="Bar")), {}, Cause("account_missing", {"code": "Bar"})
    ),
    "ambiguous code": (
        invoice(line(accounting_code="Kaffee")), {},
        Cause("account_ambiguous", {"code": "Kaffee", "accounts": "4500, 4501"}),
    ),
    "rate": (
        invoice(line(rate="16.0")), {}, Cause("rate_not_supported", {"rate": "16"})
    ),
    "no tax": (
        invoice(line(rate=None)), {}, Cause("tax_rule_needed", {"rate": "0"})
    ),
    "rule not allowed for rate": (
        invoice(line(accounting_code="4300")), {},
        Cause("rule_not_allowed",
              {"number": "4300", "name": "Ermäßigt", "rate": "19", "rule": "1"}),
    ),
    "0 % beside 7 % where the account forbids it": (
        invoice(line(rate="7.0"), line(rate=None, accounting_code="4300")), {},
        Cause("rule_not_allowed", {"number": "4300", "name": "Ermäßigt", "rate": "0", "rule": "1"}),
    ),
    "chosen rule not allowed": (
        invoice(line(rate=None, accounting_code="4300")), {"zero_tax_rule": "4"},
        Cause("rule_not_allowed", {"number": "4300", "name": "Ermäßigt", "rate": "0", "rule": "4"}),
    ),
    "sums": (
        invoice(line("220.0", gross="261.8"), gross="261.79"), {},
        Cause("totals_differ", {"a": "261.79", "b": "261.80"}),
    ),
    "sums by more than the setting allows": (
        invoice(line("220.0", gross="261.8"), gross="261.70"), {"cent_difference": True},
        Cause("totals_differ", {"a": "261.70", "b": "261.80"}),
    ),
    "sums of an expense receipt, told as Cobot signs them": (
        invoice(line("-220.0", gross="-261.8"), gross="-261.79"), {"corrections": "expense"},
        Cause("totals_differ", {"a": "-261.79", "b": "-261.80"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("bill", "chosen", "cause"), NOT_BOOKABLE.values(), ids=NOT_BOOKABLE)
def test_nothing_is_booked_and_the_cause_says_why(bill, chosen, cause):
    assert plan_voucher(bill, CHART, settings(**chosen)) == NotBookable((cause,))
    assert cause.code in CATALOGUE


SKIPPED = {
    "zero": (invoice(line("0.0")), {}, Cause("zero_total")),
    "zero in part cents": (invoice(line("0.001", gross="0.004")), {}, Cause("zero_total")),
    "zero, without codes, in francs": (
        invoice(line("0.0", accounting_code=None), currency="CHF"), {}, Cause("zero_total")
    ),
    "zero correction": (invoice(line("0.0"), corrects="inv-0"), {}, Cause("zero_total")),
    "correction switched off": (
        invoice(line("-100.0")), {"corrections": "never"}, Cause("corrections_off")
    ),
    "linked correction switched off": (
        invoice(line(), corrects="inv-0"), {"corrections": "never"}, Cause("corrections_off")
    ),
}  # fmt: skip


@pytest.mark.parametrize(("bill", "chosen", "cause"), SKIPPED.values(), ids=SKIPPED)
def test_invoice_is_skipped_on_purpose(bill, chosen, cause):
    assert plan_voucher(bill, CHART, settings(**chosen)) == Skip(cause)
    assert cause.code in CATALOGUE


def test_zero_total_of_lines_with_amounts_is_booked():
    plan = plan_voucher(invoice(line("100.0"), line("-100.0")), CHART, settings())
    assert isinstance(plan, VoucherPlan)
    assert (plan.gross, plan.credit_debit) == (0, "D")


def test_all_codes_without_an_account_are_named_at_once_and_each_once():
    bill = invoice(
        line(accounting_code="Kaffee"),
        line(accounting_code="Bar"),
        line(accounting_code=None),
        line(accounting_code="Küche"),
        line(accounting_code=" BAR "),
        line(accounting_code=""),
        line(accounting_code="Desk"),
    )
    found = plan_voucher(bill, CHART, settings())
    assert found.causes == (
        Cause("code_empty"),
        Cause("account_missing", {"code": "Bar"}),
        Cause("account_missing", {"code": "Küche"}),
        Cause("account_ambiguous", {"code": "Kaffee", "accounts": "4500, 4501"}),
    )
    assert found.cause == Cause("code_empty")


def test_small_business_is_booked_by_its_rule():
    plan = plan_voucher(invoice(line(rate=None)), SMALL_CHART, settings())
    assert (plan.tax_rule_id, plan.tax_reason) == ("11", "small_business")


def test_small_business_with_tax_is_refused():
    found = plan_voucher(invoice(line(rate="7.0")), SMALL_CHART, settings())
    assert found.causes == (Cause("small_business_with_tax", {"rate": "7"}),)


@pytest.mark.parametrize("rule", ["1", "4", "5", "17"])
def test_invoice_without_tax_is_booked_as_the_space_chose(rule):
    plan = plan_voucher(invoice(line(rate=None)), CHART, settings(zero_tax_rule=rule))
    assert (plan.tax_rule_id, plan.tax_reason) == (rule, "zero_rate_setting")


def test_causes_are_looked_for_in_the_fixed_order():
    """One invoice with everything wrong; each repair shows the next cause."""
    wrong = line("-100.0", accounting_code=None, currency="CHF", taxes=["16.0", "7.0"])
    in_euro = line("-100.0", accounting_code=None, taxes=["16.0", "7.0"])
    one_tax = line("-100.0", "16.0", None)
    missing = line("-100.0", "16.0", "Bar")
    ambiguous = line("-100.0", "16.0", "Kaffee")
    odd_rate = line("-100.0", "16.0", "4300")
    untaxed = line("-100.0", None, "4300")
    refused = line("-100.0", "19.0", "4300")
    wrong_sum = line("-100.0", "7.0", "4300")
    chosen = settings(corrections="negative")
    steps = [
        (wrong, settings(), CHART, "correction_choice_needed"),
        (wrong, chosen, CHART, "currency_not_supported"),
        (in_euro, chosen, CHART, "several_taxes"),
        (one_tax, chosen, CHART, "code_empty"),
        (missing, chosen, CHART, "account_missing"),
        (ambiguous, chosen, CHART, "account_ambiguous"),
        (odd_rate, chosen, CHART, "rate_not_supported"),
        (line("-100.0", "16.0"), chosen, SMALL_CHART, "rate_not_supported"),
        (line("-100.0", "7.0"), chosen, SMALL_CHART, "small_business_with_tax"),
        (untaxed, chosen, CHART, "tax_rule_needed"),
        (refused, chosen, CHART, "rule_not_allowed"),
        (wrong_sum, chosen, CHART, "totals_differ"),
    ]
    for found, chosen_here, chart, code in steps:
        bill = invoice(found, gross="-1.0", currency=found.currency)
        assert plan_voucher(bill, chart, chosen_here).cause.code == code


def test_line_with_the_same_tax_twice_has_several_taxes():
    twice = line(taxes=["0.0", "0.0"])
    assert twice.taxes == (Tax("USt", 0), Tax("USt", 0))
    assert plan_voucher(invoice(twice), CHART, settings()).cause.code == "several_taxes"
