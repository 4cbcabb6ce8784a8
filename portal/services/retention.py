"""Letting old things go: whole invoices with their history, and what the space's chain keeps of it.

Periods end with the calendar year, as those of German tax law do (§ 147 AO).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, or_, select

from portal import rowsecurity
from portal.core import core
from portal.database import db, utcnow
from portal.models import (
    AccountMapping,
    Batch,
    Chart,
    DebtorLink,
    HistoryLine,
    InboxEvent,
    InvoiceSync,
    LostRight,
    MemberSync,
    PersonName,
    PlanList,
    PrunePermit,
    Space,
    SpaceAdmin,
    State,
    StateCount,
    SupportLook,
    SupportVisit,
    Task,
)
from portal.services import history, record

BATCH = 500
EMPTIED = (
    "cobot_user_id",
    "sevdesk_client",
    "cost_centre_number",
    "cost_centre_id",
    "refusal_message",
    "hook_rejected_at",
    "hook_rejected_reason",
    "kept_since",
)
"""What the row of a deleted space loses besides its name."""
FINAL = (State.SYNCED, State.MISMATCHED, State.SKIPPED, State.FAILED)


def prune_until() -> date:
    """Return the last day whose invoices may go: RETENTION_HISTORY_YEARS full years are kept."""
    this_year = utcnow().astimezone(core().config.zone).year
    return date(this_year - core().config.retention_history_years - 1, 12, 31)


def kept_from() -> datetime:
    """Return the moment from which on things are kept: the day after `prune_until` begins."""
    return _day_after(prune_until())


def _day_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), core().config.zone)


def prune(space: Space, until: date) -> int:
    """Delete the settled invoices dated up to a day, with their history; return how many.

    The space's own chain keeps how many, of which time, and their last hash. Commits.
    """
    gone = 0
    after = _day_after(until)
    while rows := db.session.scalars(
        select(InvoiceSync)
        .where(
            InvoiceSync.space_id == space.id,
            InvoiceSync.invoice_date <= until,
            # An old invoice may have been booked lately: what was done then is kept from then on.
            or_(InvoiceSync.finished_at.is_(None), InvoiceSync.finished_at < after),
            InvoiceSync.state.in_(FINAL),
        )
        .order_by(InvoiceSync.id)
        .limit(BATCH)
    ).all():
        gone += len(rows)
        with _permit(space):
            _delete_invoices(space, rows)
        db.session.commit()
    return gone


def prune_members(space: Space, until: date) -> int:
    """Delete the members with whom nothing happened since a day; return how many.

    One whose invoice is still kept stays. The space's own chain keeps how many. Commits.
    """
    gone = 0
    after = _day_after(until)
    happened = exists().where(
        HistoryLine.space_id == MemberSync.space_id,
        HistoryLine.member_id == MemberSync.id,
        HistoryLine.at >= after,
    )
    has_invoice = exists().where(
        InvoiceSync.space_id == MemberSync.space_id, InvoiceSync.person_id == MemberSync.person_id
    )
    while ids := db.session.scalars(
        select(MemberSync.id)
        .where(
            MemberSync.space_id == space.id,
            MemberSync.created_at < after,
            MemberSync.state.in_(FINAL),
            ~happened,
            ~has_invoice,
        )
        .limit(BATCH)
    ).all():
        gone += len(ids)
        with _permit(space):
            _delete_members(space, MemberSync.id.in_(ids))
        db.session.commit()
    return gone


class StillWanted(ValueError):
    """A space is connected, or somebody decided to keep its data."""


def _hold(space: Space, *, unless_kept: bool) -> None:
    """Hold the space's row as it is now: somebody may have decided otherwise since it was read."""
    db.session.refresh(space, with_for_update=True)
    is_kept = unless_kept and space.kept_since is not None
    if space.is_connected or is_kept:
        db.session.rollback()
        raise StillWanted("its data are to be kept" if is_kept else "disconnect the space first")


def delete_space(space: Space, *, unless_kept: bool = False) -> int:
    """Delete all that is known of a disconnected space but its own chain; return the invoices gone.

    The row stays, emptied, so that the chain has something to hang on. Commits.
    Raises StillWanted while the space is connected, or with `unless_kept` its data are to be kept;
    what was deleted until then is gone.
    """
    gone = 0
    _hold(space, unless_kept=unless_kept)
    while rows := db.session.scalars(
        select(InvoiceSync).where(InvoiceSync.space_id == space.id).limit(BATCH)
    ).all():
        gone += len(rows)
        with _permit(space):
            _delete_invoices(space, rows)
        db.session.commit()
        _hold(space, unless_kept=unless_kept)
    with _permit(space):
        _delete_members(space, MemberSync.id.is_not(None))
        for model in (
            Task,
            Batch,
            PersonName,
            InboxEvent,
            SupportLook,
            SupportVisit,
            StateCount,
            Chart,
            AccountMapping,
            DebtorLink,
            PlanList,
            SpaceAdmin,
            LostRight,
        ):
            db.session.execute(delete(model).where(model.space_id == space.id))
        for field in EMPTIED:
            setattr(space, field, None)
        space.name = ""
        space.deleted_at = utcnow()
        record.note(space.id, "space_deleted", "done", invoices=gone)
    db.session.commit()
    return gone


@contextmanager
def _permit(space: Space) -> Iterator[None]:
    """Let history lines of this space be deleted within this block, in the same transaction."""
    rowsecurity.may_prune(db.session.connection(), core().config.database_role)
    db.session.add(PrunePermit(space_id=space.id))
    db.session.flush()
    yield
    db.session.flush()
    db.session.execute(delete(PrunePermit).where(PrunePermit.space_id == space.id))


def _delete_invoices(space: Space, rows: Sequence[InvoiceSync]) -> None:
    ids = [row.id for row in rows]
    lines = (HistoryLine.space_id == space.id, HistoryLine.invoice_id.in_(ids))
    dates = [row.invoice_date for row in rows if row.invoice_date is not None]
    record.note(
        space.id,
        "pruned",
        "done",
        invoices=len(rows),
        lines=db.session.scalar(select(func.count()).where(*lines)),
        first_date=min(dates).isoformat() if dates else None,
        last_date=max(dates).isoformat() if dates else None,
        last_hash=db.session.scalar(
            select(HistoryLine.hash).where(*lines).order_by(HistoryLine.id.desc()).limit(1)
        ),
    )
    _delete_lines(space, *lines)
    for row in rows:
        record.uncount(row)
    db.session.execute(
        delete(InvoiceSync).where(InvoiceSync.space_id == space.id, InvoiceSync.id.in_(ids))
    )


def _delete_lines(space: Space, *which: ColumnElement[bool]) -> None:
    gone = db.session.execute(
        delete(HistoryLine).where(*which).execution_options(synchronize_session=False)
    )
    history.count(space.id, -int(gone.rowcount))  # type: ignore[attr-defined]


def _delete_members(space: Space, which: ColumnElement[bool]) -> None:
    theirs = (MemberSync.space_id == space.id, which)
    lines = (
        HistoryLine.space_id == space.id,
        HistoryLine.member_id.in_(select(MemberSync.id).where(*theirs)),
    )
    members, first, last = db.session.execute(
        select(
            func.count(), func.min(MemberSync.created_at), func.max(MemberSync.created_at)
        ).where(*theirs)
    ).one()
    record.note(
        space.id,
        "pruned",
        "done",
        members=members,
        lines=db.session.scalar(select(func.count()).where(*lines)),
        first_date=first.date().isoformat() if first else None,
        last_date=last.date().isoformat() if last else None,
        last_hash=db.session.scalar(
            select(HistoryLine.hash).where(*lines).order_by(HistoryLine.id.desc()).limit(1)
        ),
    )
    _delete_lines(space, *lines)
    db.session.execute(
        delete(MemberSync).where(*theirs).execution_options(synchronize_session=False)
    )
