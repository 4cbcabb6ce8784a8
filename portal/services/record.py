"""Writing down what happened: history lines, states, counts; in the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import case, insert, update

from portal.database import db, insert_or_update, utcnow
from portal.logs import request_id
from portal.models import (
    HistoryLine,
    InvoiceSync,
    MemberSync,
    PersonName,
    Space,
    State,
    StateCount,
)
from portal.models.invoice import IN_WORK
from portal.services import calls, history
from portal.services.prefixes import folded, folded_last

PORTAL = "portal"
COBOT = "cobot"


def note(
    space_id: int,
    step: str,
    outcome: str,
    *,
    invoice: InvoiceSync | None = None,
    member: MemberSync | None = None,
    actor: str = PORTAL,
    at: datetime | None = None,
    **facts: Any,
) -> None:
    """Add one line to the history of an invoice, a member, or the space. The caller commits.

    `facts` holds figures, ids and codes, never a secret, a name or an address.
    """
    line = HistoryLine(
        space_id=space_id,
        invoice_id=invoice.id if invoice else None,
        member_id=member.id if member else None,
        chain=history.chain_name(space_id, invoice, member),
        at=at or utcnow(),
        actor=actor,
        step=step,
        outcome=outcome,
        facts={name: value for name, value in facts.items() if value is not None},
    )
    history.append(space_id, line)
    if invoice is not None:
        calls.keep(line)


def lock_space(space_id: int) -> None:
    """Hold the space's row until the commit: whoever writes in a space takes it first."""
    db.session.execute(
        update(Space)
        .where(Space.id == space_id)
        .values(sequence=Space.sequence)
        .execution_options(synchronize_session=False)
    )


def touch(invoice: InvoiceSync) -> None:
    """Give the row the space's next sequence number, so that open logs see that it changed.

    The space's row stays locked until the commit: numbers become visible in their order.
    """
    invoice.sequence = touch_space(invoice.space_id)


def touch_space(space_id: int) -> int:
    """Count a change of what the log shows beside its rows; return the space's new count."""
    return db.session.execute(
        update(Space)
        .where(Space.id == space_id)
        .values(sequence=Space.sequence + 1)
        .returning(Space.sequence)
        .execution_options(synchronize_session=False)
    ).scalar_one()


def set_state(invoice: InvoiceSync, state: State) -> None:
    """Change what people see, and the counts with it. The caller commits."""
    touch(invoice)
    if state not in IN_WORK:
        invoice.is_urgent = False
    if invoice.state == state:
        return
    _count(invoice.space_id, State(invoice.state), -1)
    _count(invoice.space_id, state, +1)
    invoice.state = state


def add_invoice(space_id: int, cobot_invoice_id: str, *, announced_at: datetime) -> InvoiceSync:
    """Add the row of an invoice that we did not know, due at once. The caller commits."""
    lock_space(space_id)
    invoice = InvoiceSync(
        space_id=space_id,
        cobot_invoice_id=cobot_invoice_id,
        announced_at=announced_at,
        next_try_at=utcnow(),
        request_id=request_id(),
    )
    db.session.add(invoice)
    db.session.flush()
    touch(invoice)
    _count(space_id, State.WAITING, +1)
    return invoice


def add_member(
    space_id: int,
    cobot_membership_id: str,
    *,
    announced_at: datetime,
    request_id: str | None = None,
) -> MemberSync | None:
    """Add the row of a member, due at once; None for one that we know. The caller commits."""
    added = db.session.execute(
        insert_or_update(
            MemberSync,
            {
                "space_id": space_id,
                "cobot_membership_id": cobot_membership_id,
                "state": State.WAITING,
                "next_try_at": utcnow(),
                "created_at": announced_at,
                "request_id": request_id,
            },
            unique=("space_id", "cobot_membership_id"),
            change={},
        ).returning(MemberSync.id)
    ).scalar_one_or_none()
    return db.session.get(MemberSync, (space_id, added)) if added is not None else None


def uncount(invoice: InvoiceSync) -> None:
    """Take an invoice that is being deleted out of the counts. The caller commits."""
    _count(invoice.space_id, State(invoice.state), -1)


def name_person(space_id: int, kind: str, remote_id: str, name: str | None) -> int:
    """Remember a debtor's name apart from everything else; return the row's id."""
    forms = {
        "name": name,
        "folded": folded(name) if name else None,
        "folded_last": folded_last(name) if name else None,
    }
    # A name that was erased stays so, however often Cobot tells it.
    unless_erased = {
        field: case((PersonName.erased_at.is_(None), form), else_=None)
        for field, form in forms.items()
    }
    statement = insert_or_update(
        PersonName,
        {"space_id": space_id, "kind": kind, "remote_id": remote_id, **forms},
        unique=("space_id", "kind", "remote_id"),
        change=unless_erased,
    ).returning(PersonName.id)
    return int(db.session.execute(statement).scalar_one())


def _count(space_id: int, state: State, by: int) -> None:
    changed = db.session.execute(
        update(StateCount)
        .where(StateCount.space_id == space_id, StateCount.state == state)
        .values(invoices=StateCount.invoices + by)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount == 0:  # type: ignore[attr-defined]
        db.session.execute(
            insert(StateCount).values(space_id=space_id, state=state, invoices=max(by, 0))
        )
