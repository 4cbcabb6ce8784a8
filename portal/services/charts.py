"""The booking accounts of a space's sevdesk client, kept for some minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, delete, select, update

from portal.core import core
from portal.database import db, insert_or_update, table_of, utcnow
from portal.models import AccountMapping, Chart, Space
from portal.services import record
from portal.services.clients import Remotes
from portal.sevdesk.records import BookingAccount, CostCentre
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
    max_age = younger_than
    if max_age is None:
        max_age = timedelta(seconds=core().config.chart_max_age_seconds)
    kept = _kept(space)
    if kept is None or utcnow() - kept.read_at > max_age:
        _read(space, remotes)
        kept = _kept(space)
        assert kept is not None
    return _index(space, kept)


@dataclass(frozen=True)
class AtHand:
    """What a plan needs of a space's chart, where nothing must be asked for it."""

    index: AccountIndex
    has_cost_centre: bool


def beside(query: Select[Any]) -> Select[Any]:
    """Return a query about `space` with what is kept of its chart beside, for `at_hand`: its row
    comes once for each mapping, and at least once."""
    mapped = _MAPPINGS.c.space_id == bindparam("space")
    return (
        query.add_columns(*_KEPT)
        .outerjoin(_CHARTS, _CHARTS.c.space_id == bindparam("space"))
        .outerjoin(_MAPPINGS, mapped)
        .order_by(_MAPPINGS.c.code)
    )


def at_hand(space: Space, rows: Sequence[Any]) -> AtHand | None:
    """Return the booking accounts by what was read `beside` something else, None where a call would
    be needed: what is read anew or for the first time is read by `index_of`."""
    cached = core().chart_indexes.get(space.id)
    first = rows[0]
    if cached is None or first.read_at is None:
        return None
    oldest = utcnow() - timedelta(seconds=core().config.chart_max_age_seconds)
    if first.read_at < oldest or cached[0] != _kept_of(rows):
        return None
    if space.cost_centre_number is None:
        return AtHand(cached[1], has_cost_centre=True)
    if first.cost_centre_read_at is None or first.cost_centre_read_at < oldest:
        return None
    return AtHand(cached[1], has_cost_centre=bool(first.cost_centre_found))


def last_index(space: Space) -> AccountIndex | None:
    """Return the booking accounts as last read, however long ago, without a call."""
    kept = _kept(space)
    return _index(space, kept) if kept is not None else None


def read_at(space: Space) -> datetime | None:
    """Return when the booking accounts were read last; None where they are to be read anew."""
    found = db.session.scalar(_READ_AT, {"space": space.id})
    return None if found == LONG_AGO else found


def may_heal(space: Space, code: str) -> bool:
    """Say whether reading the chart anew could change a refusal: once per space and 30 s."""
    if code not in CHART_CAUSES:
        return False
    last = db.session.scalar(_READ_AT, {"space": space.id})
    db.session.commit()
    return last is None or utcnow() - last > READ_ANEW_AFTER


def has_cost_centre(space: Space, remotes: Remotes) -> bool:
    """Say whether the space's cost centre still stands in sevdesk (asked every few minutes).

    One that was made again is known by its number, and the space has its id from then on.
    """
    if space.cost_centre_number is None:
        return True
    found = db.session.execute(
        select(Chart.cost_centre_found, Chart.cost_centre_read_at).where(Chart.space_id == space.id)
    ).one_or_none()
    db.session.commit()
    max_age = timedelta(seconds=core().config.chart_max_age_seconds)
    if found is None:
        return True
    was_found, read_at = found
    if read_at is not None and utcnow() - read_at <= max_age:
        return bool(was_found)
    is_found = _is_among(space, remotes.sevdesk.cost_centres())
    db.session.execute(
        update(Chart)
        .where(Chart.space_id == space.id)
        .values(cost_centre_found=is_found, cost_centre_read_at=utcnow())
    )
    db.session.commit()
    if is_found and not was_found:
        core().queue.heal(space.id)
    return is_found


def _is_among(space: Space, centres: Sequence[CostCentre]) -> bool:
    if space.cost_centre_id in {one.id for one in centres}:
        return True
    of_number = [one for one in centres if one.number.strip() == space.cost_centre_number]
    if len(of_number) == 1:
        space.cost_centre_id = of_number[0].id
    return len(of_number) == 1


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


_CHARTS, _MAPPINGS = table_of(Chart), table_of(AccountMapping)
_KEPT = (
    _CHARTS.c.read_at,
    _CHARTS.c.cost_centre_found,
    _CHARTS.c.cost_centre_read_at,
    _MAPPINGS.c.code,
    _MAPPINGS.c.account_id,
)
_AS_KEPT = (
    select(*_KEPT)
    .select_from(_CHARTS)
    .outerjoin(_MAPPINGS, _MAPPINGS.c.space_id == _CHARTS.c.space_id)
    .where(_CHARTS.c.space_id == bindparam("space"))
    .order_by(_MAPPINGS.c.code)
)

_READ_AT = select(_CHARTS.c.read_at).where(_CHARTS.c.space_id == bindparam("space"))


@dataclass(frozen=True)
class _Kept:
    """What is kept of a space's accounts but for themselves: there may be thousands."""

    read_at: datetime
    mappings: tuple[tuple[str, int], ...]


def _kept(space: Space) -> _Kept | None:
    rows = db.session.execute(_AS_KEPT, {"space": space.id}).all()
    db.session.commit()
    return _kept_of(rows) if rows else None


def _kept_of(rows: Sequence[Any]) -> _Kept:
    mappings = tuple((row.code, row.account_id) for row in rows if row.code is not None)
    return _Kept(rows[0].read_at, mappings)


def _read(space: Space, remotes: Remotes) -> None:
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
    db.session.commit()
    if is_changed:
        # Where invoices come all the time, the chart is never old enough for upkeep to look.
        core().queue.heal(space.id)


def _index(space: Space, kept: _Kept) -> AccountIndex:
    indexes = core().chart_indexes
    cached = indexes.get(space.id)
    if cached is None or cached[0] != kept:
        accounts = db.session.scalar(select(Chart.accounts).where(Chart.space_id == space.id))
        db.session.commit()
        index = AccountIndex([_from_json(row) for row in accounts or ()], dict(kept.mappings))
        cached = indexes[space.id] = (kept, index)
        if len(indexes) > MOST_INDEXES:
            indexes.pop(next(iter(indexes)))
    found: AccountIndex = cached[1]
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
