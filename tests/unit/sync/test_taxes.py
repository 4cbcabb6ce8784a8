from decimal import Decimal

import pytest

from portal.sync.causes import Cause
from portal.sync.taxes import (
    SUPPORTED_RATES,
    TaxChoice,
    choose_tax_rule,
    is_small_business,
    percent,
    refused_accounts,
    unsupported_rates,
)
from tests.unit.sync.factories import REGULAR, SMALL_BUSINESS, account, line


@pytest.mark.parametrize(
    ("charts", "expected"),
    [
        ([REGULAR], False),
        ([SMALL_BUSINESS], True),
        ([SMALL_BUSINESS, {"17": frozenset({0})}], True),
        ([SMALL_BUSINESS, REGULAR], False),
        ([{"17": frozenset({0})}], False),
        ([], False),
    ],
)
def test_small_business_is_offered_rule_11_and_nowhere_rule_1(charts, expected):
    chart = [account(id=place, rules=rules) for place, rules in enumerate(charts)]
    assert is_small_business(chart) is expected


def test_expense_accounts_do_not_tell_a_small_business():
    chart = [account(rules=SMALL_BUSINESS), account(id=2, rules=REGULAR, is_revenue=False)]
    assert is_small_business(chart) is True


@pytest.mark.parametrize(
    ("rates", "small_business", "zero_tax_rule", "expected"),
    [
        ([19], False, None, TaxChoice("1", "taxed_lines")),
        ([7, 19], False, "4", TaxChoice("1", "taxed_lines")),
        ([0, 19, 0], False, "4", TaxChoice("1", "taxed_lines", (0, 2))),
        ([0, 0], False, None, Cause("tax_rule_needed", {"rate": "0"})),
        ([0, 0], False, "", Cause("tax_rule_needed", {"rate": "0"})),
        ([0, 0], False, "4", TaxChoice("4", "zero_rate_setting")),
        ([0], False, "17", TaxChoice("17", "zero_rate_setting")),
        ([0, 0], True, None, TaxChoice("11", "small_business")),
        ([0, 0], True, "4", TaxChoice("11", "small_business")),
        ([0, 7], True, None, Cause("small_business_with_tax", {"rate": "7"})),
    ],
)
def test_one_tax_rule_is_chosen_for_the_whole_voucher(
    rates, small_business, zero_tax_rule, expected
):
    assert choose_tax_rule(rates, small_business, zero_tax_rule) == expected


@pytest.mark.parametrize("rate", ["16.0", "5.5", "20", "-19.0", "190", "0.19"])
def test_other_rates_are_refused_by_name(rate):
    causes = unsupported_rates([line(rate="19.0"), line(rate=rate), line(rate=rate)])
    assert causes == (Cause("rate_not_supported", {"rate": percent(Decimal(rate))}),)


@pytest.mark.parametrize("rate", [None, "0", "0.0", "7", "7.00", "19.0"])
def test_supported_rates_pass_however_cobot_writes_them(rate):
    assert unsupported_rates([line(rate=rate)]) == ()
    assert Decimal(rate or 0) in SUPPORTED_RATES


@pytest.mark.parametrize(
    ("rate", "text"), [("19.0", "19"), ("5.50", "5.5"), ("0.0", "0"), ("100", "100")]
)
def test_rates_are_named_without_needless_zeros(rate, text):
    assert percent(Decimal(rate)) == text


def test_each_account_that_refuses_rule_or_rate_is_named_once():
    strict = account("Ermäßigt", "4300", 1, {"1": frozenset({7})})
    other = account("Steuerfrei", "4100", 2, {"4": frozenset({0})})
    causes = refused_accounts("1", [strict, strict, account(), strict, other], [19, 19, 19, 7, 0])
    assert causes == (
        Cause("rule_not_allowed", {
            "number": "4300", "name": "Ermäßigt", "rate": "19", "rule": "1"
        }),
        Cause("rule_not_allowed", {
            "number": "4100", "name": "Steuerfrei", "rate": "0", "rule": "1"
        }),
    )  # fmt: skip
