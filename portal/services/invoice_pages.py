"""One invoice for its page: its facts, its time line, and a text that may go to support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.core import core
from portal.database import db, utcnow
from portal.models import Admin, DebtorLink, HistoryLine, InvoiceSync, Space
from portal.money import to_cents
from portal.services import contact_search, skips
from portal.services.calls import calls_of
from portal.services.log import LogFilter, read_rows, rows_of
from portal.services.rows import reference

HISTORY_LINES = 500
LONGEST_STEP_SECONDS = 3600
"""Two lines further apart than this are not one piece of work."""
EXCERPT_LINES = 40


@dataclass(frozen=True)
class Moment:
    """A line of the history; `seconds` since the line before, where both are one attempt."""

    line: HistoryLine
    attempt: int | None
    seconds: float | None
    calls: Sequence[Mapping[str, Any]] = ()
    """What was called for it, masked; empty after RETENTION_CALLS_DAYS."""


@dataclass(frozen=True)
class InvoiceView:
    """One invoice with its history, newest line first; `people` maps Cobot user ids to e-mails."""

    invoice: InvoiceSync
    name: str | None
    moments: Sequence[Moment]
    people: Mapping[str, str] = field(default_factory=dict)
    link: DebtorLink | None = None
    """The contact that somebody chose for the invoice's debtor."""

    @property
    def lines(self) -> Sequence[HistoryLine]:
        return [moment.line for moment in self.moments]

    @property
    def reference(self) -> str:
        """Return what a person tells support."""
        return reference(self.invoice)

    @property
    def lines_total(self) -> Decimal | None:
        """Return the sum of the kept lines, None where there are none."""
        lines = self.invoice.lines
        return to_cents(sum((Decimal(line["gross"]) for line in lines), Decimal(0))) or (
            Decimal(0) if lines else None
        )

    @property
    def are_calls_gone(self) -> bool:
        """Say whether all that was called for this invoice is too old to be kept."""
        last = utcnow() - timedelta(days=core().config.retention_calls_days)
        return all(moment.line.at < last and not moment.calls for moment in self.moments)

    @property
    def can_skip(self) -> bool:
        invoice = self.invoice
        return skips.can_skip(invoice.state, invoice.step, invoice.sevdesk_voucher_id)

    @property
    def was_dismissed(self) -> bool:
        return skips.was_dismissed(self.invoice)

    @property
    def sums_agree(self) -> bool:
        return self.lines_total == self.invoice.gross


def invoice_view(space: Space, cobot_invoice_id: str) -> InvoiceView | None:
    """Return the invoice with its history; None when this space has no such invoice."""
    rows = read_rows(
        rows_of(space.id, LogFilter()).where(InvoiceSync.cobot_invoice_id == cobot_invoice_id)
    )
    if not rows:
        return None
    row = rows[0]
    lines = db.session.scalars(
        select(HistoryLine)
        .where(HistoryLine.space_id == space.id, HistoryLine.invoice_id == row.invoice.id)
        .order_by(HistoryLine.number.desc())
        .limit(HISTORY_LINES)
    ).all()
    return InvoiceView(
        row.invoice,
        row.name,
        list(_moments(lines, calls_of(space.id, lines))),
        people_of(lines),
        contact_search.link_of(space, row.invoice),
    )


def people_of(lines: Sequence[HistoryLine]) -> dict[str, str]:
    """Return the e-mails of those who acted, by their Cobot user id."""
    user_ids = {line.actor.partition(":")[2] for line in lines if ":" in line.actor}
    if not user_ids:
        return {}
    found = select(Admin.cobot_user_id, Admin.email).where(
        Admin.cobot_user_id.in_(user_ids), Admin.email != ""
    )
    return {row.cobot_user_id: row.email for row in db.session.execute(found)}


def support_text(space: Space, view: InvoiceView) -> str:
    """Return what support needs to know, in codes: no name, no address, no amount."""
    invoice = view.invoice
    head = {
        "reference": view.reference,
        "space": space.subdomain,
        "invoice": f"{invoice.number or '-'} ({invoice.cobot_invoice_id})",
        "state": f"{invoice.state}, step {invoice.step}",
        "cause": invoice.cause_code or "-",
        "attempts": invoice.attempts,
        "next try": _iso(invoice.next_try_at),
        "receipt": invoice.sevdesk_voucher_id or "-",
    }
    said = [f"{name}: {value}" for name, value in head.items()]
    return "\n".join(
        [*said, "", *(text for moment in view.moments[:EXCERPT_LINES] for text in _said(moment))]
    )


def _moments(
    lines: Sequence[HistoryLine], calls: Mapping[int, Sequence[Mapping[str, Any]]]
) -> Iterator[Moment]:
    for place, line in enumerate(lines):
        before = lines[place + 1] if place + 1 < len(lines) else None
        attempt = line.facts.get("attempt")
        seconds = None
        if before is not None and before.facts.get("attempt") == attempt is not None:
            passed = (line.at - before.at).total_seconds()
            seconds = passed if 0 <= passed <= LONGEST_STEP_SECONDS else None
        yield Moment(line, attempt, seconds, calls.get(line.id, ()))


def _said(moment: Moment) -> Iterator[str]:
    line = moment.line
    shown = ("attempt", "cause", "endpoint", "status", "request_id", "next_try_at", "voucher")
    facts: list[Any] = [f"{name}={line.facts[name]}" for name in shown if name in line.facts]
    actor = line.actor.partition(":")[0]
    yield " ".join([_iso(line.at), actor, line.step, line.outcome, *facts])
    for call in moment.calls:
        said = [f"{call['remote']} {call['endpoint']}", call["status"] or "no answer"]
        request_id = [f"request_id={call['request_id']}"] if call["request_id"] else []
        yield " ".join(map(str, ["  ", *said, f"{call['seconds']} s", *request_id]))


def _iso(value: Any) -> str:
    return "-" if value is None else str(value.isoformat(timespec="seconds"))
