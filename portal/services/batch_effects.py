"""What a batch would do with each invoice: for its preview."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

from portal.cobot.records import Line
from portal.database import db
from portal.errors import PortalError
from portal.models import Space, State
from portal.models.invoice import IN_WORK
from portal.services import charts, clients, patience, retry, skips
from portal.sync.accounts import AccountIndex, AccountMatch

RETRY, SKIP, TAKE_UP = "retry", "skip", "take_up"
PATIENCE_SECONDS = 5
YOUNG = timedelta(microseconds=1)
"""Who asks may have repaired something a second ago: the booking accounts are read anew."""

Effect = Literal["to_try", "booked", "needs_account", "needs_choice", "running", "others"]
EFFECTS: tuple[Effect, ...] = (
    "to_try",
    "booked",
    "needs_account",
    "needs_choice",
    "running",
    "others",
)


def effect_of(space: Space, kind: str, row: Any, index: AccountIndex | None) -> Effect:
    """Return what a batch of this kind would do with an invoice; `row` has the columns of it.

    `index` are the booking accounts now, None where they are not known or do not matter.
    """
    if row.state in (State.SYNCED, State.MISMATCHED):
        return "booked"
    if kind == SKIP and skips.can_skip(row.state, row.step, row.sevdesk_voucher_id):
        return "to_try"
    if kind == TAKE_UP and skips.was_dismissed(row):
        return "to_try"
    if kind != RETRY:
        return "running" if row.state in IN_WORK else "others"
    if row.state in IN_WORK and not (row.state == State.WAITING and row.attempts):
        return "running"
    if row.state == State.SKIPPED:
        return "to_try" if row.cause_code in retry.SKIPS_THAT_CHANGE else "others"
    for needs_choice in _CHOICES:
        if row.cause_code == needs_choice[0] and needs_choice[1](space):
            return "needs_choice"
    if row.cause_code in retry.DECIDED_ONE_BY_ONE:
        return "others"
    if index is not None and row.cause_code in charts.CHART_CAUSES and _lacks(row.lines, index):
        return "needs_account"
    return "to_try"


_CHOICES: tuple[tuple[str, Callable[[Space], bool]], ...] = (
    ("tax_rule_needed", lambda space: space.zero_tax_rule is None),
    ("correction_choice_needed", lambda space: space.corrections == "ask"),
)


def _lacks(lines: Sequence[dict[str, Any]], index: AccountIndex) -> bool:
    """Whether a line still has no booking account. Lines without a code may have one by now."""
    return any(not isinstance(index.match(line), AccountMatch) for line in _coded(lines))


def _coded(lines: Sequence[dict[str, Any]]) -> Iterator[Line]:
    for line in lines:
        if line.get("code"):
            yield Line("", Decimal(0), Decimal(0), "EUR", accounting_code=line["code"])


def accounts(space: Space) -> AccountIndex | None:
    """Return the booking accounts as sevdesk shows them now; None where it cannot be asked."""
    try:
        sevdesk = clients.sevdesk_of(space, patience.of_a_person(PATIENCE_SECONDS))
        cobot = clients.cobot_of(space)
        remotes = clients.Remotes(cobot=cobot, sevdesk=sevdesk)
        db.session.commit()
        return charts.index_of(space, remotes, younger_than=YOUNG)
    except PortalError:
        db.session.rollback()
        return None
