"""Once a day: what is older than the settings (RETENTION_*) allow goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Delete, Update, delete, exists, or_, select, update

from portal.core import core
from portal.database import db, utcnow
from portal.models import (
    Admin,
    Batch,
    InboxEvent,
    InvoiceSync,
    LoginSession,
    LostRight,
    MemberSync,
    PersonName,
    Space,
    SupportLook,
    SupportVisit,
    Task,
)
from portal.services import calls, record, retention, sessions, signin, space_row, task_upkeep
from portal.tenancy import all_spaces, in_space

log = structlog.get_logger(__name__)

FAILED = "failed spaces"
"""Among what went: how often letting go failed in one space."""


def let_old_things_of_all_spaces_go() -> dict[str, int]:
    """Delete in all spaces what is past its time; return how much of each kind went. Commits.

    A space in which that fails holds up no other: it is logged, counted, and under FAILED.
    """
    # Upkeep does these more often; whoever lets old things go by hand means them as well.
    gone = Counter(
        {
            "calls": calls.forget_old_calls_of_all_spaces(),
            "lists": task_upkeep.tidy_all_spaces(),
            "sign-ins": sessions.end_expired_sessions(),
        }
    )
    gone.update(_old_rows_of_all_spaces())
    for space_id in _all_spaces():
        gone += _of_one(space_id, _let_rows_go)
    for space_id in all_spaces_past_their_grace():
        gone += _of_one(space_id, _let_space_go)
    return {kind: rows for kind, rows in gone.items() if rows}


def _of_one(space_id: int, let_go: Callable[[Space], dict[str, int]]) -> Counter[str]:
    """Return what went in one space."""
    with in_space(space_id):
        # Outside of the try: without a database no space needs to be tried.
        space = db.session.get(Space, space_id)
        if space is None:
            return Counter()
        try:
            return Counter(let_go(space))
        except Exception as err:
            db.session.rollback()
            core().counters.add("portal_faults", "upkeep")
            log.exception("old things stay", space=space_id, exc_info=err)
            return Counter({FAILED: 1})


def _let_rows_go(space: Space) -> dict[str, int]:
    until = retention.prune_until()
    invoices = retention.prune(space, until)
    members = retention.prune_members(space, until)
    names = _let_names_go(space.id) if invoices or members else 0
    return {"invoices": invoices, "members": members, "names": names}


def _let_space_go(space: Space) -> dict[str, int]:
    """Delete a space past its time, unless somebody kept or connected it meanwhile."""
    try:
        retention.delete_space(space, unless_kept=True)
    except retention.StillWanted as err:
        log.info("not deleted", space=space.id, error=str(err))
        return {}
    return {"spaces": 1}


@all_spaces("what is past its time")
def _old_rows_of_all_spaces() -> dict[str, int]:
    return {
        "messages": _run(_old_messages()),
        "looks": _run(_old_looks()),
        "visits": _run(_old_visits()),
        "people": _run(_people_long_gone()),
        "lost rights": _run(_rights_long_lost()),
        "tasks": _run(_old_tasks()),
        "batches": _run(_old_batches()),
    }


def deleted_at(space: Space) -> datetime | None:
    """Return when everything of a disconnected space will be deleted; None when it will not."""
    if space.is_connected or space.disconnected_at is None or space.kept_since is not None:
        return None
    if space.deleted_at is not None and space.deleted_at >= space.disconnected_at:
        return None
    return space.disconnected_at + _days(core().config.retention_disconnected_days)


@all_spaces("disconnected spaces past their time")
def all_spaces_past_their_grace() -> Sequence[int]:
    """Return the ids of the spaces that are to be deleted now."""
    grace = _days(core().config.retention_disconnected_days)
    return db.session.scalars(
        select(Space.id)
        .where(
            Space.connected_at.is_(None),
            Space.kept_since.is_(None),
            Space.disconnected_at < utcnow() - grace,
            or_(Space.deleted_at.is_(None), Space.deleted_at < Space.disconnected_at),
        )
        .order_by(Space.id)
    ).all()


def keep(space: Space, is_wanted: bool, *, actor: str) -> bool:
    """Keep the data of a disconnected space beyond its time, or no longer; False when it is so
    already or the space is connected. Commits."""
    if space.is_connected or (space.kept_since is not None) == is_wanted:
        return False
    space.kept_since = utcnow() if is_wanted else None
    if not is_wanted:
        # The time begins anew: letting go must never mean gone tonight.
        space.disconnected_at = utcnow()
    record.note(space.id, "kept" if is_wanted else "kept_no_longer", "done", actor=actor)
    db.session.commit()
    return True


@all_spaces("which spaces there are")
def _all_spaces() -> Sequence[int]:
    return db.session.scalars(select(Space.id).order_by(Space.id)).all()


def _old_messages() -> Delete:
    before = utcnow() - _days(core().config.retention_inbox_days)
    return delete(InboxEvent).where(InboxEvent.handled_at < before)


def _old_looks() -> Delete:
    before = utcnow() - _days(core().config.retention_support_days)
    return delete(SupportLook).where(SupportLook.at < before)


def _old_visits() -> Delete:
    before = utcnow() - _days(core().config.retention_support_days)
    looked = exists().where(SupportLook.visit_id == SupportVisit.id)
    return delete(SupportVisit).where(SupportVisit.expires_at < before, ~looked)


def _people_long_gone() -> Update:
    """Blank the e-mail of who no longer signs in; the id stays, since the history names it."""
    before = utcnow() - _days(core().config.retention_admin_days)
    signed_in = exists().where(LoginSession.admin_id == Admin.id)
    return (
        update(Admin)
        .where(Admin.signed_in_at < before, Admin.email != "", ~signed_in)
        .values(email="")
    )


def _rights_long_lost() -> Delete:
    """Nobody is told of them any more; the next sign-in would delete them, if there is one."""
    return delete(LostRight).where(LostRight.at < utcnow() - signin.LOST_SAID_FOR)


def _old_tasks() -> Delete:
    """Delete the work that a person started when the invoices of its year may go."""
    return delete(Task).where(Task.finished_at < retention.kept_from())


def _old_batches() -> Delete:
    """The same of batches; a draft that was never started is of the day it was made."""
    return delete(Batch).where(Batch.created_at < retention.kept_from(), Batch.state != "running")


def _let_names_go(space_id: int) -> int:
    space_row.write(space_id)  # else one goes that an invoice is about to take
    return _run(_names_of_nobody(space_id))


def _names_of_nobody(space_id: int) -> Delete:
    """Delete the names that no invoice and no member needs any more.

    The row of an erased one stays, without the name: it is what keeps Cobot from telling it anew.
    """
    needed = (
        exists().where(model.space_id == space_id, model.person_id == PersonName.id)
        for model in (InvoiceSync, MemberSync)
    )
    return delete(PersonName).where(
        PersonName.space_id == space_id, PersonName.erased_at.is_(None), ~or_(*needed)
    )


def _run(statement: Delete | Update) -> int:
    found = db.session.execute(statement.execution_options(synchronize_session=False))
    db.session.commit()
    return int(found.rowcount)  # type: ignore[attr-defined]


def _days(number: int) -> timedelta:
    return timedelta(days=number)
