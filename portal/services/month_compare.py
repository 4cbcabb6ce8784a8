"""The comparison of a month: Cobot's invoices, our rows, sevdesk's receipts. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

from portal.cobot.records import Invoice
from portal.models import InvoiceSync, State
from portal.money import ZERO, to_cents
from portal.services.lost_receipts import GONE
from portal.services.month_report import EURO, EXPLAINED, WRONG, Entry, Figure, MonthReport, Slice
from portal.sevdesk.records import Voucher
from portal.sync.months import Booked, Edit, edits_of, gaps_in
from portal.sync.plans import EXPENSE, REVENUE

TAKEN_OVER = ("", "", "")
"""The slice of receipts that stood in sevdesk already: neither account nor rate is known."""


class _Reckoning:
    """What adds up while the invoices of a month are gone through."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.booked: list[Decimal] = []
        self.without_contact: list[Decimal] = []
        self.open: list[Decimal] = []
        self.skipped: list[Decimal] = []
        self.slices: dict[tuple[str, str, str], list[Any]] = {}

    def book(self, row: InvoiceSync, shown: Decimal) -> None:
        self.booked.append(shown)
        if row.was_adopted:
            # Whoever made the receipt chose its accounts, and we have not read them.
            self._add(TAKEN_OVER, sum((_net(line) for line in row.lines), ZERO), shown)
            return
        for line in row.lines:
            key = (line.get("number", ""), line.get("name", ""), _rate(line.get("rate")))
            self._add(key, _net(line), to_cents(Decimal(line["gross"])))

    def _add(self, key: tuple[str, str, str], net: Decimal, gross: Decimal) -> None:
        some = self.slices.setdefault(key, [0, ZERO, ZERO])
        some[0] += 1
        some[1] += net
        some[2] += gross


def compare(
    first: date,
    invoices: Sequence[Invoice],
    unreadable: Sequence[str],
    rows: Mapping[str, InvoiceSync],
    vouchers: Mapping[str, Voucher],
    moved: Mapping[str, Invoice],
    unowned: Sequence[Voucher] = (),
    *,
    sevdesk_client: str | None,
) -> MonthReport:
    """Compare both sides, with our rows (by Cobot's id) as what joins them. Nothing is read.

    `moved` are booked invoices of the month that Cobot now shows under another date, `unowned` the
    month's receipts in `sevdesk_client` that belong to no invoice of ours.
    """
    found = _Reckoning()
    beside = {(one.description.strip(), one.credit_debit): one for one in unowned}
    for invoice in invoices:
        _judge(found, invoice, rows.get(invoice.id), vouchers, beside, sevdesk_client)
    listed = {invoice.id for invoice in invoices} | set(unreadable)
    for cobot_id, row in rows.items():
        if cobot_id not in listed:
            _judge_missing(found, row, vouchers, moved.get(cobot_id), sevdesk_client)
    found.entries += [
        Entry("unreadable", None, cobot_id, None, None, cause="bad_answer")
        for cobot_id in unreadable
    ]
    in_euro = [to_cents(one.gross) for one in invoices if one.currency == EURO]
    there, left_out = _figure(found.booked), _figure(found.skipped)
    difference = sum(in_euro, ZERO) - there.gross
    places = {what: place for place, what in enumerate((*WRONG, *EXPLAINED))}
    entries = sorted(found.entries, key=lambda one: (places[one.what], one.number or ""))
    is_right = not any(entry.what in WRONG for entry in entries)
    return MonthReport(
        year=first.year,
        month=first.month,
        cobot=Figure(len(invoices), sum(in_euro, ZERO)),
        foreign=len(invoices) - len(in_euro),
        booked=there,
        without_contact=_figure(found.without_contact),
        not_booked=_figure(found.open),
        skipped=left_out,
        difference=difference,
        entries=tuple(entries),
        gaps=tuple(gaps_in([invoice.number for invoice in invoices])),
        slices=tuple(
            Slice(*key, lines=lines, net=net, gross=gross)
            for key, (lines, net, gross) in sorted(found.slices.items())
        ),
        is_equal=is_right and difference == ZERO and not any(found.skipped),
    )


def _judge(
    found: _Reckoning,
    invoice: Invoice,
    row: InvoiceSync | None,
    vouchers: Mapping[str, Voucher],
    beside: Mapping[tuple[str, str], Voucher],
    sevdesk_client: str | None,
) -> None:
    """Say what became of an invoice that Cobot lists in this month."""
    gross = to_cents(invoice.gross) if invoice.currency == EURO else ZERO
    side = (row and row.sent_credit_debit) or REVENUE
    # A correction may stand on the other side as well: by another choice, or by hand.
    sides = (side,) if gross >= 0 else (side, *({REVENUE, EXPENSE} - {side}))
    other = next(filter(None, (beside.get((invoice.number.strip(), one)) for one in sides)), None)
    voucher_id = row.sevdesk_voucher_id if row else None
    if row is not None and row.state == State.SKIPPED:
        found.skipped.append(gross)
        found.entries.append(_of_invoice("skipped", invoice, row))
    elif row is None or voucher_id is None:
        found.open.append(gross)
        what = "deleted_in_sevdesk" if row and row.cause_code == GONE else "not_booked"
        found.entries.append(_of_invoice(what if row else "unknown_here", invoice, row))
        if other is not None:
            found.entries.append(_of_voucher("made_by_hand", invoice, other))
    elif voucher_id not in vouchers:
        found.open.append(gross)
        is_ours = row.sevdesk_client == sevdesk_client
        what = "deleted_in_sevdesk" if is_ours else "other_client"
        found.entries.append(_of_invoice(what, invoice, row))
    else:
        voucher = vouchers[voucher_id]
        shown = _shown(row, voucher)
        found.book(row, shown)
        found.entries += _differences(invoice, row, voucher, shown)
        if other is not None:
            found.entries.append(_of_voucher("twice_in_sevdesk", invoice, other))
        if row.state == State.MISMATCHED and voucher.supplier_id is None:
            found.without_contact.append(shown)
            found.entries.append(_of_invoice("without_contact", invoice, row))


def _judge_missing(
    found: _Reckoning,
    row: InvoiceSync,
    vouchers: Mapping[str, Voucher],
    moved: Invoice | None,
    sevdesk_client: str | None,
) -> None:
    """Say what became of an invoice of ours that Cobot's list of the month does not show."""
    if row.sevdesk_voucher_id is None:
        if row.state == State.SKIPPED and row.cause_code == "invoice_deleted":
            found.entries.append(_of_row("deleted_unbooked", row))
        return
    voucher = vouchers.get(row.sevdesk_voucher_id)
    if voucher is not None:
        found.book(row, _shown(row, voucher))
    if row.sevdesk_client != sevdesk_client:
        found.entries.append(_of_row("other_client", row))
    elif moved is not None:
        edits = edits_of(_booked(row), moved)
        found.entries.append(_of_invoice("edited", moved, row, details=edits))
    else:
        found.entries.append(_of_row("deleted_in_cobot", row))


def _differences(
    invoice: Invoice, row: InvoiceSync, voucher: Voucher, shown: Decimal
) -> list[Entry]:
    """Compare what was booked with what Cobot and sevdesk show now."""
    was = _booked(row)
    found: list[Entry] = []
    in_cobot = edits_of(was, invoice)
    if in_cobot:
        found.append(_of_invoice("edited", invoice, row, details=in_cobot))
    booked_gross = was.gross if row.sevdesk_gross is None else _with_sign(row, row.sevdesk_gross)
    in_sevdesk = [
        edit
        for edit in (
            Edit("gross", str(booked_gross), str(shown)),
            Edit("date", _text(was.day), _text(voucher.voucher_date)),
            Edit("number", row.sent_number or was.number, voucher.description),
        )
        if edit.before != edit.now
    ]
    if in_sevdesk:
        found.append(_of_invoice("changed_in_sevdesk", invoice, row, details=in_sevdesk))
    if not in_cobot and booked_gross == shown and shown != to_cents(invoice.gross):
        edit = Edit("gross", str(to_cents(invoice.gross)), str(shown))
        found.append(_of_invoice("sum_differs", invoice, row, details=[edit]))
    return found


def _booked(row: InvoiceSync) -> Booked:
    return Booked(
        number=row.number or "",
        day=row.invoice_date,
        gross=to_cents(row.gross or ZERO),
        customer_number=row.customer_number,
        lines=tuple(row.lines),
    )


def _shown(row: InvoiceSync, voucher: Voucher) -> Decimal:
    """Return the receipt's sum with Cobot's sign: an expense receipt turns it."""
    return _with_sign(row, to_cents(voucher.sum_gross))


def _with_sign(row: InvoiceSync, amount: Decimal) -> Decimal:
    amount = to_cents(amount)
    return -amount if row.sent_credit_debit == "C" else amount


def _net(line: Mapping[str, Any]) -> Decimal:
    return to_cents(Decimal(line["net"]))


def _rate(rate: Any) -> str:
    text = str(rate or "0")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _of_invoice(
    what: str, invoice: Invoice, row: InvoiceSync | None = None, *, details: Sequence[Edit] = ()
) -> Entry:
    return Entry(
        what=what,
        number=invoice.number,
        cobot_invoice_id=invoice.id,
        day=invoice.invoice_date.isoformat(),
        gross=str(to_cents(invoice.gross)),
        currency=invoice.currency,
        cause=row.cause_code if row else None,
        params=dict(row.cause_params) if row else None,
        details=tuple(asdict(edit) for edit in details),
        voucher_id=row.sevdesk_voucher_id if row else None,
    )


def _of_row(what: str, row: InvoiceSync) -> Entry:
    return Entry(
        what=what,
        number=row.number,
        cobot_invoice_id=row.cobot_invoice_id,
        day=_text(row.invoice_date),
        gross=None if row.gross is None else str(to_cents(row.gross)),
        currency=row.currency,
        voucher_id=row.sevdesk_voucher_id,
    )


def _of_voucher(what: str, invoice: Invoice, voucher: Voucher) -> Entry:
    """Name a receipt that stands in sevdesk beside what we know."""
    return Entry(
        what=what,
        number=voucher.description,
        cobot_invoice_id=invoice.id,
        day=_text(voucher.voucher_date),
        gross=str(to_cents(voucher.sum_gross)),
        currency=EURO,
        voucher_id=voucher.id,
    )


def _figure(amounts: Sequence[Decimal]) -> Figure:
    return Figure(len(amounts), sum(amounts, ZERO))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
