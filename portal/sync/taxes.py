"""Which tax rule of sevdesk a voucher gets. One rule holds for the whole voucher.

Sources: sevdesk API documentation, "sevdesk-Update 2.0" (tax rules, ReceiptGuidance); what a 0 %
invoice means is a tax decision, so the space chooses it: our decision, docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from portal.cobot.records import Line
from portal.sevdesk.records import BookingAccount
from portal.sync.causes import Cause

TAXABLE = "1"
SMALL_BUSINESS = "11"

SUPPORTED_RATES = (0, 7, 19)
"""The rates in percent that sevdesk books on a revenue voucher."""

ZERO_RATE_RULES = ("4", "5", "17", "1")
"""The rules a space may choose for invoices without tax: tax-free by §4 UStG, reverse charge by
§13b UStG, not taxable in Germany, taxable sales at 0 %."""


@dataclass(frozen=True)
class TaxChoice:
    """The tax rule of a voucher and why: "small_business", "taxed_lines" or "zero_rate_setting".

    `zero_rate_lines` are the places (counted from 0) of 0 % lines that stand beside taxed ones:
    the history names them.
    """

    rule_id: str
    reason: str
    zero_rate_lines: tuple[int, ...] = ()


def line_rate(line: Line) -> Decimal:
    """Return the tax of a line in percent; 0 without tax. Lines with several taxes are refused
    before this is asked."""
    return line.taxes[0].rate if line.taxes else Decimal(0)


def has_several_taxes(line: Line) -> bool:
    """Whether the line bears more than one tax, which a sevdesk position cannot say."""
    return len(line.taxes) > 1


def unsupported_rates(lines: Sequence[Line]) -> tuple[Cause, ...]:
    """Return one `rate_not_supported` for each rate that sevdesk does not know."""
    rates = dict.fromkeys(line_rate(line) for line in lines)
    return tuple(
        Cause("rate_not_supported", {"rate": percent(rate)})
        for rate in rates
        if rate not in SUPPORTED_RATES
    )


def is_small_business(accounts: Sequence[BookingAccount]) -> bool:
    """Whether sevdesk's guidance is that of a small business (§19 UStG).

    So when it offers rule 11 and nowhere rule 1. An empty chart is not one.
    """
    offered = {rule for account in accounts for rule in account.rules if account.is_revenue}
    return SMALL_BUSINESS in offered and TAXABLE not in offered


def choose_tax_rule(
    rates: Sequence[int], is_small_business: bool, zero_tax_rule: str | None
) -> TaxChoice | Cause:
    """Return the tax rule for lines with these rates (in percent, each one supported).

    Causes: `small_business_with_tax` (rate), `tax_rule_needed` while the space has not chosen how
    invoices without tax are booked. Whether the accounts allow the rule: `refused_accounts`.
    """
    taxed = next((rate for rate in rates if rate), None)
    if is_small_business:
        if taxed is not None:
            return Cause("small_business_with_tax", {"rate": str(taxed)})
        return TaxChoice(SMALL_BUSINESS, "small_business")
    if taxed is not None:
        without_tax = tuple(place for place, rate in enumerate(rates) if not rate)
        return TaxChoice(TAXABLE, "taxed_lines", without_tax)
    if not zero_tax_rule:
        return Cause("tax_rule_needed", {"rate": "0"})
    return TaxChoice(zero_tax_rule, "zero_rate_setting")


def refused_accounts(
    rule_id: str, accounts: Sequence[BookingAccount], rates: Sequence[int]
) -> tuple[Cause, ...]:
    """Return `rule_not_allowed` for each account that sevdesk would refuse with this rule and rate.

    Source: sevdesk API documentation, ReceiptGuidance is the table that saveVoucher checks against.
    """
    refused = {
        Cause(
            "rule_not_allowed",
            {"number": account.number, "name": account.name, "rate": str(rate), "rule": rule_id},
        ): None
        for account, rate in zip(accounts, rates, strict=True)
        if rate not in account.rules.get(rule_id, frozenset())
    }
    return tuple(refused)


def percent(rate: Decimal) -> str:
    """Return the rate without needless zeros: "19", "5.5"."""
    text = format(rate, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
