"""A month's comparison in the reader's words: as groups on a page, and as rows of a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from flask_babel import format_decimal
from flask_babel import gettext as _

from portal.filters import cause_text, day, money, rate
from portal.services import month_wording
from portal.services.month_report import EURO, WRONG, Entry, MonthReport
from portal.services.sentences import cause_title, names_a_time

NOT_HERE = ("unknown_here", "unreadable")
"""Entries of invoices that have no page of ours."""


@dataclass(frozen=True)
class Change:
    """A field that is not what it was, in the reader's words."""

    field: str
    before: str
    now: str


@dataclass(frozen=True)
class Row:
    """An invoice in a group. `has_page`: it can be opened here."""

    entry: Entry
    day: date | None
    gross: Decimal | None
    reason: str
    changes: tuple[Change, ...]
    has_page: bool


@dataclass(frozen=True)
class Group:
    """All invoices with which the same is the matter; `rows` are the first ones."""

    what: str
    title: str
    meaning: str
    is_wrong: bool
    count: int
    rows: tuple[Row, ...]


def groups(report: MonthReport, kinds: Sequence[str], most: int) -> list[Group]:
    """Return what the report names, by kind in this order, `most` invoices of each."""
    found = []
    for what in kinds:
        entries = [entry for entry in report.entries if entry.what == what]
        if entries:
            found.append(
                Group(
                    what=what,
                    title=str(_(month_wording.ENTRIES[what])),
                    meaning=str(_(month_wording.MEANINGS[what])),
                    is_wrong=what in WRONG,
                    count=len(entries),
                    rows=tuple(row_of(entry) for entry in entries[:most]),
                )
            )
    return found


def row_of(entry: Entry) -> Row:
    return Row(
        entry=entry,
        day=date.fromisoformat(entry.day) if entry.day else None,
        gross=None if entry.gross is None else Decimal(entry.gross),
        reason=_reason(entry),
        changes=tuple(
            _change(edit["field"] or "", edit["before"], edit["now"]) for edit in entry.details
        ),
        has_page=entry.what not in NOT_HERE,
    )


def _reason(entry: Entry) -> str:
    """Return why; the time of a next try is not a matter of the month."""
    if not entry.cause:
        return ""
    if names_a_time(entry.cause):
        return cause_title(entry.cause)
    return cause_text(entry.cause, entry.params)


def headings() -> list[str]:
    return [
        _("What"),
        _("Invoice"),
        _("Date"),
        _("Count"),
        _("Net"),
        _("Amount"),
        _("Currency"),
        _("Cause"),
        _("Changed field"),
        _("Before"),
        _("Now"),
        _("Booking account"),
        _("Tax rate"),
        _("Receipt"),
        _("Id in Cobot"),
    ]


def rows(report: MonthReport) -> Iterator[list[str]]:
    """Yield the report as rows of a table under `headings`: figures, accounts, invoices, gaps."""
    figures = (
        (_("In Cobot"), report.cobot),
        (_("Booked in sevdesk"), report.booked),
        (_("of these without contact"), report.without_contact),
        (_("Not booked"), report.not_booked),
        (_("Skipped on purpose"), report.skipped),
    )
    for name, figure in figures:
        yield _cells(
            _("Sum: %(what)s", what=name),
            count=str(figure.count),
            gross=_plain(figure.gross),
            currency=EURO,
        )
    yield _cells(
        _("Sum: %(what)s", what=_("Difference")), gross=_plain(report.difference), currency=EURO
    )
    yield _cells("Cobot = sevdesk", count=_("yes") if report.is_equal else _("no"))
    for one in report.slices:
        yield _cells(
            _("By booking account"),
            count=str(one.lines),
            net=_plain(one.net),
            gross=_plain(one.gross),
            currency=EURO,
            account=f"{one.account} {one.name}".strip()
            or _("Receipts that were there already: accounts as in sevdesk"),
            rate=rate(one.rate) if one.rate else "",
        )
    for entry in report.entries:
        row = row_of(entry)
        for change in row.changes or (Change("", "", ""),):
            yield _cells(
                _(month_wording.ENTRIES[entry.what]),
                number=entry.number or "",
                day=day(row.day) if row.day else "",
                gross="" if row.gross is None else _plain(row.gross),
                currency=entry.currency or "",
                cause=row.reason,
                field=change.field,
                before=change.before,
                now=change.now,
                receipt=entry.voucher_id or "",
                cobot_id=entry.cobot_invoice_id,
            )
    for number in report.gaps:
        yield _cells(_("Number is missing"), number=number)


COLUMNS = (
    "number", "day", "count", "net", "gross", "currency", "cause", "field", "before", "now",
    "account", "rate", "receipt", "cobot_id",
)  # fmt: skip


def _cells(what: str, **cells: str) -> list[str]:
    return [str(what), *(str(cells.get(name, "")) for name in COLUMNS)]


def _plain(amount: Decimal) -> str:
    return str(format_decimal(amount, "0.00"))


def _change(field: str, before: str | None, now: str | None) -> Change:
    name, _separator, place = field.partition("line_")
    if place.isdigit() and not name:
        return Change(_(month_wording.LINE, place=place), _line(before), _line(now))
    words = month_wording.FIELDS.get(field)
    return Change(str(_(words)) if words else field, _value(field, before), _value(field, now))


def _value(field: str, value: str | None) -> str:
    if value is None:
        return "–"
    try:
        if field == "gross":
            return money(Decimal(value))
        if field == "date":
            return day(date.fromisoformat(value))
    except (InvalidOperation, ValueError):
        pass  # not what its name says: shown as it is
    return value


def _line(text: str | None) -> str:
    """Return a line, kept as "code · net · rate %", with its figures as the reader writes them."""
    parts = (text or "–").rsplit(" · ", 2)
    try:
        code, net, percent = parts
        return f"{code} · {money(Decimal(net))} · {rate(percent.removesuffix(' %'))}"
    except (InvalidOperation, ValueError):
        return " · ".join(parts)
