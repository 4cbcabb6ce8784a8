"""What each invoice of a world should end as, reckoned from the rules and from nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from tests.simulator.generator.amounts import (
    CENT,
    cents,
    invoice_gross,
    line_amounts,
    rates_of,
)

DEFAULT_SETTINGS: Mapping[str, Any] = {
    "zero_tax_rule": None,
    "corrections": "ask",
    "cent_difference": False,
}
_RATES = {Decimal(0), Decimal(7), Decimal(19)}


@dataclass(frozen=True)
class Prediction:
    """How one invoice ends.

    `gross` is the total on Cobot's side; a voucher booked as an expense shows it with the other
    sign. What belongs to a voucher is empty where none is made. `mode` is "net" or "gross".
    """

    state: str
    cause: str | None
    gross: Decimal
    accounts: tuple[str, ...] = ()
    tax_rule: str | None = None
    mode: str | None = None
    credit_debit: str | None = None
    contact_id: str | None = None


@dataclass(frozen=True)
class _Refusal:
    state: str
    cause: str


def predict(
    world: Mapping[str, Any], settings_by_space: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Prediction]:
    """Return the prediction of every invoice by its id.

    The entry of "sevdesk" at the place of a space is taken as that space's client. Settings are
    by space id or subdomain: `zero_tax_rule` (None, "1", "4", "5" or "17"), `corrections` ("ask",
    "negative", "expense" or "never") and `cent_difference`; what is left out has the product's
    default.

    It holds for members who were not confirmed while the space was connected: their contact is
    found by the invoice's customer number alone. A member who is confirmed while connected gets
    or keeps a contact, and its invoices with the number from before, the number written back or
    no number at all are synced where this says mismatched; so are those of a debtor to whom an
    admin linked a contact. Account mappings chosen by an admin are not considered either.
    """
    given = settings_by_space or {}
    predictions: dict[str, Prediction] = {}
    for place, space in enumerate(world.get("spaces", [])):
        own = given.get(space.get("id", "")) or given.get(space.get("subdomain", "")) or {}
        sevdesk = world.get("sevdesk", [])
        client = sevdesk[place] if place < len(sevdesk) else {}
        for invoice in space.get("invoices", []):
            predictions[invoice["id"]] = _predict(invoice, client, {**DEFAULT_SETTINGS, **own})
    return predictions


def _predict(
    invoice: Mapping[str, Any], client: Mapping[str, Any], settings: Mapping[str, Any]
) -> Prediction:
    gross = invoice_gross(dict(invoice))
    refusal = _refused_at_sight(invoice, gross, settings)
    if refusal is not None:
        return Prediction(refusal.state, refusal.cause, gross)
    accounts = _accounts_of_lines(invoice["items"], client.get("accounts", []))
    if isinstance(accounts, str):
        return Prediction("failed", accounts, gross)
    tax_rule = _tax_rule(invoice["items"], client.get("accounts", []), settings)
    if tax_rule not in ("1", "4", "5", "11", "17"):
        return Prediction("failed", tax_rule, gross)
    for item, account in zip(invoice["items"], accounts, strict=True):
        if _rate(item) not in account.get("rules", {}).get(tax_rule, []):
            return Prediction("failed", "rule_not_allowed", gross)
    mode = _mode(invoice["items"], gross, allow_cents=bool(settings["cent_difference"]))
    if mode is None:
        return Prediction("failed", "totals_differ", gross)
    contact_id, cause = _contact(invoice, client.get("contacts", []))
    is_expense = gross < 0 and settings["corrections"] == "expense"
    return Prediction(
        state="mismatched" if cause else "synced",
        cause=cause,
        gross=gross,
        accounts=tuple(account["number"] for account in accounts),
        tax_rule=tax_rule,
        mode=mode,
        credit_debit="C" if is_expense else "D",
        contact_id=contact_id,
    )


def _refused_at_sight(
    invoice: Mapping[str, Any], gross: Decimal, settings: Mapping[str, Any]
) -> _Refusal | None:
    """Return why the invoice is not booked, as far as its own figures tell."""
    items = invoice["items"]
    amounts = [line_amounts(item) for item in items]
    if gross == 0 and not any(each.net or each.gross for each in amounts):
        return _Refusal("skipped", "zero_total")
    if _is_correction(invoice, gross):
        if settings["corrections"] == "ask":
            return _Refusal("failed", "correction_choice_needed")
        if settings["corrections"] == "never":
            return _Refusal("skipped", "corrections_off")
    if any(item["amount"].get("currency", "EUR") != "EUR" for item in items):
        return _Refusal("failed", "currency_not_supported")
    if any(len(rates_of(item)) > 1 for item in items):
        return _Refusal("failed", "several_taxes")
    # A total without any line: nothing could add up to it.
    return None if items else _Refusal("failed", "totals_differ")


def _is_correction(invoice: Mapping[str, Any], gross: Decimal) -> bool:
    return gross < 0 or bool(invoice.get("correctedInvoice"))


def _rate(item: dict[str, Any]) -> Decimal:
    rates = rates_of(item)
    return rates[0] if rates else Decimal(0)


def _accounts_of_lines(
    items: list[dict[str, Any]], accounts: list[dict[str, Any]]
) -> list[dict[str, Any]] | str:
    """Return the account of each line, or the cause: no code before missing before ambiguous."""
    revenue = [each for each in accounts if "REVENUE" in each.get("types", ["REVENUE"])]
    if any(not _text(item.get("accountingCode")) and not _revenue_number(item) for item in items):
        return "code_empty"
    hits = [_hits(item, revenue) for item in items]
    if not all(hits):
        return "account_missing"
    if any(len(each) > 1 for each in hits):
        return "account_ambiguous"
    return [each[0] for each in hits]


def _hits(item: dict[str, Any], accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the accounts the line may mean; the first way of naming that finds any decides."""
    code = _text(item.get("accountingCode"))
    if not code:
        return [each for each in accounts if each["number"] == _revenue_number(item)]
    ways: tuple[list[dict[str, Any]], ...] = ([], [], [])
    for account in accounts:
        number, name = account["number"], _text(account["name"])
        if code == number:
            ways[0].append(account)
        if code == name:
            ways[1].append(account)
        if code in (f"{number} {name}", f"{number} - {name}"):
            ways[2].append(account)
    return next((found for found in ways if found), [])


@cache
def _text(value: str | None) -> str:
    """Return the text as codes and names are compared."""
    return " ".join(unicodedata.normalize("NFKC", value or "").split()).casefold()


def _revenue_number(item: dict[str, Any]) -> str:
    return str((item.get("revenueAccount") or {}).get("number") or "").strip()


def _tax_rule(
    items: list[dict[str, Any]], accounts: list[dict[str, Any]], settings: Mapping[str, Any]
) -> str:
    """Return the voucher's tax rule, or the cause why there is none."""
    rates = {_rate(item) for item in items}
    if not rates <= _RATES:
        return "rate_not_supported"
    revenue = [each for each in accounts if "REVENUE" in each.get("types", ["REVENUE"])]
    offered = {rule for account in revenue for rule in account.get("rules", {})}
    if "11" in offered and "1" not in offered:
        return "11" if rates == {Decimal(0)} else "small_business_with_tax"
    if rates != {Decimal(0)}:
        return "1"
    return str(settings["zero_tax_rule"] or "tax_rule_needed")


def _mode(items: list[dict[str, Any]], gross: Decimal, *, allow_cents: bool) -> str | None:
    """Return in which mode sevdesk comes to Cobot's total; None when in neither.

    With `allow_cents` at most one cent for each line with an amount may go on the biggest line,
    in the mode that needs fewer cents, net first.
    """
    lines = [(line_amounts(item), _rate(item)) for item in items]
    by_mode = {
        "net": [(amounts.net, rate) for amounts, rate in lines],
        "gross": [(amounts.gross, rate) for amounts, rate in lines],
    }
    needed: dict[str, int] = {}
    for mode, positions in by_mode.items():
        most = sum(1 for amount, _ in positions if amount) if allow_cents else 0
        place = max(range(len(positions)), key=lambda at: abs(positions[at][0]))
        for count in sorted(range(-most, most + 1), key=abs):
            changed = list(positions)
            changed[place] = (positions[place][0] + count * CENT, positions[place][1])
            if _total(changed, mode) == gross:
                needed[mode] = abs(count)
                break
    return min(needed, key=lambda mode: needed[mode]) if needed else None


def _total(positions: list[tuple[Decimal, Decimal]], mode: str) -> Decimal:
    if mode == "gross":
        return sum((amount for amount, _ in positions), Decimal(0))
    taxed = (amount + cents(amount * rate / 100) for amount, rate in positions)
    return sum(taxed, Decimal(0))


def _contact(
    invoice: Mapping[str, Any], contacts: list[dict[str, Any]]
) -> tuple[str | None, str | None]:
    """Return the contact's id (None where the world gives it none) and the cause of a mismatch."""
    number = (invoice.get("customerNumber") or "").strip()
    found = [each for each in contacts if number and each.get("customerNumber") == number]
    if not found:
        return None, "contact_missing"
    if len(found) > 1:
        return None, "contact_ambiguous"
    return found[0].get("id"), None
