"""The nightly comparison with Cobot's list: what no webhook told us is found here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import ColumnElement, or_, select

from portal.core import core
from portal.crypto import SealBroken
from portal.database import db, utcnow
from portal.errors import BudgetExhausted, Forbidden, RemoteError
from portal.models import InvoiceSync, MemberSync, Space, State
from portal.models.invoice import LISTED
from portal.services import (
    budgets,
    clients,
    pauses,
    plan_lists,
    record,
    retry,
    spot_checks,
    subscriptions,
)
from portal.services.clients import Remotes

log = structlog.get_logger(__name__)

T = TypeVar("T")

WINDOW = timedelta(days=45)
"""How far back the nightly list reaches: Cobot knows no "changed since", so a window is read anew,
longer than a month so that a monthly run is always in it."""

LONGEST_BACK = timedelta(days=3653)
"""So far back older invoices are taken over at the most: ten years."""

JUST_CONNECTED = timedelta(hours=1)
"""Within so short a time no member can have been missed."""


def is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition on a space that its comparison is to come: once a day after CATCH_UP_AT,
    after a connection, and where subscriptions are still to be made."""
    config = core().config
    local = now.astimezone(config.zone)
    wanted: list[ColumnElement[bool]] = [
        Space.subscribed_at.is_(None),
        Space.caught_up_on.is_(None),  # just connected, or connected again
    ]
    if local.time() >= config.catch_up_at:
        wanted.append(Space.caught_up_on < local.date())
    return or_(*wanted)


def ask(space: Space) -> bool:
    """Have a worker compare the space with Cobot's list now; False while it is not at work.
    Commits.

    Asked for twice it is made once; without a worker or a call left upkeep asks again.
    """
    if space.connected_at is None or space.is_paused:
        return False
    space.caught_up_on = None
    db.session.commit()
    core().queue.catch_up(space.id)
    return True


def catch_up_if_due(space_id: int) -> int:
    """Catch up unless it was done meanwhile: upkeep may have asked again while the first worked."""
    due = select(Space.id).where(Space.id == space_id, is_due(utcnow()))
    is_wanted = db.session.scalar(due) is not None
    db.session.commit()
    return catch_up(space_id) if is_wanted else 0


def catch_up(space_id: int) -> int:
    """Renew the subscriptions, add the invoices and members that we do not know, look whether some
    receipts are still there; return how many were added.

    Reads from the space's start date, at most WINDOW back. What cannot be done now is left for the
    next round. Source of the list: https://dev.cobot.me (GET /spaces/{id}/invoices).
    """
    space = db.session.get(Space, space_id, populate_existing=True)
    db.session.commit()
    if space is None or space.connected_at is None or space.is_paused:
        return 0
    today = utcnow().astimezone(core().config.zone).date()
    is_with_members = space.connected_at < utcnow() - JUST_CONNECTED
    try:
        if is_with_members:
            # Asked before anything is read: the list of members has the smallest budget, and all
            # spaces of one owner share it.
            key = f"cobot|{space.cobot_user_id}|{budgets.MEMBER_LIST}"
            budgets.need(key, budgets.cobot_limit(budgets.MEMBER_LIST), 1)
        subscriptions.renew(space)
        remotes = clients.remotes_of(space)
        db.session.commit()
        added = _compare(space, remotes, today)
        if is_with_members:
            added += _if_allowed(space, lambda: _add_missed_members(space, remotes)) or 0
        gone = _if_allowed(space, lambda: spot_checks.look(space, remotes.sevdesk)) or 0
    except BudgetExhausted as err:
        log.info("catching up goes on later", space=space_id, error=str(err))
        return 0
    except SealBroken:
        pauses.pause(space, "token_unreadable")
        return 0
    except RemoteError as err:
        db.session.rollback()
        log.warning("catching up failed", space=space_id, error=str(err))
        if (code := pauses.stop_code(err)) is not None:
            pauses.pause(db.session.get_one(Space, space_id), code)
        return 0
    # Before tonight's hour the comparison of tonight is still to come.
    local = utcnow().astimezone(core().config.zone)
    is_tonights = local.time() >= core().config.catch_up_at
    space.caught_up_on = today if is_tonights else today - timedelta(days=1)
    record.note(space_id, "caught_up", "done", added=added, receipts_gone=gone or None)
    db.session.commit()
    if added or gone:
        core().queue.wake(space_id)
    return added


def _if_allowed(space: Space, compare: Callable[[], T]) -> T | None:
    """Do one part of the comparison; None where a right is missing that this part alone needs: it
    keeps the others from nothing."""
    try:
        return compare()
    except Forbidden as err:
        if pauses.stop_code(err) is not None:
            raise
        db.session.rollback()
        log.warning("a part of catching up is not allowed", space=space.id, error=str(err))
        db.session.commit()
        return None


def _first_day(space: Space, today: date) -> date:
    """Return from which day on the list is read: WINDOW before the last comparison, after a
    reconnect from the space's start date, and never before that."""
    last = space.caught_up_on or today
    begin = space.start_date or today
    # Nobody means such dates; they were saved before the form refused them.
    if begin < today - LONGEST_BACK:
        begin = last - WINDOW
    elif begin > today:
        begin = last
    since = min(today, space.caught_up_on or begin)
    return max(begin, since - WINDOW)


def _compare(space: Space, remotes: Remotes, today: date) -> int:
    start = _first_day(space, today)
    added = 0
    page, pages = 1, 1
    while page <= pages:
        # To the end of tomorrow: the space's zone may be ahead of ours.
        listed = remotes.cobot.invoices(space.cobot_id, start, today + timedelta(days=1), page)
        pages = listed.total_pages
        ours = [one.id for one in listed.invoices if one.space_id in (None, space.cobot_id)]
        # One that cannot be read gets a row too: its own read then ends with its own cause.
        added += _take_up(space, [*ours, *listed.unreadable_ids])
        page += 1
    return added


def _take_up(space: Space, cobot_ids: list[str]) -> int:
    """Add the invoices of a list that we do not have, and take up again those that were left out
    since Cobot did not show them before."""
    known = {
        row.cobot_invoice_id: row
        for row in db.session.scalars(
            select(InvoiceSync)
            .where(InvoiceSync.space_id == space.id, InvoiceSync.cobot_invoice_id.in_(cobot_ids))
            .execution_options(populate_existing=True)
        )
    }
    missing = [one for one in cobot_ids if one not in known]
    for cobot_id in missing:
        invoice = record.add_invoice(space.id, cobot_id, announced_at=utcnow())
        record.note(space.id, "announced", "done", invoice=invoice, event=LISTED)
    back = [row for row in known.values() if _was_not_shown(row)]
    for row in back:
        row.changed_in_cobot = LISTED
        retry.make_due(row, record.PORTAL)
    count = len(missing) + len(back)
    if count:
        space.wake_at = utcnow()
    db.session.commit()
    return count


def _was_not_shown(row: InvoiceSync) -> bool:
    return row.state == State.SKIPPED and row.cause_code in retry.NOT_SHOWN_BEFORE


def _add_missed_members(space: Space, remotes: Remotes) -> int:
    """Add the members that were confirmed since the space was connected and that no hook told of.

    Those of before are imported by a person, who sees first what would be made.
    """
    assert space.connected_at is not None
    members, _ = remotes.cobot.memberships()
    plan_lists.keep(space.id, plan_lists.counted(members))
    known = set(
        db.session.scalars(
            select(MemberSync.cobot_membership_id).where(MemberSync.space_id == space.id)
        )
    )
    added = 0
    for one in members:
        if one.id in known or one.confirmed_at is None or one.confirmed_at < space.connected_at:
            continue
        member = record.add_member(space.id, one.id, announced_at=utcnow())
        if member is not None:
            record.note(space.id, "announced", "done", member=member, event=LISTED)
            added += 1
    if added:
        space.wake_at = utcnow()
    db.session.commit()
    return added
