"""The receipt of an invoice: PDF up, saved once, found again, tagged.

State and step are committed before every write; saveVoucher is sent once and never repeated
without looking first (sevdesk knows no idempotency key).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from portal.core import core
from portal.database import db, utcnow
from portal.errors import (
    NotFound,
    OutcomeUnknown,
    PortalError,
    Rejected,
    RemoteError,
    TemporaryError,
    UnusableAnswer,
)
from portal.models import InvoiceSync, State, Step
from portal.money import to_cents
from portal.services import (
    activities,
    charts,
    linked_contacts,
    looks,
    pauses,
    record,
    space_row,
)
from portal.services.edges import Edge
from portal.services.locks import LockLost
from portal.services.rows import fail, forget_cause, leave_untagged, note_row
from portal.services.work import Parked, Uploaded, Work
from portal.sevdesk.records import Voucher
from portal.sync.causes import Cause
from portal.sync.plans import EXPENSE, VoucherPlan
from portal.sync.vouchers import supplier_name

IMPORT_TAG = "Import"
MISMATCH_TAG = "mismatch"
SEND_WITHIN_SECONDS = 30
"""A worker that was stopped for longer between the commit and the write does not write: another
one may hold the space by now and have looked already."""


def take_what_was_there(
    work: Work, row: InvoiceSync, plan: VoucherPlan, found: Sequence[Voucher], parked: Parked
) -> bool:
    """Take over a receipt of this number when it is the same; return whether that ends the matter.

    One with other figures is a person's to judge: nothing is booked until they say so.
    """
    contact_id, no_contact = parked.contact or (None, None)
    supplier = supplier_name(parked.invoice)
    for hit in found:
        if looks.is_the_same(hit, plan, contact_id, supplier):
            row.is_mismatch = contact_id is None
            _take_over(work, row, plan, hit, was_there=True)
            finish(work, row, no_contact=no_contact)
            return True
    found = [hit for hit in found if hit.id not in row.beside_voucher_ids]
    if not found:
        return False
    fail(row, looks.number_taken(plan.number, found), step="look")
    work.commit(Edge.FAILED)
    activities.tell(work, row)
    return True


class NoPdf(PortalError):
    """Cobot has no PDF of the invoice; `error` is what it said."""

    def __init__(self, error: RemoteError) -> None:
        super().__init__(str(error))
        self.error = error


def upload(work: Work, row: InvoiceSync, plan: VoucherPlan, parked: Parked) -> None:
    """Bring the PDF to sevdesk unchanged, unless that was done since the invoice was read. Raises
    NoPdf.

    One from before may show other figures, or lie in another sevdesk. No commit: it is kept
    together with the permission to send (`note_upload`). Whoever dies before that uploads once
    more, and nothing refers to the first file.
    """
    if parked.uploaded is None and not (parked.has_file and row.filename):
        parked.uploaded = _upload(work, row, plan, parked)
        parked.pdf = None
    work.wait_to_write()  # the receipt itself, while nothing is changed yet


def _upload(work: Work, row: InvoiceSync, plan: VoucherPlan, parked: Parked) -> Uploaded:
    try:
        pdf = parked.pdf or work.remotes.cobot.invoice_pdf(row.cobot_invoice_id)
    except (NotFound, UnusableAnswer) as err:
        raise NoPdf(err) from None
    parked.pdf = pdf
    work.wait_to_write()
    filename = work.remotes.sevdesk.upload(pdf, f"{_file_name(plan.number)}.pdf")
    return Uploaded(filename, hashlib.sha256(pdf).hexdigest(), len(pdf))


def wait_for_pdf(work: Work, row: InvoiceSync, error: RemoteError) -> None:
    """Come again for the PDF; after a long time it is a person's matter."""
    row.failing_since = row.failing_since or utcnow()
    give_up = timedelta(seconds=core().config.give_up_after_seconds)
    if utcnow() - row.failing_since > give_up:
        fail(row, Cause("pdf_unavailable"), step="pdf", error=error)
    else:
        row.next_try_at = utcnow() + timedelta(seconds=core().config.retry_first_seconds)
        row.cause_code, row.cause_params = "pdf_missing", {}
        record.touch(row)
        note_row(row, "pdf", "later", error=error, next_try_at=row.next_try_at)
    row.attempts += 1
    work.commit(Edge.LATER)


def note_upload(row: InvoiceSync, parked: Parked) -> None:
    """Note what was uploaded, where it stands in no row yet. The caller commits."""
    uploaded = parked.uploaded
    if uploaded is None:
        return
    row.filename = uploaded.filename
    row.pdf_sha256 = uploaded.sha256
    row.step = Step.UPLOADED
    note_row(row, "uploaded", "done", bytes=uploaded.size, sha256=uploaded.sha256)


def _file_name(number: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in number)[:80]


def send(
    work: Work,
    row: InvoiceSync,
    plan: VoucherPlan,
    parked: Parked,
    why: Callable[[], Cause | None],
) -> bool:
    """Send the voucher once; False when it is not, or not surely, there.

    `why` looks, after a refusal, for what changed in sevdesk since the plan was made.
    """
    contact_id, _ = parked.contact or (None, None)
    draft = plan.draft(contact_id, supplier_name(parked.invoice), row.filename)
    begun = time.monotonic()
    row.step = Step.SENT
    row.sent_number = plan.number
    row.sent_credit_debit = plan.credit_debit
    row.sent_contact_id = contact_id
    row.sent_at = utcnow()
    row.is_mismatch = contact_id is None
    row.looks = 0
    row.fingerprint = plan.fingerprint()
    row.sevdesk_client = work.space.sevdesk_client
    # Should this worker die now, somebody looks for the receipt before anything new is made.
    row.next_try_at = looks.next_look_at(row)
    note_row(row, "sending", "done", contact=contact_id, **plan.facts())
    record.set_state(row, State.SENDING)
    work.commit(Edge.SENDING)
    parked.is_noted, parked.uploaded, parked.has_file = True, None, True
    if time.monotonic() - begun > SEND_WITHIN_SECONDS:
        raise LockLost("stopped for too long before the write")
    try:
        voucher = work.remotes.sevdesk.save_voucher(draft)
    except OutcomeUnknown as err:
        work.unpark(row.cobot_invoice_id)
        row.sent_at = utcnow()  # the looks are counted from the lost answer
        row.next_try_at = looks.next_look_at(row)
        record.set_state(row, State.UNKNOWN)
        row.cause_code, row.cause_params = "checking", {}
        note_row(row, "sent", "unknown", error=err, next_try_at=row.next_try_at)
        work.commit(Edge.UNKNOWN)
        return False
    except (Rejected, NotFound) as err:
        work.unpark(row.cobot_invoice_id)
        is_gone, cause = _diagnose(work, row, contact_id, why)
        if is_gone:
            row.filename = None
            row.step = Step.FETCHED
            row.next_try_at = utcnow()
            record.set_state(row, State.WAITING)
            note_row(row, "contact", "failed", error=err, contact=contact_id)
            work.commit(Edge.CONTACT_GONE)
            return False
        if cause is None:
            cause = Cause("rejected_by_sevdesk", {"message": err.message})
            charts.doubt(work.space)
            pauses.count_refusal(work.space, err.message)
        fail(row, cause, step="sent", error=err)
        row.step = Step.FETCHED
        work.commit(Edge.FAILED)
        activities.tell(work, row)
        work.leave_if_refused()
        return False
    work.unpark(row.cobot_invoice_id)
    pauses.forget_refusals(work.space)
    _take_over(work, row, plan, voucher, was_there=False)
    return True


def _diagnose(
    work: Work, row: InvoiceSync, contact_id: str | None, why: Callable[[], Cause | None]
) -> tuple[bool, Cause | None]:
    """Return, after a refusal, whether the contact is gone, and what else explains it.

    The refusal is certain: where nobody answers now, or our budget is used up, it stands alone.
    """
    try:
        if contact_id is not None and _forget_contact_if_gone(work, contact_id):
            return True, None
        return False, why()
    except TemporaryError:
        db.session.rollback()
        db.session.refresh(row)
        db.session.refresh(work.space)
        return False, None


def _forget_contact_if_gone(work: Work, contact_id: str) -> bool:
    """Drop a contact that was deleted in sevdesk from what we know; False when it is there."""
    if work.remotes.sevdesk.contact(contact_id) is not None:
        return False
    linked_contacts.forget(work.space.id, contact_id)
    return True


def adopt(work: Work, row: InvoiceSync, voucher: Voucher) -> None:
    """Take over the receipt of a lost answer: it is ours, found by the look."""
    _keep(row, voucher, was_there=False)
    note_row(row, "found", "done", voucher=voucher.id, gross=str(voucher.sum_gross))
    work.commit(Edge.SAVED)
    finish(work, row)


def _take_over(
    work: Work, row: InvoiceSync, plan: VoucherPlan, voucher: Voucher, *, was_there: bool
) -> None:
    space_row.write_late(row.space_id)
    row.fingerprint = plan.fingerprint()
    row.sent_credit_debit = plan.credit_debit
    facts: dict[str, Any] = {"voucher": voucher.id, "gross": str(voucher.sum_gross)}
    if was_there:
        row.sevdesk_client = work.space.sevdesk_client
        # The plan's own gross is what it would have booked; here counts what stands in sevdesk.
        facts = {**plan.facts(), **facts, "was_there": True}
    note_row(row, "found" if was_there else "saved", "done", **facts)
    _keep(row, voucher, was_there=was_there)
    work.commit(Edge.SAVED)


def _keep(row: InvoiceSync, voucher: Voucher, *, was_there: bool) -> None:
    row.sevdesk_voucher_id = voucher.id
    row.sevdesk_gross = to_cents(voucher.sum_gross)
    row.was_adopted = was_there
    row.step = Step.SAVED
    row.filename = None
    row.next_try_at = utcnow()
    forget_cause(row)
    record.set_state(row, State.SENDING)


def finish(work: Work, row: InvoiceSync, *, no_contact: Cause | None = None) -> None:
    """Tag the receipt; then the invoice is done. Only what is missing is tried again.

    One that stands in the space's sevdesk of before stays without its tags.
    """
    assert row.sevdesk_voucher_id is not None
    if row.sevdesk_client != work.space.sevdesk_client:
        leave_untagged(row, step="tagged")
        work.commit(Edge.TAGGED)
        if row.told_cause is not None:
            activities.tell_repaired(work, row)
        return
    if not row.has_import_tag:
        work.wait_to_write()
        work.remotes.sevdesk.tag(row.sevdesk_voucher_id, IMPORT_TAG)
        row.has_import_tag = True
        if row.is_mismatch:
            work.commit(Edge.IMPORT_TAGGED)
    if row.is_mismatch and not row.has_mismatch_tag:
        work.wait_to_write()
        work.remotes.sevdesk.tag(row.sevdesk_voucher_id, MISMATCH_TAG)
        row.has_mismatch_tag = True
    space_row.write_late(row.space_id)
    row.step = Step.TAGGED
    row.next_try_at = None
    row.finished_at = utcnow()
    row.attempts = 0
    forget_cause(row)
    cause = _warning(row, no_contact)
    if cause is not None:
        row.cause_code, row.cause_params = cause.code, dict(cause.params)
    note_row(
        row,
        "tagged",
        "done",
        tags=[IMPORT_TAG, MISMATCH_TAG] if row.is_mismatch else [IMPORT_TAG],
        cause=cause.code if cause else None,
    )
    record.set_state(row, State.MISMATCHED if row.is_mismatch else State.SYNCED)
    work.commit(Edge.TAGGED)
    if row.told_cause is not None:
        activities.tell_repaired(work, row)


def _warning(row: InvoiceSync, no_contact: Cause | None) -> Cause | None:
    """Return what a person should know of a receipt that is there, None when all is well."""
    booked = row.sevdesk_gross
    if booked is not None and row.gross is not None:
        expected = -row.gross if row.sent_credit_debit == EXPENSE else row.gross
        if booked != expected:
            return Cause("sum_differs", {"a": str(booked), "b": str(expected)})
    if row.is_mismatch:
        return no_contact or Cause("contact_missing", {"number": row.customer_number or "–"})
    return None
