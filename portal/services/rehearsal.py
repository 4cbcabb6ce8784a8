"""Invoices run through all rules without a single write: what would become of them, and why.

Bodies come from Cobot's list, contacts and receipts from sevdesk's lists: GETs only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import delete, insert, select

from portal.cobot.records import Invoice
from portal.core import core
from portal.database import db, utcnow
from portal.models import DebtorLink, InvoiceSync, MemberSync, Space, State, Task, TaskItem
from portal.money import to_cents
from portal.services import charts, contact_book, debtors, looks, tasks
from portal.services.contact_book import ContactBook
from portal.services.rehearsal_outcome import KNOWN, Outcome, summed_up
from portal.services.settings_of import voucher_settings
from portal.services.task_looks import Look
from portal.sevdesk.records import Voucher
from portal.sync.accounts import AccountIndex
from portal.sync.causes import Cause
from portal.sync.contacts import NoContact, choose_contact, contact_of_invoice
from portal.sync.plans import NotBookable, Skip, VoucherPlan
from portal.sync.vouchers import plan_voucher, supplier_name
from portal.tenancy import all_spaces

KIND = "rehearsal"
DAYS = 31
AROUND = timedelta(days=366)
"""So far around the window a receipt of the same number is looked for."""
INSERT = 500


@dataclass(frozen=True)
class Verdict:
    """How one invoice would end. `was_there`: sevdesk has its receipt already."""

    state: State
    cause: Cause | None = None
    causes: tuple[Cause, ...] = ()
    was_there: bool = False
    contact_id: str | None = None


@dataclass
class Context:
    """What the rules need besides the invoice: read once for a whole rehearsal."""

    space: Space
    index: AccountIndex
    has_cost_centre: bool
    book: ContactBook
    links: dict[tuple[str, str], str]
    members: dict[str, MemberSync]
    vouchers: dict[tuple[str, str], list[Voucher]] = field(default_factory=dict)


def start(
    space: Space,
    *,
    actor: str,
    days: int = DAYS,
    from_date: date | None = None,
    to_date: date | None = None,
) -> Task:
    """Begin a rehearsal of the last so many days, or of a window. Commits and wakes a worker."""
    today = utcnow().astimezone(core().config.zone).date()
    last = to_date or today
    first = from_date or last - timedelta(days=days - 1)
    return tasks.begin(space, KIND, actor=actor, from_date=first, to_date=last)


def outcome_of(task: Task) -> Outcome | None:
    """Return what a rehearsal (or the look of a backfill) found; None before its end."""
    return Outcome.from_json(task.result["outcome"]) if "outcome" in task.result else None


def run(look: Look) -> None:
    """Do the rehearsal. Raises RemoteError, TaskStopped; then it may be run again."""
    outcome = rehearse(look)
    look.finish({"outcome": outcome.to_json()})


def rehearse(
    look: Look, *, judged_again: Collection[State] = (State.FAILED, State.WAITING)
) -> Outcome:
    """Judge every invoice of the task's window and keep each as an item. Commits.

    One that has a row here is "known", unless it is in one of the states to be judged again: then
    the rehearsal says what a new attempt would do.
    """
    task, space = look.task, look.space
    assert task.from_date is not None
    assert task.to_date is not None
    invoices, unreadable = read_invoices(look, task.from_date, task.to_date)
    look.tell(0, len(invoices) + len(unreadable))
    context = _context(look, task.from_date, task.to_date)
    known = _known_ids(space, [invoice.id for invoice in invoices] + unreadable, judged_again)
    judged = [
        (invoice, None if invoice.id in known else judge(context, invoice)) for invoice in invoices
    ]
    rows = [_item(task, place, *one) for place, one in enumerate(judged, start=1)]
    rows += [
        _unreadable_item(task, len(rows) + place, cobot_id, cobot_id in known)
        for place, cobot_id in enumerate(unreadable, start=1)
    ]
    db.session.execute(delete(TaskItem).where(*tasks.items_of(task)))
    for at in range(0, len(rows), INSERT):
        db.session.execute(insert(TaskItem), rows[at : at + INSERT])
    db.session.commit()
    return summed_up(rows)


def read_invoices(look: Look, first: date, last: date) -> tuple[list[Invoice], list[str]]:
    """Return the invoices dated within these days in order of date, and ids that no one can read.

    One that shows on two pages, because the list changed meanwhile, counts once.
    """

    def read(page: int) -> tuple[Sequence[tuple[str, Invoice | None]], bool]:
        listed = look.remotes.cobot.invoices(look.space.cobot_id, first, last, page + 1)
        found: list[tuple[str, Invoice | None]] = [(one.id, one) for one in listed.invoices]
        found += [(cobot_id, None) for cobot_id in listed.unreadable_ids]
        return found, page + 1 >= listed.total_pages

    by_id = dict(look.pages("invoices", read))
    readable = [invoice for invoice in by_id.values() if invoice is not None]
    own = [one for one in readable if one.space_id in (None, look.space.cobot_id)]
    own.sort(key=lambda one: (one.invoice_date, one.number, one.id))
    return own, [cobot_id for cobot_id, invoice in by_id.items() if invoice is None]


def judge(context: Context, invoice: Invoice) -> Verdict:
    """Decide as the sync would, in its order: rules, cost centre, contact, earlier receipt."""
    space = context.space
    plan = plan_voucher(invoice, context.index, voucher_settings(space))
    if isinstance(plan, Skip):
        return Verdict(State.SKIPPED, plan.cause)
    if isinstance(plan, NotBookable):
        return Verdict(State.FAILED, plan.cause, plan.causes)
    if not context.has_cost_centre:
        cause = Cause("cost_centre_missing", {"number": space.cost_centre_number or ""})
        return Verdict(State.FAILED, cause, (cause,))
    contact_id, no_contact = _contact(context, invoice)
    number = plan.number.strip()
    hits = [hit for side in plan.sides for hit in context.vouchers.get((number, side), [])]
    state = State.MISMATCHED if no_contact else State.SYNCED
    if hits:
        if _is_there(hits, plan, contact_id, invoice):
            return Verdict(state, no_contact, was_there=True, contact_id=contact_id)
        cause = looks.number_taken(plan.number, hits)
        return Verdict(State.FAILED, cause, (cause,))
    return Verdict(state, no_contact, contact_id=contact_id)


def _context(look: Look, first: date, last: date) -> Context:
    space, remotes = look.space, look.remotes
    # Once at the beginning the chart is read anew: the rehearsal is asked for after repairs.
    index = look.once(
        "chart", lambda: charts.index_of(space, remotes, younger_than=charts.READ_ANEW_AFTER)
    )
    has_centre = look.once("centre", lambda: charts.has_cost_centre(space, remotes))
    book = contact_book.read(look)
    found = look.pages(
        "vouchers",
        lambda page: remotes.sevdesk.vouchers_page(first - AROUND, last + AROUND, page),
    )
    owned = owned_in_all_spaces(space, [voucher.id for voucher in found])
    vouchers: dict[tuple[str, str], list[Voucher]] = {}
    for voucher in found:
        if voucher.id not in owned:
            key = (voucher.description.strip(), voucher.credit_debit)
            vouchers.setdefault(key, []).append(voucher)
    links = db.session.scalars(select(DebtorLink).where(DebtorLink.space_id == space.id))
    members = db.session.scalars(select(MemberSync).where(MemberSync.space_id == space.id))
    context = Context(
        space=space,
        index=index,
        has_cost_centre=has_centre,
        book=book,
        links={(link.debtor_kind, link.debtor_id): link.contact_id for link in links},
        members={member.cobot_membership_id: member for member in members},
        vouchers=vouchers,
    )
    db.session.commit()
    return context


def _contact(context: Context, invoice: Invoice) -> tuple[str | None, Cause | None]:
    link = member = None
    if invoice.debtor is not None:
        link = context.links.get((invoice.debtor.kind, invoice.debtor.id))
        if invoice.debtor.kind == "memberships":
            member = context.members.get(invoice.debtor.id)
    known = contact_of_invoice(invoice, link, debtors.link_of(member))
    if known is not None:
        return known, None
    if member is not None and member.contact_id is None and member.next_try_at is not None:
        return None, None  # its contact is about to be made, and the invoice will wait for it
    found = context.book.find(invoice.customer_number)
    chosen = choose_contact(invoice, found, needs_name=debtors.needs_name(invoice, member))
    if isinstance(chosen, NoContact):
        return None, chosen.cause
    return chosen.contact_id, None


def _is_there(
    hits: Sequence[Voucher], plan: VoucherPlan, contact_id: str | None, invoice: Invoice
) -> bool:
    name = supplier_name(invoice)
    return any(looks.is_the_same(hit, plan, contact_id, name) for hit in hits)


@all_spaces("two spaces may share a sevdesk client")
def owned_in_all_spaces(space: Space, voucher_ids: Sequence[str]) -> set[str]:
    """Return the receipts that belong to invoices we have rows of, in all spaces of the client."""
    owned: set[str] = set()
    for at in range(0, len(voucher_ids), INSERT):
        found = db.session.scalars(
            select(InvoiceSync.sevdesk_voucher_id).where(
                InvoiceSync.sevdesk_client == space.sevdesk_client,
                InvoiceSync.sevdesk_voucher_id.in_(voucher_ids[at : at + INSERT]),
            )
        )
        owned.update(voucher_id for voucher_id in found if voucher_id is not None)
    return owned


def _known_ids(space: Space, cobot_ids: Sequence[str], judged_again: Collection[State]) -> set[str]:
    known: set[str] = set()
    for at in range(0, len(cobot_ids), INSERT):
        known.update(
            db.session.scalars(
                select(InvoiceSync.cobot_invoice_id).where(
                    InvoiceSync.space_id == space.id,
                    InvoiceSync.cobot_invoice_id.in_(cobot_ids[at : at + INSERT]),
                    InvoiceSync.state.not_in(judged_again),
                )
            )
        )
    return known


def _item(task: Task, place: int, invoice: Invoice, verdict: Verdict | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "currency": invoice.currency,
        "customer_number": invoice.customer_number,
        "debtor": invoice.debtor.kind if invoice.debtor else None,
    }
    if verdict is not None and len(verdict.causes) > 1:
        facts["causes"] = [cause.to_json() for cause in verdict.causes]
    if verdict is not None and verdict.was_there:
        facts["was_there"] = True
    cause = verdict.cause if verdict else None
    return {
        "space_id": task.space_id,
        "task_id": task.id,
        "place": place,
        "remote_id": invoice.id,
        "number": invoice.number,
        "day": invoice.invoice_date,
        "gross": to_cents(invoice.gross),
        "verdict": str(verdict.state) if verdict else KNOWN,
        "cause_code": cause.code if cause else None,
        "cause_params": dict(cause.params) if cause else {},
        "facts": facts,
    }


def _unreadable_item(task: Task, place: int, cobot_id: str, is_known: bool) -> dict[str, Any]:
    cause = Cause("bad_answer", {"name": "Cobot", "ref": cobot_id})
    return {
        "space_id": task.space_id,
        "task_id": task.id,
        "place": place,
        "remote_id": cobot_id,
        "number": None,
        "day": None,
        "gross": None,
        "verdict": KNOWN if is_known else str(State.FAILED),
        "cause_code": None if is_known else cause.code,
        "cause_params": {} if is_known else dict(cause.params),
        "facts": {"unreadable": True},
    }
