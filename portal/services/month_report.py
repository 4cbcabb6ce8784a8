"""What the comparison of a month says, and how it is kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

EURO = "EUR"
WRONG = (
    "deleted_in_sevdesk",
    "sum_differs",
    "changed_in_sevdesk",
    "twice_in_sevdesk",
    "edited",
    "deleted_in_cobot",
    "not_booked",
    "unknown_here",
    "made_by_hand",
    "other_client",
    "unreadable",
)
"""What keeps both sides from being equal, in the order in which it is shown."""
EXPLAINED = ("skipped", "deleted_unbooked", "without_contact")
"""What is only said."""


@dataclass(frozen=True)
class Figure:
    """How many, and their gross sum in euro."""

    count: int
    gross: Decimal


@dataclass(frozen=True)
class Entry:
    """One invoice that the report names, and why.

    `what` is one of WRONG or EXPLAINED; `details` are the differences field by field.
    """

    what: str
    number: str | None
    cobot_invoice_id: str
    day: str | None
    gross: str | None
    currency: str | None = None
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
    """All invoices; the sum is of those in euro, as all sums here."""
    foreign: int
    """How many of them are in another currency."""
    booked: Figure
    """Receipts that stand in sevdesk, with and without contact; amounts as sevdesk shows them."""
    without_contact: Figure
    not_booked: Figure
    skipped: Figure
    difference: Decimal
    """Cobot's gross less that in sevdesk."""
    entries: tuple[Entry, ...]
    gaps: tuple[str, ...]
    """Numbers missing between two that are there, and that no invoice we know of has."""
    slices: tuple[Slice, ...]
    """As booked; what was changed in sevdesk afterwards stands among the entries."""
    is_equal: bool
    """Both sides were read, every invoice has its receipt, and all sums agree to the cent."""

    @property
    def wrong(self) -> int:
        """Return how many differences it names, gaps in the numbers apart."""
        return sum(entry.what in WRONG for entry in self.entries)


def from_plain(plain: Mapping[str, Any]) -> MonthReport:
    """Return a report from the JSON it was kept as."""
    figures = ("cobot", "booked", "without_contact", "not_booked", "skipped")
    return MonthReport(
        year=plain["year"],
        month=plain["month"],
        foreign=plain["foreign"],
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
