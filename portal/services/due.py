"""What there is to do in a space, asked before each invoice."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, bindparam, exists, select
from sqlalchemy.orm import aliased

from portal.database import db, utcnow
from portal.models import InboxEvent, InvoiceSync, MemberSync, Space

_SOME = aliased(InvoiceSync)
_MOST_DUE = (
    select(_SOME.id)
    .where(_SOME.space_id == bindparam("space"), _SOME.next_try_at <= bindparam("now"))
    .order_by(_SOME.is_urgent.desc(), _SOME.is_backfill, _SOME.id)
    .limit(1)
    .scalar_subquery()
)
_LOOK = (
    select(Space)
    .add_columns(
        exists().where(InboxEvent.space_id == Space.id, InboxEvent.handled_at.is_(None)),
        exists().where(MemberSync.space_id == Space.id, MemberSync.next_try_at <= bindparam("now")),
        InvoiceSync,
    )
    .outerjoin(
        InvoiceSync,
        and_(InvoiceSync.space_id == bindparam("space"), InvoiceSync.id == _MOST_DUE),
    )
    .where(Space.id == bindparam("space"))
    .execution_options(populate_existing=True)
)
"""Made once: what is asked before each invoice costs more to make than to send."""


@dataclass(frozen=True)
class Due:
    """What there is to do in a space."""

    has_news: bool
    """Something was announced that is not taken in."""
    is_member_due: bool
    invoice: InvoiceSync | None
    """The one that is most due."""


def due_in(space_id: int) -> Due:
    """Return what there is to do; the session's row of the space is read anew with it."""
    look = db.session.execute(_LOOK, {"space": space_id, "now": utcnow()})
    _, *found = look.one()
    return Due(*found)
