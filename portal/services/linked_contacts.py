"""The contacts that members and debtors are linked to, and letting go of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, update

from portal.database import db, utcnow
from portal.models import DebtorLink, MemberSync, Space, State, Task
from portal.models.task import LISTS_MEMBERS
from portal.services import record

UNLINKED: dict[str, Any] = {
    "contact_id": None,
    "contact_number": None,
    "contact_checked": False,
    "was_adopted": False,
    "address_done": False,
    "email_done": False,
}
"""A member without contact: the next one gets all that a new one gets."""


def forget(space_id: int, contact_id: str) -> None:
    """Let go of a contact that was deleted in sevdesk. The caller commits."""
    db.session.execute(
        update(MemberSync)
        .where(MemberSync.space_id == space_id, MemberSync.contact_id == contact_id)
        .values(UNLINKED)
    )
    db.session.execute(
        delete(DebtorLink).where(
            DebtorLink.space_id == space_id, DebtorLink.contact_id == contact_id
        )
    )


def move_to(space: Space, client_id: str | None) -> None:
    """Say which sevdesk client the space has from now on; None while that is not known.

    Let go of all contacts where it had another one: there the same ids are nobody, or somebody
    else. A contact whose answer was lost is made anew here. An import and a takeover of older
    invoices end: what was looked at, and decided, was the other one. The caller commits.
    """
    # Without one of its own the space was connected by a version that did not keep it.
    before = space.contacts_client or space.sevdesk_client
    space.sevdesk_client = client_id
    space.contacts_client = client_id or before
    if before in (None, space.contacts_client):
        return
    of_space = MemberSync.space_id == space.id
    linked = db.session.execute(
        update(MemberSync).where(of_space, MemberSync.contact_id.is_not(None)).values(UNLINKED)
    )
    # Here the number that the other sevdesk gave is as good as one that Cobot gave.
    db.session.execute(
        update(MemberSync)
        .where(of_space, MemberSync.number_written.is_not(None))
        .values(number_before=MemberSync.number_written, number_written=None)
    )
    db.session.execute(
        update(MemberSync)
        .where(of_space, MemberSync.state.in_((State.SENDING, State.UNKNOWN)))
        .values(state=State.WAITING, sent_number=None, sent_at=None, looks=0)
    )
    chosen = db.session.execute(delete(DebtorLink).where(DebtorLink.space_id == space.id))
    db.session.execute(
        update(Task)
        .where(
            Task.space_id == space.id,
            Task.kind.in_((LISTS_MEMBERS, "backfill")),
            Task.finished_at.is_(None),
        )
        .values(state="cancelled", next_try_at=None, finished_at=utcnow())
    )
    record.note(
        space.id,
        "contacts_forgotten",
        "done",
        members=linked.rowcount,  # type: ignore[attr-defined]
        debtors=chosen.rowcount,  # type: ignore[attr-defined]
    )
