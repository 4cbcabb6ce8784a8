"""How a Cobot invoice becomes a sevdesk voucher, or why it does not.

Sources: Cobot help, "Connecting Cobot to sevdesk"; sevdesk API documentation, chapter Voucher;
where both are silent our decision, docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from portal.cobot.records import Invoice, Line
from portal.money import CENT, to_cents
from portal.sevdesk.records import BookingAccount, VoucherPosition
from portal.sync.accounts import AccountIndex, AccountMatch, fold_name, index_of, written_code
from portal.sync.causes import Cause
from portal.sync.plans import (
    EXPENSE,
    REVENUE,
    NotBookable,
    Skip,
    VoucherPlan,
    VoucherSettings,
)
from portal.sync.sums import CentAdjustment, Sums, SumsDiffer, settle_sums, sevdesk_total
from portal.sync.taxes import (
    choose_tax_rule,
    has_several_taxes,
    line_rate,
    refused_accounts,
    unsupported_rates,
)

__all__ = [
    "CentAdjustment",
    "NotBookable",
    "Skip",
    "VoucherPlan",
    "VoucherSettings",
    "due_date",
    "plan_voucher",
    "sevdesk_total",
    "supplier_name",
]

CURRENCY = "EUR"

COMMENT_LENGTH = 255
"""sevdesk keeps so many characters of a position's text (seen in practice, not documented)."""

_ACCOUNT_CAUSES = ("code_empty", "account_missing", "account_ambiguous")


def due_date(invoice_date: date, due_after_days: int) -> date:
    """Return the day by which the voucher must be paid.

    Counts calendar days; 0 means due on the invoice date. Weekends are not skipped.
    Source: Cobot help, "Connecting Cobot to sevdesk": invoice date plus X days.
    """
    return invoice_date + timedelta(days=due_after_days)


def supplier_name(invoice: Invoice) -> str:
    """Return the name on a voucher without contact; sevdesk asks for one. Never empty.

    The word "Kundennummer" stays German in every space: it is written into the German books.
    Source: our decision, docs/decisions.md.
    """
    recipient = invoice.recipient
    number = (invoice.customer_number or "").strip()
    return (
        (recipient.company or "").strip()
        or (recipient.name or "").strip()
        or (f"Kundennummer {number}" if number else invoice.number)
    )


def plan_voucher(
    invoice: Invoice,
    accounts: AccountIndex | Sequence[BookingAccount],
    settings: VoucherSettings,
    mappings: Mapping[str, int] | None = None,
) -> VoucherPlan | NotBookable | Skip:
    """Decide how this invoice is booked; nothing is sent.

    Every line becomes a position, also one of 0.00, and so every line needs a booking account.
    The checks run in a fixed order and the first kind that fails ends them; of that kind all are
    listed, so that a person can repair everything at once. Payment does not matter: lines that
    are paid already are revenue too.
    """
    if _is_empty(invoice):
        return Skip(Cause("zero_total"))
    if _is_correction(invoice):
        if settings.corrections == "never":
            return Skip(Cause("corrections_off"))
        if settings.corrections not in ("negative", "expense"):
            return NotBookable((Cause("correction_choice_needed"),))

    refusal = _refused_form(invoice)
    if refusal:
        return NotBookable((refusal,))

    index = index_of(accounts, mappings)
    matches = _match_lines(invoice.lines, index)
    if isinstance(matches, NotBookable):
        return matches

    wrong_rates = unsupported_rates(invoice.lines)
    if wrong_rates:
        return NotBookable(wrong_rates)
    rates = [int(line_rate(line)) for line in invoice.lines]
    tax = choose_tax_rule(rates, index.is_small_business, settings.zero_tax_rule)
    if isinstance(tax, Cause):
        return NotBookable((tax,))
    refused = refused_accounts(tax.rule_id, [match.account for match in matches], rates)
    if refused:
        return NotBookable(refused)

    gross = to_cents(invoice.gross)
    is_expense = settings.corrections == "expense" and gross < 0
    sign = -1 if is_expense else 1
    sums = _settle(invoice, matches, sign, settings)
    if isinstance(sums, SumsDiffer):
        return NotBookable((_totals_differ(gross, sign * sums.nearest),))

    return VoucherPlan(
        number=invoice.number,
        invoice_date=invoice.invoice_date,
        due_date=due_date(invoice.invoice_date, settings.due_after_days),
        credit_debit=EXPENSE if is_expense else REVENUE,
        tax_rule_id=tax.rule_id,
        tax_reason=tax.reason,
        positions=sums.positions,
        accounts=matches,
        is_net=sums.is_net,
        gross=gross,
        zero_rate_lines=tax.zero_rate_lines,
        cent_adjustments=sums.cent_adjustments,
        cost_centre_id=settings.cost_centre_id,
        status=settings.voucher_status,
        codes=tuple(written_code(line) for line in invoice.lines),
    )


def _is_empty(invoice: Invoice) -> bool:
    """Whether there is nothing to book: total 0.00 and no line with an amount."""
    return not to_cents(invoice.gross) and not any(
        to_cents(line.net) or to_cents(line.gross) for line in invoice.lines
    )


def _is_correction(invoice: Invoice) -> bool:
    """Whether this takes back (part of) another invoice.

    Source: Cobot help, "Correcting invoices": a new invoice with negative amounts, linked to the
    first. One that is linked and still positive is a correction too; once the space has chosen
    either form it is booked as revenue, as its sign says.
    """
    return to_cents(invoice.gross) < 0 or invoice.corrected_invoice_id is not None


def _refused_form(invoice: Invoice) -> Cause | None:
    """Return why an invoice of this form is never booked, whatever the accounts say."""
    currencies = (invoice.currency, *(line.currency for line in invoice.lines))
    foreign = next((currency for currency in currencies if currency != CURRENCY), None)
    if foreign is not None:
        return Cause("currency_not_supported", {"currency": foreign})
    if any(map(has_several_taxes, invoice.lines)):
        return Cause("several_taxes")
    if not invoice.lines:
        # A total without lines: no choice about taxes could repair that.
        return _totals_differ(to_cents(invoice.gross), Decimal("0.00"))
    return None


def _match_lines(
    lines: Sequence[Line], index: AccountIndex
) -> tuple[AccountMatch, ...] | NotBookable:
    found = [index.match(line) for line in lines]
    causes: dict[tuple[int, str], Cause] = {}
    for cause in found:
        if isinstance(cause, Cause):
            # Each code once, however its lines spell it.
            code = fold_name(cause.params.get("code", ""))
            causes.setdefault((_ACCOUNT_CAUSES.index(cause.code), code), cause)
    if causes:
        in_order = sorted(causes.items(), key=lambda item: item[0][0])
        return NotBookable(tuple(cause for _, cause in in_order))
    return tuple(match for match in found if isinstance(match, AccountMatch))


def _settle(
    invoice: Invoice, matches: Sequence[AccountMatch], sign: int, settings: VoucherSettings
) -> Sums | SumsDiffer:
    """Return the positions, with the sign turned for an expense receipt."""
    pairs = list(zip(invoice.lines, matches, strict=True))
    return settle_sums(
        [_position(line, match, sign * line.net) for line, match in pairs],
        [_position(line, match, sign * line.gross) for line, match in pairs]
        if all(map(_fits_its_rate, invoice.lines))
        else None,
        sign * to_cents(invoice.gross),
        cent_difference=settings.cent_difference,
    )


def _position(line: Line, match: AccountMatch, amount: Decimal) -> VoucherPosition:
    return VoucherPosition(
        amount=to_cents(amount),
        tax_rate=int(line_rate(line)),
        account_id=match.account.id,
        comment=line.description.strip()[:COMMENT_LENGTH],
    )


def _fits_its_rate(line: Line) -> bool:
    """Whether the line's gross is its net plus the tax it names, apart from rounding.

    Gross mode takes the tax out of the gross, so a line of 100.00 net and 119.00 gross that names
    no tax would be booked without any. Cobot may round each unit, so half a cent for each is left.
    Source: our decision, docs/decisions.md.
    """
    expected = line.net * (100 + line_rate(line)) / 100
    return abs(line.gross - expected) <= CENT + abs(line.quantity) * CENT / 2


def _totals_differ(in_cobot: Decimal, of_positions: Decimal) -> Cause:
    return Cause("totals_differ", {"a": str(to_cents(in_cobot)), "b": str(to_cents(of_positions))})
