"""The booking accounts of a space's sevdesk client, kept for some minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from portal.core import core
from portal.database import db, insert_or_update, utcnow
from portal.models import AccountMapping, Chart, Space
from portal.services import record
from portal.services.clients import Remotes
from portal.sevdesk.records import BookingAccount
from portal.sync.accounts import AccountIndex

READ_ANEW_AFTER = timedelta(seconds=30)
"""An invoice is not called blocked by a chart older than this (once per space, however many)."""

MOST_INDEXES = 200
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

CHART_CAUSES = {
    "account_missing",
    "account_ambiguous",
    "rule_not_allowed",
    "small_business_with_tax",
    "rate_not_supported",
    "cost_centre_missing",
}
"""Refusals that a change of accounts or cost centres in sevdesk can lift."""


def index_of(
    space: Space, remotes: Remotes, *, younger_than: timedelta | None = None
) -> AccountIndex:
    """Return the space's booking accounts ready for matching, read anew when they are too old.

    Raises RemoteError when they must be read and cannot be.
    """
    chart = db.session.get(Chart, space.id, populate_existing=True)
    max_age = younger_than
    if max_age is None:
        max_age = timedelta(seconds=core().config.chart_max_age_seconds)
    db.session.commit()
    if chart is None or utcnow() - chart.read_at > max_age:
        chart = _read(space, remotes)
    return _index(space, chart)


def last_index(space: Space) -> AccountIndex | None:
    """Return the booking accounts as last read, however long ago, without a call."""
    chart = db.session.get(Chart, space.id, populate_existing=True)
    db.session.commit()
    return _index(space, chart) if chart is not None else None


def may_heal(space: Space, code: str) -> bool:
    """Say whether reading the chart anew could change a refusal: once per space and 30 s."""
    if code not in CHART_CAUSES:
        return False
    chart = db.session.get(Chart, space.id)
    db.session.commit()
    return chart is None or utcnow() - chart.read_at > READ_ANEW_AFTER


def has_cost_centre(space: Space, remotes: Remotes) -> bool:
    """Say whether the space's cost centre still stands in sevdesk (asked every few minutes)."""
    if space.cost_centre_number is None:
        return True
    chart = db.session.get(Chart, space.id)
    db.session.commit()
    max_age = timedelta(seconds=core().config.chart_max_age_seconds)
    if chart is None:
        return True
    if chart.cost_centre_read_at is None or utcnow() - chart.cost_centre_read_at > max_age:
        found = {centre.id for centre in remotes.sevdesk.cost_centres()}
        is_back = not chart.cost_centre_found and space.cost_centre_id in found
        chart.cost_centre_found = space.cost_centre_id in found
        chart.cost_centre_read_at = utcnow()
        db.session.commit()
        if is_back:
            core().queue.heal(space.id)
    return chart.cost_centre_found


def doubt(space: Space) -> None:
    """Read booking accounts and cost centre anew at the next use: a person repaired something, or
    sevdesk says otherwise. No commit."""
    db.session.execute(
        update(Chart)
        .where(Chart.space_id == space.id)
        .values(read_at=LONG_AGO, cost_centre_read_at=None)
    )


def forget(space: Space) -> None:
    """Read everything anew next time: the token or the cost centre changed. Commits."""
    db.session.execute(delete(Chart).where(Chart.space_id == space.id))
    db.session.commit()
    core().chart_indexes.pop(space.id, None)


def _read(space: Space, remotes: Remotes) -> Chart:
    accounts = [_to_json(account) for account in remotes.sevdesk.revenue_accounts()]
    now = utcnow()
    before = db.session.scalar(select(Chart.accounts).where(Chart.space_id == space.id))
    is_changed = before is not None and before != accounts
    if is_changed:
        record.touch_space(space.id)  # open logs show which causes are gone
    db.session.execute(
        insert_or_update(
            Chart,
            {"space_id": space.id, "accounts": accounts, "read_at": now, "cost_centre_found": True},
            unique=("space_id",),
            change={"accounts": accounts, "read_at": now},
        )
    )
    chart = db.session.get(Chart, space.id, populate_existing=True)
    assert chart is not None
    db.session.commit()
    if is_changed:
        # Where invoices come all the time, the chart is never old enough for upkeep to look.
        core().queue.heal(space.id)
    return chart


def _index(space: Space, chart: Chart) -> AccountIndex:
    rows = db.session.execute(
        select(AccountMapping.code, AccountMapping.account_id)
        .where(AccountMapping.space_id == space.id)
        .order_by(AccountMapping.code)
    ).all()
    db.session.commit()
    mappings = tuple((code, account_id) for code, account_id in rows)
    kept = core().chart_indexes
    cached = kept.get(space.id)
    if cached is None or cached[:2] != (chart.read_at, mappings):
        # Parsing thousands of accounts for every invoice would cost more than the invoice.
        index = AccountIndex([_from_json(row) for row in chart.accounts], dict(mappings))
        cached = (chart.read_at, mappings, index)
        kept[space.id] = cached
        if len(kept) > MOST_INDEXES:
            kept.pop(next(iter(kept)))
    found: AccountIndex = cached[2]
    return found


def _to_json(account: BookingAccount) -> dict[str, Any]:
    return {
        "id": account.id,
        "number": account.number,
        "name": account.name,
        "rules": {rule: sorted(rates) for rule, rates in account.rules.items()},
    }


def _from_json(row: dict[str, Any]) -> BookingAccount:
    return BookingAccount(
        id=row["id"],
        number=row["number"],
        name=row["name"],
        rules={rule: frozenset(rates) for rule, rates in row["rules"].items()},
    )
