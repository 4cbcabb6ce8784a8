"""What changed since booking, and which numbers are missing: for the month's comparison. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.cobot.records import Invoice
from portal.money import to_cents
from portal.sync.accounts import written_code
from portal.sync.taxes import line_rate, percent

MOST_GAPS = 200


@dataclass(frozen=True)
class Booked:
    """An invoice as it was when it was booked; `lines` as portal.sync.lines keeps them."""

    number: str
    day: date | None
    gross: Decimal
    customer_number: str | None
    lines: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Edit:
    """One field that is not what it was."""

    field: str
    before: str | None
    now: str | None


def edits_of(was: Booked, invoice: Invoice) -> list[Edit]:
    """Return what was changed in Cobot after booking, field by field.

    Customer numbers do not count: our own write-back changes them. Of a line code, net and rate
    are compared; rows from before lines were kept compare without them.
    """
    found = [
        Edit("number", was.number, invoice.number),
        Edit("date", _text(was.day), invoice.invoice_date.isoformat()),
        Edit("gross", str(was.gross), str(to_cents(invoice.gross))),
    ]
    if was.lines:
        before = [_line(line["code"], line["net"], line["rate"]) for line in was.lines]
        now = [
            _line(written_code(line), str(line.net), str(line_rate(line))) for line in invoice.lines
        ]
        found.append(Edit("line_count", str(len(before)), str(len(now))))
        found += [
            Edit(f"line_{place}", one, other)
            for place, (one, other) in enumerate(zip(before, now, strict=False), start=1)
        ]
    return [edit for edit in found if edit.before != edit.now]


def gaps_in(numbers: Sequence[str]) -> list[str]:
    """Return the numbers missing between the least and the greatest of each series.

    A series is what the last run of digits counts up, with the same text around it. A number that
    stands alone makes no gap, and neither does a jump so wide that it is none.
    """
    series: dict[tuple[str, str], dict[int, str]] = {}
    for number in numbers:
        match = _last_digits(number)
        if match is not None:
            before, digits, after = match
            series.setdefault((before, after), {})[int(digits)] = digits
    missing: list[str] = []
    for (before, after), known in sorted(series.items()):
        low, high = min(known), max(known)
        if high - low + 1 - len(known) > MOST_GAPS:
            continue
        width = min(len(digits) for digits in known.values())
        missing += [
            f"{before}{value:0{width}d}{after}"
            for value in range(low, high + 1)
            if value not in known
        ]
    return missing


def _last_digits(number: str) -> tuple[str, str, str] | None:
    found = re.fullmatch(r"(.*?)([0-9]{1,12})([^0-9]*)", number.strip())
    return (found[1], found[2], found[3]) if found else None


def _line(code: str | None, net: str, rate: str) -> str:
    return f"{code or '–'} · {to_cents(Decimal(net))} · {percent(Decimal(rate))} %"


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
