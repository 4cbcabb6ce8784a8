"""Writing down what happened: history lines, states, counts; in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, case
from sqlalchemy.dialects import postgresql, sqlite

from portal.database import db, insert_or_update, table_of, utcnow
from portal.logs import request_id
from portal.models import (
    InvoiceSync,
    MemberSync,
    PersonName,
    State,
)
from portal.models.invoice import IN_WORK
from portal.services import calls, history, last_writes, space_row
from portal.services.prefixes import folded, folded_last

PORTAL = "portal"
COBOT = "cobot"


@dataclass(frozen=True)
class NewInvoice:
    """An invoice that Cobot told us of; `request_id` is that of the webhook, if it was one."""

    cobot_invoice_id: str
    announced_at: datetime
    request_id: str | None


def note(
    space_id: int,
    step: str,
    outcome: str,
    *,
    invoice: InvoiceSync | None = None,
    member: MemberSync | None = None,
    actor: str = PORTAL,
    at: datetime | None = None,
    called: Sequence[Mapping[str, Any]] | None = None,
    **facts: Any,
) -> None:
    """Add one line to the history of an invoice, a member, or the space. The caller commits.

    `called` are the calls that led to it, by default what an invoice's last line did not take.
    `facts` holds figures, ids and codes, never a secret, a name or an address.
    """
    line = history.NewLine(
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
    if called is None:
        called = calls.collected() if invoice is not None else ()
    history.append(line, called)


def touch(invoice: InvoiceSync) -> None:
    """Give the row the space's next sequence number, so that open logs see that it changed.

    The space's row stays locked until the commit: numbers become visible in their order.
    """
    invoice.sequence = touch_space(invoice.space_id)


def touch_space(space_id: int) -> int:
    """Count a change of what the log shows beside its rows; return the space's new count."""
    return space_row.write(space_id)


def set_state(invoice: InvoiceSync, state: State) -> None:
    """Change what people see, and the counts with it. The caller commits."""
    touch(invoice)
    if state not in IN_WORK:
        invoice.is_urgent = False
    if invoice.state == state:
        return
    last_writes.count(invoice.space_id, {State(invoice.state): -1, state: +1})
    invoice.state = state


def add_invoice(space_id: int, cobot_invoice_id: str, *, announced_at: datetime) -> InvoiceSync:
    """Add the row of an invoice that we did not know, due at once. The caller commits."""
    return add_invoices(space_id, [NewInvoice(cobot_invoice_id, announced_at, request_id())])[0]


def add_invoices(space_id: int, announced: Sequence[NewInvoice]) -> list[InvoiceSync]:
    """Add the rows of invoices that we did not know, due at once. The caller commits."""
    if not announced:
        return []
    number = space_row.write(space_id, ahead=len(announced))  # each gets its first line
    added = [
        InvoiceSync(
            space_id=space_id,
            cobot_invoice_id=one.cobot_invoice_id,
            announced_at=one.announced_at,
            next_try_at=utcnow(),
            request_id=one.request_id,
            sequence=number,
        )
        for one in announced
    ]
    db.session.add_all(added)
    db.session.flush()
    history.look_up(space_id, [history.chain_name(space_id, one, None) for one in added])
    last_writes.count(space_id, {State.WAITING: len(added)})
    return added


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
    last_writes.count(invoice.space_id, {State(invoice.state): -1})


def name_person(space_id: int, kind: str, remote_id: str, name: str | None) -> int:
    """Remember a debtor's name apart from everything else; return the row's id."""
    person = {
        "space_id": space_id,
        "kind": kind,
        "remote_id": remote_id,
        "name": name,
        "folded": folded(name) if name else None,
        "folded_last": folded_last(name) if name else None,
    }
    found = db.session.execute(_name_person(db.engine.dialect.name), person)
    return int(found.scalar_one())


@cache
def _name_person(dialect: str) -> Executable:
    people = table_of(PersonName)
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(people)
    # A name that was erased stays so, however often Cobot tells it.
    unless_erased = {
        form: case((people.c.erased_at.is_(None), insert.excluded[form]), else_=None)
        for form in ("name", "folded", "folded_last")
    }
    return insert.on_conflict_do_update(
        index_elements=["space_id", "kind", "remote_id"], set_=unless_erased
    ).returning(people.c.id)
