"""Failed invoices grouped by cause: what is in the way, what is repaired, and trying again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import Text, cast, exists, func, literal_column, or_, select

from portal.cobot.records import Line
from portal.core import core
from portal.database import db, utcnow
from portal.errors import BudgetExhausted, RemoteError
from portal.models import Chart, InvoiceSync, Space, State
from portal.models.invoice import IN_EURO
from portal.money import ZERO
from portal.services import charts, clients, patience, pauses, retry
from portal.services.groups import group_params
from portal.sync.accounts import AccountIndex, AccountMatch
from portal.tenancy import all_spaces

log = structlog.get_logger(__name__)

OPEN_STATES = (State.FAILED, State.MISMATCHED)
CHART_EVERY = timedelta(minutes=5)
"""So often at the most sevdesk's chart is read anew for healing by itself."""
HEALED_BY_CHART = (
    "account_missing",
    "account_ambiguous",
    "rule_not_allowed",
    "small_business_with_tax",
    "cost_centre_missing",
)
PATIENCE_SECONDS = 5
IDS = 500


@dataclass(frozen=True)
class CauseGroup:
    """Open invoices with one cause.

    `key` names the group in a form; `params` fill the catalogue's sentence. `is_gone`: the cause
    is gone as far as can be told from here (None: only a new attempt tells).
    """

    key: str
    state: str
    cause: str
    params: dict[str, str]
    count: int
    gross: Decimal
    is_gone: bool | None = None

    @property
    def can_retry(self) -> bool:
        """Whether one press is worth it: not while the cause is known to stand, nor where a person
        decides one by one."""
        return (
            self.state == State.FAILED
            and self.is_gone is not False
            and self.cause not in retry.DECIDED_ONE_BY_ONE
        )


def groups(
    space: Space, *, anew: bool = False, counted: Sequence[CauseGroup] | None = None
) -> list[CauseGroup]:
    """Return the causes of all open invoices of a space, most money first.

    `anew` reads sevdesk's chart now ("Neu prüfen"), and only then RemoteError is raised; else what
    was last read counts. `counted` is what `groups_of` said, where somebody kept it.
    """
    found = groups_of([space.id]).get(space.id, []) if counted is None else counted
    index = _index(space, anew=anew)
    has_centre = _has_cost_centre(space, anew=anew)
    return [
        CauseGroup(**{**vars(group), "is_gone": _is_gone(space, group, index, has_centre)})
        for group in found
    ]


def groups_of(space_ids: Sequence[int]) -> dict[int, list[CauseGroup]]:
    """Return the groups of several spaces, in one statement; nothing is known of repairs."""
    params = cast(InvoiceSync.cause_params, Text)
    rows = db.session.execute(
        select(
            InvoiceSync.space_id,
            InvoiceSync.state,
            InvoiceSync.cause_code,
            params,
            func.count(),
            func.sum(IN_EURO),
        )
        .where(
            InvoiceSync.space_id.in_(list(space_ids)),
            InvoiceSync.state.in_(OPEN_STATES),
            InvoiceSync.cause_code.is_not(None),
        )
        .group_by(InvoiceSync.space_id, InvoiceSync.state, InvoiceSync.cause_code, params)
    ).all()
    merged: dict[tuple[int, str], CauseGroup] = {}
    for space_id, state, cause, written, count, gross in rows:
        name, shown = group_params(cause, json.loads(written or "{}"))
        key = f"{state}|{cause}|{name}"
        known = merged.get((space_id, key))
        merged[space_id, key] = CauseGroup(
            key=key,
            state=str(state),
            cause=cause or "",
            params=known.params if known else shown,
            count=count + (known.count if known else 0),
            gross=(gross or ZERO) + (known.gross if known else ZERO),
        )
    found: dict[int, list[CauseGroup]] = {}
    for (space_id, _), group in merged.items():
        found.setdefault(space_id, []).append(group)
    for some in found.values():
        some.sort(key=lambda group: (-abs(group.gross), group.key))
    return found


def ids_of(space: Space, key: str) -> list[int]:
    """Return the row ids of a group's invoices, oldest first."""
    parts = key.split("|", 2)
    if len(parts) != 3 or parts[0] not in OPEN_STATES:
        return []
    state, cause, _ = parts
    rows = db.session.execute(
        select(InvoiceSync.id, InvoiceSync.cause_params)
        .where(
            InvoiceSync.space_id == space.id,
            InvoiceSync.state == state,
            InvoiceSync.cause_code == cause,
        )
        .order_by(InvoiceSync.id)
    ).all()
    return [
        row_id
        for row_id, params in rows
        if f"{state}|{cause}|{group_params(cause, params)[0]}" == key
    ]


def retry_group(space: Space, key: str, *, actor: str) -> int:
    """Try every failed invoice of a group again with one press; return how many. Commits, wakes."""
    if not space.is_connected or not key.startswith(f"{State.FAILED}|"):
        db.session.rollback()
        return 0
    cause = key.split("|", 2)[1]
    if cause in retry.DECIDED_ONE_BY_ONE:
        db.session.rollback()
        return 0
    if cause in charts.CHART_CAUSES:
        charts.doubt(space)
    count = _make_due(space, ids_of(space, key), actor)
    if count:
        space.wake_at = utcnow()
    db.session.commit()
    core().queue.wake(space.id)
    return count


def retry_code(space: Space, code: str, *, actor: str) -> int:
    """Try again what waits for the account of one accounting code. The caller commits and wakes."""
    count = 0
    name, _ = group_params("account_missing", {"code": code})
    for cause in ("account_missing", "account_ambiguous"):
        count += _make_due(space, ids_of(space, f"{State.FAILED}|{cause}|{name}"), actor)
    # The refusal names the account and not the code: all of them are tried again.
    count += retry.retry_causes(space, ("rule_not_allowed",), actor=actor)
    if count:
        space.wake_at = utcnow()
    return count


def heal_itself(space_id: int) -> int:
    """Try again what failed for a cause that is gone; return how many invoices. Commits, wakes.

    Only where the space allows it, and with a chart that is read anew every few minutes at the
    most.
    """
    space = db.session.get(Space, space_id, populate_existing=True)
    db.session.commit()
    if space is None or not space.is_connected or space.is_paused or not space.auto_retry:
        return 0
    found = [group for group in groups_of([space_id]).get(space_id, []) if _may_heal(group)]
    db.session.commit()
    if not found:
        return 0
    try:
        remotes = clients.remotes_of(space)
        db.session.commit()
        index = charts.index_of(space, remotes, younger_than=CHART_EVERY)
        has_centre = charts.has_cost_centre(space, remotes)
    except BudgetExhausted:
        return 0
    except RemoteError as err:
        log.info("not healed, a remote side is away", space=space_id, error=str(err))
        db.session.rollback()
        if (code := pauses.stop_code(err)) is not None:
            pauses.pause(space, code)
        return 0
    healed = 0
    for group in found:
        if _is_gone(space, group, index, has_centre):
            healed += _make_due(space, ids_of(space, group.key), "portal")
    if healed:
        space.wake_at = utcnow()
        log.info("causes are gone, trying again", space=space_id, invoices=healed)
    db.session.commit()
    if healed:
        core().queue.wake(space_id)
    return healed


@all_spaces("causes that may be gone")
def send_all_spaces_to_heal(now: datetime) -> None:
    """Queue healing for the spaces whose chart is old enough and that have something to heal."""
    waits = exists().where(
        InvoiceSync.space_id == Space.id,
        InvoiceSync.state == literal_column(f"'{State.FAILED}'"),  # as the index of just these says
        InvoiceSync.cause_code.in_(HEALED_BY_CHART),
    )
    ids = db.session.scalars(
        select(Space.id)
        .join(Chart, Chart.space_id == Space.id, isouter=True)
        .where(
            Space.connected_at.is_not(None),
            Space.paused_at.is_(None),
            Space.auto_retry.is_(True),
            or_(Chart.read_at.is_(None), Chart.read_at < now - CHART_EVERY),
            waits,
        )
    ).all()
    db.session.commit()
    for space_id in ids:
        core().queue.heal(space_id)


def _make_due(space: Space, ids: Sequence[int], actor: str) -> int:
    count = 0
    for at in range(0, len(ids), IDS):
        rows = db.session.scalars(
            select(InvoiceSync)
            .where(
                InvoiceSync.space_id == space.id,
                InvoiceSync.id.in_(ids[at : at + IDS]),
                InvoiceSync.state == State.FAILED,
            )
            .order_by(InvoiceSync.id)
            .execution_options(populate_existing=True)
        ).all()
        for row in rows:
            retry.make_due(row, actor)
            count += 1
    return count


def _may_heal(group: CauseGroup) -> bool:
    return group.state == State.FAILED and group.cause in HEALED_BY_CHART


def _is_gone(
    space: Space, group: CauseGroup, index: AccountIndex | None, has_centre: bool | None
) -> bool | None:
    cause, params = group.cause, group.params
    if cause == "tax_rule_needed":
        return space.zero_tax_rule is not None
    if cause == "correction_choice_needed":
        return space.corrections != "ask"
    if cause == "totals_differ":
        return True if space.cent_difference else None
    if cause == "cost_centre_missing":
        return has_centre
    if index is None:
        return None
    if cause in ("account_missing", "account_ambiguous"):
        code, by_number = params.get("code"), params.get("by") == "number"
        line = Line(
            "",
            ZERO,
            ZERO,
            "EUR",
            accounting_code=None if by_number else code,
            revenue_account_number=code if by_number else None,
        )
        return isinstance(index.match(line), AccountMatch)
    if cause == "small_business_with_tax":
        return not index.is_small_business
    if cause == "rule_not_allowed":
        return _allows(index, params)
    return None


def _allows(index: AccountIndex, params: dict[str, Any]) -> bool | None:
    """Say whether the account that refused now takes the rule; None where it is gone or renamed."""
    for account in index.accounts:
        if account.number == params.get("number") and account.name == params.get("name"):
            rates = account.rules.get(params.get("rule", ""), frozenset())
            return int(params.get("rate", "-1")) in rates
    return None


def _index(space: Space, *, anew: bool) -> AccountIndex | None:
    if not anew:
        return charts.last_index(space)
    charts.doubt(space)
    db.session.commit()
    return charts.index_of(space, _patient(space))


def _has_cost_centre(space: Space, *, anew: bool) -> bool | None:
    """Say whether the cost centre is there; `anew` after the accounts were read anew."""
    if space.cost_centre_number is None:
        return True
    if anew:
        return charts.has_cost_centre(space, _patient(space))
    chart = db.session.get(Chart, space.id)
    return chart.cost_centre_found if chart else None


def _patient(space: Space) -> clients.Remotes:
    sevdesk = clients.sevdesk_of(space, patience.of_a_person(PATIENCE_SECONDS))
    remotes = clients.Remotes(cobot=clients.cobot_of(space), sevdesk=sevdesk)
    db.session.commit()
    return remotes
