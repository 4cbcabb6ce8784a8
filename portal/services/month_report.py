"""What the comparison of a month says; made from what was read, and kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.cobot.records import Invoice
from portal.models import InvoiceSync, State
from portal.money import ZERO, to_cents
from portal.services.lost_receipts import GONE
from portal.sevdesk.records import Voucher
from portal.sync.months import Booked, Edit, edits_of, gaps_in


@dataclass(frozen=True)
class Figure:
    """How many, and their gross sum in euro."""

    count: int
    gross: Decimal


@dataclass(frozen=True)
class Entry:
    """One invoice that the report names, and why.

    `what`: "not_booked", "skipped", "without_contact", "edited", "deleted_in_cobot",
    "deleted_in_sevdesk", "sum_differs", "changed_in_sevdesk", "unknown_here", "unreadable".
    `details` are the field-by-field differences, or the cause.
    """

    what: str
    number: str | None
    cobot_invoice_id: str
    day: str | None
    gross: str | None
    cause: str | None = None
    params: Mapping[str, str] | None = None
    details: tuple[Mapping[str, str | None], ...] = ()
    voucher_id: str | None = None


@dataclass(frozen=True)
class Slice:
    """What was booked on one booking account at one tax rate."""

    account: str
    name: str
    rate: str
    lines: int
    net: Decimal
    gross: Decimal


@dataclass(frozen=True)
class MonthReport:
    year: int
    month: int
    cobot: Figure
    booked: Figure
    """Receipts that stand in sevdesk, with and without contact; amounts as sevdesk shows them."""
    without_contact: Figure
    not_booked: Figure
    skipped: Figure
    difference: Decimal
    """Cobot's gross less that in sevdesk."""
    entries: tuple[Entry, ...]
    gaps: tuple[str, ...]
    """Numbers that are missing between two that are there."""
    slices: tuple[Slice, ...]
    is_equal: bool
    """Both sides were read, every invoice has its receipt, and all sums agree to the cent."""


def compare(
    first: date,
    invoices: Sequence[Invoice],
    unreadable: Sequence[str],
    rows: Mapping[str, InvoiceSync],
    vouchers: Mapping[str, Voucher],
    moved: Mapping[str, Invoice],
) -> MonthReport:
    """Compare both sides, with our rows (by Cobot's id) as what joins them. Nothing is read.

    `moved` are booked invoices of the month that Cobot now shows under another date.
    """
    entries: list[Entry] = []
    booked: list[Decimal] = []
    mismatched: list[Decimal] = []
    open_: list[Decimal] = []
    skipped: list[Decimal] = []
    slices: dict[tuple[str, str, str], list[Any]] = {}
    for invoice in invoices:
        row = rows.get(invoice.id)
        gross = to_cents(invoice.gross)
        if row is None:
            open_.append(gross)
            entries.append(_of_invoice("unknown_here", invoice))
            continue
        if row.state == State.SKIPPED:
            skipped.append(gross)
            entries.append(_of_invoice("skipped", invoice, row))
            continue
        if row.sevdesk_voucher_id is None:
            open_.append(gross)
            what = "deleted_in_sevdesk" if row.cause_code == GONE else "not_booked"
            entries.append(_of_invoice(what, invoice, row))
            continue
        voucher = vouchers.get(row.sevdesk_voucher_id)
        if voucher is None:
            open_.append(gross)
            entries.append(_of_invoice("deleted_in_sevdesk", invoice, row))
            continue
        shown = _shown(row, voucher)
        booked.append(shown)
        entries += _differences(invoice, row, voucher, shown)
        if row.state == State.MISMATCHED and voucher.supplier_id is None:
            mismatched.append(shown)
            entries.append(_of_invoice("without_contact", invoice, row))
        _slice(slices, row)
    listed = {invoice.id for invoice in invoices} | set(unreadable)
    for cobot_id, row in rows.items():
        if cobot_id in listed or row.sevdesk_voucher_id is None:
            continue
        # Booked, and Cobot's list of the month does not show it any more.
        voucher = vouchers.get(row.sevdesk_voucher_id)
        if voucher is not None:
            booked.append(_shown(row, voucher))
            _slice(slices, row)
        if cobot_id in moved:
            edits = edits_of(_booked(row), moved[cobot_id])
            entries.append(_of_invoice("edited", moved[cobot_id], row, details=edits))
        else:
            entries.append(_of_row("deleted_in_cobot", row))
    entries += [
        Entry("unreadable", None, cobot_id, None, None, cause="bad_answer")
        for cobot_id in unreadable
    ]
    cobot = Figure(len(invoices), sum((to_cents(one.gross) for one in invoices), ZERO))
    there = _figure(booked)
    left_out = _figure(skipped)
    difference = cobot.gross - there.gross
    wrong = {entry.what for entry in entries} - {"skipped", "without_contact"}
    return MonthReport(
        year=first.year,
        month=first.month,
        cobot=cobot,
        booked=there,
        without_contact=_figure(mismatched),
        not_booked=_figure(open_),
        skipped=left_out,
        difference=difference,
        entries=tuple(entries),
        gaps=tuple(gaps_in([invoice.number for invoice in invoices])),
        slices=tuple(
            Slice(*key, lines=lines, net=net, gross=gross)
            for key, (lines, net, gross) in sorted(slices.items())
        ),
        is_equal=not wrong and difference == left_out.gross == ZERO,
    )


def from_plain(plain: Mapping[str, Any]) -> MonthReport:
    """Return a report from the JSON it was kept as."""
    figures = ("cobot", "booked", "without_contact", "not_booked", "skipped")
    return MonthReport(
        year=plain["year"],
        month=plain["month"],
        **{name: Figure(plain[name]["count"], Decimal(plain[name]["gross"])) for name in figures},
        difference=Decimal(plain["difference"]),
        entries=tuple(
            Entry(**{**entry, "details": tuple(entry["details"])}) for entry in plain["entries"]
        ),
        gaps=tuple(plain["gaps"]),
        slices=tuple(
            Slice(**{**one, "net": Decimal(one["net"]), "gross": Decimal(one["gross"])})
            for one in plain["slices"]
        ),
        is_equal=plain["is_equal"],
    )


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


def _slice(slices: dict[tuple[str, str, str], list[Any]], row: InvoiceSync) -> None:
    for line in row.lines:
        key = (line.get("number", ""), line.get("name", ""), _rate(line.get("rate")))
        some = slices.setdefault(key, [0, ZERO, ZERO])
        some[0] += 1
        some[1] += to_cents(Decimal(line["net"]))
        some[2] += to_cents(Decimal(line["gross"]))


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
        voucher_id=row.sevdesk_voucher_id,
    )


def _figure(amounts: Sequence[Decimal]) -> Figure:
    return Figure(len(amounts), sum(amounts, ZERO))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def to_plain(report: MonthReport) -> dict[str, Any]:
    """Return the report as JSON."""

    def text(value: Any) -> Any:
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, Mapping):
            return {key: text(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [text(one) for one in value]
        return value

    plain: dict[str, Any] = text(asdict(report))
    return plain
