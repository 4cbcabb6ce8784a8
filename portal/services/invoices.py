"""One invoice on its way: read, decide, look, upload, save, tag. Each step may run twice.

State and step are committed before every write; saveVoucher is sent once and never repeated
without looking first (sevdesk knows no idempotency key).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy import select

from portal.cobot.records import Invoice
from portal.core import core
from portal.database import db, utcnow
from portal.errors import Forbidden, NotFound, OutcomeUnknown, Rejected, RemoteError, UnusableAnswer
from portal.models import DebtorLink, InvoiceSync, MemberSync, State, Step
from portal.money import to_cents
from portal.services import activities, charts, looks, record
from portal.services.work import Parked, Work, fail, forget_cause, note_row
from portal.sevdesk.records import Voucher
from portal.sync.causes import Cause
from portal.sync.contacts import (
    ContactFound,
    MemberLink,
    NoContact,
    choose_contact,
    contact_of_invoice,
)
from portal.sync.plans import NotBookable, Skip, VoucherPlan, VoucherSettings
from portal.sync.vouchers import plan_voucher, supplier_name

log = structlog.get_logger(__name__)

IMPORT_TAG = "Import"
MISMATCH_TAG = "mismatch"
MEMBER_WAITS = 10
"""So many first tries an invoice lets its member become a contact before it goes on without."""
READABLE_AFTER_RETRIES = 10
"""A 404 soon after the announcement may mean "not yet": for so many first retry steps."""


def sync(work: Work, row: InvoiceSync) -> None:
    """Bring one invoice as far as it gets now; whatever happens stands in its row and history.

    Raises LeaveSpace when the space as a whole has to wait, LockLost when it is not ours any more.
    """
    step = "sync"
    try:
        if row.state == State.FAILED:
            step = "told"
            activities.tell(work, row)
        elif row.state in (State.SYNCED, State.MISMATCHED):
            step = "told"
            activities.tell_repaired(work, row)
        elif row.sevdesk_voucher_id is not None:
            step = "tag"
            _finish(work, row)
        elif row.state in (State.SENDING, State.UNKNOWN):
            step = "look"
            if (found := looks.look(work, row)) is not None:
                _adopt(work, row, found)
        else:
            _book(work, row)
    except RemoteError as err:
        work.settle(row, err, step)
    else:
        work.failures = 0


def _book(work: Work, row: InvoiceSync) -> None:
    parked = _fetch(work, row)
    if parked is None:
        return
    plan = _plan(work, row, parked.invoice)
    if plan is None or _waits_for_member(work, row):
        return
    parked.contact = parked.contact or _contact(work, parked.invoice)
    contact_id, no_contact = parked.contact
    supplier = supplier_name(parked.invoice)
    row.is_mismatch = contact_id is None
    row.sent_contact_id = contact_id
    if not parked.has_looked:
        found = looks.find(work, row, plan.number, plan.credit_debit)
        if found:
            _was_there(work, row, plan, found, parked)
            return
        parked.has_looked = True
    if _upload(work, row, plan) and _send(work, row, plan, contact_id, supplier):
        _finish(work, row, no_contact=no_contact)


def _was_there(
    work: Work, row: InvoiceSync, plan: VoucherPlan, found: Sequence[Voucher], parked: Parked
) -> None:
    """A receipt of this number stands in sevdesk: take it over when it is the same."""
    contact_id, no_contact = parked.contact or (None, None)
    supplier = supplier_name(parked.invoice)
    for hit in found:
        if looks.is_the_same(hit, plan, contact_id, supplier):
            _take_over(work, row, plan, hit, was_there=True)
            _finish(work, row, no_contact=no_contact)
            return
    fail(row, Cause("number_taken", {"id": found[0].id, "number": plan.number}), step="look")
    work.commit()
    activities.tell(work, row)


def _fetch(work: Work, row: InvoiceSync) -> Parked | None:
    """Read the invoice and keep its facts; None when that ended the matter."""
    parked = work.parked(row.cobot_invoice_id)
    if parked is not None:
        return parked
    try:
        invoice = work.remotes.cobot.invoice(row.cobot_invoice_id)
    except NotFound as err:
        _not_there(work, row, err)
        return None
    except Forbidden:
        # Either the right to read invoices is gone, or this one belongs to somebody else.
        today = utcnow().date()
        work.remotes.cobot.invoices(work.space.cobot_id, today, today)
        _skip(row, Cause("not_of_this_space"))
        work.commit()
        return None
    if invoice.space_id is not None and invoice.space_id != work.space.cobot_id:
        # Only the id came from the hook: nothing of a foreign invoice may be kept or shown.
        _skip(row, Cause("not_of_this_space"))
        work.commit()
        return None
    row.number = invoice.number
    row.invoice_date = invoice.invoice_date
    row.customer_number = invoice.customer_number
    row.gross = to_cents(invoice.gross)
    row.currency = invoice.currency
    row.debtor_kind = invoice.debtor.kind if invoice.debtor else None
    row.debtor_id = invoice.debtor.id if invoice.debtor else None
    row.person_id = record.name_person(
        row.space_id,
        row.debtor_kind or "invoices",
        row.debtor_id or row.cobot_invoice_id,
        supplier_name(invoice),
    )
    if row.step == Step.NONE:
        row.step = Step.FETCHED
        note_row(
            row,
            "fetched",
            "done",
            number=invoice.number,
            gross=str(invoice.gross),
            currency=invoice.currency,
            customer_number=invoice.customer_number,
            lines=len(invoice.lines),
        )
    record.touch(row)
    work.commit()
    return work.park(invoice)


def _not_there(work: Work, row: InvoiceSync, error: NotFound) -> None:
    config = core().config
    age = utcnow() - row.announced_at
    patience = timedelta(seconds=config.retry_first_seconds * READABLE_AFTER_RETRIES)
    if row.changed_in_cobot != "deleted_invoice" and row.number is None and age < patience:
        row.attempts += 1
        row.next_try_at = utcnow() + timedelta(seconds=config.retry_first_seconds)
        row.cause_code = "cobot_unreachable"
        record.touch(row)
        note_row(row, "fetched", "later", error=error, next_try_at=row.next_try_at)
    else:
        _skip(row, Cause("invoice_deleted"))
    work.commit()


def _plan(work: Work, row: InvoiceSync, invoice: Invoice) -> VoucherPlan | None:
    """Decide how the invoice is booked; None when it is not."""
    space = work.space
    settings = VoucherSettings(
        due_after_days=space.due_after_days,
        cost_centre_id=space.cost_centre_id,
        zero_tax_rule=space.zero_tax_rule,
        corrections=space.corrections,
        cent_difference=space.cent_difference,
        voucher_status=space.voucher_status,
    )
    plan = plan_voucher(invoice, charts.index_of(space, work.remotes), settings)
    if isinstance(plan, NotBookable) and charts.may_heal(space, plan.cause.code):
        # The account may have been made a moment ago: do not call it missing by an old chart.
        anew = charts.index_of(space, work.remotes, younger_than=charts.READ_ANEW_AFTER)
        plan = plan_voucher(invoice, anew, settings)
    if isinstance(plan, VoucherPlan) and not charts.has_cost_centre(space, work.remotes):
        number = space.cost_centre_number or ""
        plan = NotBookable((Cause("cost_centre_missing", {"number": number}),))
    if isinstance(plan, VoucherPlan):
        row.due_date = plan.due_date
        return plan
    if isinstance(plan, Skip):
        _skip(row, plan.cause)
        work.commit()
        return None
    fail(row, plan.cause, step="planned", causes=plan.causes)
    work.commit()
    activities.tell(work, row)
    return None


def _skip(row: InvoiceSync, cause: Cause) -> None:
    row.cause_code = cause.code
    row.cause_params = dict(cause.params)
    row.next_try_at = None
    row.finished_at = utcnow()
    record.set_state(row, State.SKIPPED)
    note_row(row, "skipped", "done", cause=cause.code)


def _member_of(space_id: int, kind: str | None, remote_id: str | None) -> MemberSync | None:
    if kind != "memberships":
        return None
    return db.session.scalar(
        select(MemberSync)
        .where(MemberSync.space_id == space_id, MemberSync.cobot_membership_id == remote_id)
        .execution_options(populate_existing=True)
    )


def _waits_for_member(work: Work, row: InvoiceSync) -> bool:
    """Let a new member become a contact first; a failed write-back of the number holds nobody."""
    member = _member_of(row.space_id, row.debtor_kind, row.debtor_id)
    is_coming = (
        member is not None
        and member.contact_id is None
        and member.state in (State.WAITING, State.SENDING, State.UNKNOWN)
    )
    if not is_coming or row.member_waits >= MEMBER_WAITS:
        db.session.commit()
        return False
    row.member_waits += 1
    row.next_try_at = utcnow() + timedelta(seconds=core().config.retry_first_seconds)
    record.touch(row)
    note_row(row, "waits_for_member", "later", next_try_at=row.next_try_at)
    work.commit()
    return True


def _contact(work: Work, invoice: Invoice) -> tuple[str | None, Cause | None]:
    """Return the invoice's contact, or None and why."""
    space_id = work.space.id
    link: str | None = None
    member: MemberSync | None = None
    if invoice.debtor is not None:
        link = db.session.scalar(
            select(DebtorLink.contact_id).where(
                DebtorLink.space_id == space_id,
                DebtorLink.debtor_kind == invoice.debtor.kind,
                DebtorLink.debtor_id == invoice.debtor.id,
            )
        )
        member = _member_of(space_id, invoice.debtor.kind, invoice.debtor.id)
    db.session.commit()
    linked = (
        MemberLink(member.contact_id, member.number_written, member.number_before)
        if member is not None and member.contact_id is not None
        else None
    )
    known = contact_of_invoice(invoice, link, linked)
    if known is not None:
        return known, None
    number = (invoice.customer_number or "").strip()
    found = work.remotes.sevdesk.find_contacts(number) if number else ()
    chosen = choose_contact(invoice, found)
    if isinstance(chosen, ContactFound):
        return chosen.contact_id, None
    assert isinstance(chosen, NoContact)
    return None, chosen.cause


def _upload(work: Work, row: InvoiceSync, plan: VoucherPlan) -> bool:
    """Bring the PDF to sevdesk unchanged; False when Cobot has none yet."""
    if row.step == Step.UPLOADED and row.filename:
        return True
    try:
        pdf = work.remotes.cobot.invoice_pdf(row.cobot_invoice_id)
    except (NotFound, UnusableAnswer) as err:
        row.attempts += 1
        row.failing_since = row.failing_since or utcnow()
        give_up = timedelta(seconds=core().config.give_up_after_seconds)
        if utcnow() - row.failing_since > give_up:
            fail(row, Cause("pdf_missing"), step="pdf", error=err)
        else:
            row.next_try_at = utcnow() + timedelta(seconds=core().config.retry_first_seconds)
            row.cause_code, row.cause_params = "pdf_missing", {}
            record.touch(row)
            note_row(row, "pdf", "later", error=err, next_try_at=row.next_try_at)
        work.commit()
        return False
    sha256 = hashlib.sha256(pdf).hexdigest()
    filename = work.remotes.sevdesk.upload(pdf, f"{_file_name(plan.number)}.pdf")
    row.filename = filename
    row.pdf_sha256 = sha256
    row.step = Step.UPLOADED
    note_row(row, "uploaded", "done", bytes=len(pdf), sha256=sha256)
    work.commit()
    return True


def _file_name(number: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in number)[:80]


def _send(
    work: Work, row: InvoiceSync, plan: VoucherPlan, contact_id: str | None, supplier: str
) -> bool:
    """Send the voucher once; False when it is not, or not surely, there."""
    draft = plan.draft(contact_id, supplier, row.filename)
    now = utcnow()
    row.step = Step.SENT
    row.sent_number = plan.number
    row.sent_credit_debit = plan.credit_debit
    row.sent_at = now
    row.looks = 0
    row.fingerprint = plan.fingerprint()
    row.sevdesk_client = work.space.sevdesk_client
    # Should this worker die now, somebody looks for the receipt before anything new is made.
    row.next_try_at = looks.next_look_at(row)
    record.set_state(row, State.SENDING)
    note_row(row, "sending", "done", contact=contact_id, **plan.facts())
    work.commit()
    try:
        voucher = work.remotes.sevdesk.save_voucher(draft)
    except OutcomeUnknown as err:
        work.unpark(row.cobot_invoice_id)
        row.next_try_at = looks.next_look_at(row)
        record.set_state(row, State.UNKNOWN)
        row.cause_code, row.cause_params = "checking", {}
        note_row(row, "sent", "unknown", error=err, next_try_at=row.next_try_at)
        work.commit()
        return False
    except (Rejected, NotFound) as err:
        work.unpark(row.cobot_invoice_id)
        fail(row, Cause("rejected_by_sevdesk", {"message": err.message}), step="sent", error=err)
        row.step = Step.FETCHED
        charts.forget(work.space)
        work.commit()
        activities.tell(work, row)
        return False
    work.unpark(row.cobot_invoice_id)
    _take_over(work, row, plan, voucher, was_there=False)
    return True


def _adopt(work: Work, row: InvoiceSync, voucher: Voucher) -> None:
    """Take over the receipt of a lost answer: it is ours, found by the look."""
    _keep(row, voucher, was_there=False)
    note_row(row, "found", "done", voucher=voucher.id, gross=str(voucher.sum_gross))
    work.commit()
    _finish(work, row)


def _take_over(
    work: Work, row: InvoiceSync, plan: VoucherPlan, voucher: Voucher, *, was_there: bool
) -> None:
    row.fingerprint = plan.fingerprint()
    row.sevdesk_client = work.space.sevdesk_client
    _keep(row, voucher, was_there=was_there)
    note_row(
        row,
        "found" if was_there else "saved",
        "done",
        voucher=voucher.id,
        gross=str(voucher.sum_gross),
        was_there=was_there or None,
        **(plan.facts() if was_there else {}),
    )
    work.commit()


def _keep(row: InvoiceSync, voucher: Voucher, *, was_there: bool) -> None:
    row.sevdesk_voucher_id = voucher.id
    row.sevdesk_gross = to_cents(voucher.sum_gross)
    row.was_adopted = was_there
    row.step = Step.SAVED
    row.filename = None
    row.next_try_at = utcnow()
    forget_cause(row)
    record.set_state(row, State.SENDING)


def _finish(work: Work, row: InvoiceSync, *, no_contact: Cause | None = None) -> None:
    """Tag the receipt; then the invoice is done. Only what is missing is tried again."""
    assert row.sevdesk_voucher_id is not None
    if not row.has_import_tag:
        work.remotes.sevdesk.tag(row.sevdesk_voucher_id, IMPORT_TAG)
        row.has_import_tag = True
        work.commit()
    if row.is_mismatch and not row.has_mismatch_tag:
        work.remotes.sevdesk.tag(row.sevdesk_voucher_id, MISMATCH_TAG)
        row.has_mismatch_tag = True
    row.step = Step.TAGGED
    row.next_try_at = None
    row.finished_at = utcnow()
    row.attempts = 0
    forget_cause(row)
    cause = _warning(row, no_contact)
    if cause is not None:
        row.cause_code, row.cause_params = cause.code, dict(cause.params)
    record.set_state(row, State.MISMATCHED if row.is_mismatch else State.SYNCED)
    note_row(
        row,
        "tagged",
        "done",
        tags=[IMPORT_TAG, MISMATCH_TAG] if row.is_mismatch else [IMPORT_TAG],
        cause=cause.code if cause else None,
    )
    work.commit()
    if row.told_cause is not None:
        activities.tell_repaired(work, row)


def _warning(row: InvoiceSync, no_contact: Cause | None) -> Cause | None:
    """Return what a person should know of a receipt that is there, None when all is well."""
    booked = row.sevdesk_gross
    if booked is not None and row.gross is not None and abs(booked) != abs(row.gross):
        return Cause("sum_differs", {"a": str(booked), "b": str(row.gross)})
    if row.is_mismatch:
        return no_contact or Cause("contact_missing", {"number": row.customer_number or "–"})
    return None
