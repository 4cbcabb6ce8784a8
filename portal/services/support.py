"""What support staff may look at: invoices of every space, to read only.

Each function that crosses spaces says so in its name. What is written is only who looked, and why:
the space's admins read it on their settings page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, or_, select, union_all

from portal.core import core
from portal.database import db, utcnow
from portal.models import Admin, InvoiceSync, Space, State, SupportLook, SupportVisit
from portal.services import record
from portal.services.prefixes import starts_with
from portal.tenancy import all_spaces

MOST_HITS = 50
SHORTEST_SEARCH = 3
VISIT_LASTS = timedelta(minutes=30)
MOST_LOOKS = 50
MOST_CAUSES = 10
REFERENCE = re.compile(r"I-([0-9]{1,18})-([0-9]{1,18})", re.IGNORECASE)


@dataclass(frozen=True)
class SupportHit:
    """An invoice found by its number or one of its ids, with the space it belongs to."""

    space: Space
    invoice: InvoiceSync


@dataclass(frozen=True)
class OpenCause:
    """A cause that holds back invoices: in many spaces it is an outage, in one a user's fault."""

    code: str
    spaces: int
    invoices: int
    since: datetime | None


@dataclass(frozen=True)
class Look:
    """A look of support at a space, as its admins read it."""

    at: datetime
    who: str
    what: str
    subject: str | None
    reason: str | None


@dataclass(frozen=True)
class LooksPage:
    """Some looks, the latest first; `next_cursor` leads to the older ones, None at the end."""

    looks: Sequence[Look]
    next_cursor: int | None


def is_support(admin: Admin) -> bool:
    """True for the people named in SUPPORT_USER_IDS."""
    return admin.cobot_user_id in core().config.support_user_ids


# Over all spaces


@all_spaces("search of support")
def all_spaces_invoices(q: str) -> Sequence[SupportHit]:
    """Return invoices of any space: number beginning with `q`, receipt, invoice or request id `q`,
    or the reference `q` that a person was told."""
    query = (
        select(Space, InvoiceSync)
        .join(InvoiceSync, InvoiceSync.space_id == Space.id)
        .order_by(InvoiceSync.id.desc())
        .limit(MOST_HITS)
    )
    if named := REFERENCE.fullmatch(q):
        query = query.where(InvoiceSync.space_id == int(named[1]), InvoiceSync.id == int(named[2]))
    else:
        ways = (
            starts_with(InvoiceSync.number, q),
            InvoiceSync.sevdesk_voucher_id == q,
            InvoiceSync.cobot_invoice_id == q,
            InvoiceSync.request_id == q,
        )
        found = union_all(*(select(InvoiceSync.id).where(way) for way in ways))
        query = query.where(InvoiceSync.id.in_(found))
    return [SupportHit(space, invoice) for space, invoice in db.session.execute(query)]


@all_spaces("search of support")
def all_spaces_spaces(q: str) -> Sequence[Space]:
    """Return the spaces whose subdomain or name begins with `q`."""
    query = (
        select(Space)
        .where(
            or_(
                starts_with(Space.subdomain, q.lower()),
                func.lower(Space.name).startswith(q.lower(), autoescape=True),
            )
        )
        .order_by(Space.subdomain)
        .limit(MOST_HITS)
    )
    return db.session.scalars(query).all()


@all_spaces("what holds invoices back anywhere")
def all_spaces_causes() -> list[OpenCause]:
    """Return what holds invoices back anywhere, the cause of most spaces first."""
    spaces = func.count(InvoiceSync.space_id.distinct())
    open_states = (State.FAILED, State.WAITING, State.UNKNOWN)
    query = (
        select(InvoiceSync.cause_code, spaces, func.count(), func.min(InvoiceSync.announced_at))
        .where(InvoiceSync.cause_code.is_not(None), InvoiceSync.state.in_(open_states))
        .group_by(InvoiceSync.cause_code)
        .order_by(spaces.desc(), func.count().desc())
        .limit(MOST_CAUSES)
    )
    return [
        OpenCause(code, in_spaces, invoices, since)
        for code, in_spaces, invoices, since in db.session.execute(query)
        if code
    ]


# Who looked


def visit_of(admin: Admin, space: Space) -> SupportVisit | None:
    """Return the visit that lets this person look at the space now."""
    return db.session.scalar(
        select(SupportVisit)
        .where(
            SupportVisit.admin_id == admin.id,
            SupportVisit.space_id == space.id,
            SupportVisit.expires_at > utcnow(),
        )
        .order_by(SupportVisit.id.desc())
        .limit(1)
    )


def begin_visit(admin: Admin, space: Space, reason: str) -> SupportVisit:
    """Let this person look at the space for half an hour. Commits."""
    visit = SupportVisit(
        space_id=space.id,
        admin_id=admin.id,
        reason=reason,
        expires_at=utcnow() + VISIT_LASTS,
    )
    db.session.add(visit)
    db.session.flush()
    note_look(visit, "begun")
    # The reason is a person's words and goes with the visit; the chain of the space stays for ever.
    record.note(
        space.id,
        "support_visit",
        "noticed",
        actor=f"support:{admin.cobot_user_id}",
        visit=visit.id,
    )
    db.session.commit()
    return visit


@all_spaces("the visits of a person")
def end_visit_in_all_spaces(admin: Admin, visit_id: int) -> bool:
    """End a visit of this person, and every other of theirs to the same space; False when
    they have no such visit. Commits."""
    visit = db.session.scalar(
        select(SupportVisit).where(SupportVisit.id == visit_id, SupportVisit.admin_id == admin.id)
    )
    if visit is None:
        return False
    now = utcnow()
    # A visit may have been begun twice, by a double click: none of them must stay open.
    still_open = db.session.scalars(
        select(SupportVisit).where(
            SupportVisit.admin_id == admin.id,
            SupportVisit.space_id == visit.space_id,
            SupportVisit.expires_at > now,
        )
    )
    for one in still_open.all():
        one.expires_at = now
        note_look(one, "ended")
    db.session.commit()
    return True


def note_look(visit: SupportVisit, what: str, subject: str | None = None) -> None:
    """Write down that support saw something of the space. The caller commits."""
    db.session.add(
        SupportLook(
            space_id=visit.space_id,
            visit_id=visit.id,
            admin_id=visit.admin_id,
            what=what,
            subject=subject,
        )
    )


@all_spaces("what a search has shown")
def note_search_in_all_spaces(
    admin: Admin, hits: Sequence[SupportHit], spaces: Sequence[Space]
) -> None:
    """Write down each invoice and each space that a search has shown. Commits."""
    found: list[tuple[int, str, str | None]] = [
        (hit.space.id, "search", hit.invoice.number or hit.invoice.cobot_invoice_id) for hit in hits
    ]
    found += [(space.id, "search_space", None) for space in spaces]
    if found:
        looks = [
            {"space_id": space_id, "admin_id": admin.id, "what": what, "subject": subject}
            for space_id, what, subject in found
        ]
        db.session.execute(insert(SupportLook), looks)
    db.session.commit()


def looks_at(space: Space, before: int | None = None) -> LooksPage:
    """Return who of support looked at the space, from below the cursor on."""
    query = (
        select(SupportLook, Admin.email, Admin.cobot_user_id, SupportVisit.reason)
        .join(Admin, Admin.id == SupportLook.admin_id)
        .outerjoin(
            SupportVisit,
            (SupportVisit.id == SupportLook.visit_id)
            & (SupportVisit.space_id == SupportLook.space_id),
        )
        .where(SupportLook.space_id == space.id)
        .order_by(SupportLook.id.desc())
        .limit(MOST_LOOKS + 1)
    )
    if before is not None:
        query = query.where(SupportLook.id < before)
    rows = db.session.execute(query).all()
    shown = rows[:MOST_LOOKS]
    return LooksPage(
        looks=[
            Look(look.at, email or user_id, look.what, look.subject, reason)
            for look, email, user_id, reason in shown
        ],
        next_cursor=shown[-1][0].id if len(rows) > MOST_LOOKS else None,
    )
