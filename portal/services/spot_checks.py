"""Every night a look whether some of the receipts that we made still stand in sevdesk."""

from __future__ import annotations

import random
from datetime import date

import structlog
from sqlalchemy import func, select

from portal.database import db, utcnow
from portal.errors import BudgetExhausted
from portal.models import InvoiceSync, Space, State
from portal.services import lost_receipts, record
from portal.sevdesk.client import SevdeskClient

log = structlog.get_logger(__name__)

BOOKED = (State.SYNCED, State.MISMATCHED)
MOST_PAGES = 3
MOST_SINGLE = 10


def look(space: Space, sevdesk: SevdeskClient) -> int:
    """Compare the receipts of the latest day and of one at random with sevdesk's; return how many
    are gone. Raises RemoteError.

    A whole day costs one call. What is not in its list is asked for by its id before it counts as
    gone: somebody may have changed its date. What our budget does not give tonight is left out.
    """
    gone: dict[int, str] = {}
    try:
        for day in _days(space):
            gone |= _gone_of(space, sevdesk, day)
    except BudgetExhausted as err:
        log.info("spot check ended early", space=space.id, error=str(err))
    count = lost_receipts.take_back(space, gone, actor=record.PORTAL, is_to_tell=True)
    if count:
        space.wake_at = utcnow()
    db.session.commit()
    return count


def _days(space: Space) -> list[date]:
    ours = (InvoiceSync.space_id == space.id, InvoiceSync.sevdesk_voucher_id.is_not(None))
    first, last = db.session.execute(
        select(func.min(InvoiceSync.invoice_date), func.max(InvoiceSync.invoice_date)).where(*ours)
    ).one()
    if first is None or last is None:
        db.session.commit()
        return []
    at_random = date.fromordinal(random.randint(first.toordinal(), last.toordinal()))  # noqa: S311
    # The day of the next receipt from there on: on most days there is none.
    near = db.session.scalar(
        select(func.min(InvoiceSync.invoice_date)).where(
            *ours, InvoiceSync.invoice_date >= at_random
        )
    )
    db.session.commit()
    return list(dict.fromkeys(day for day in (last, near) if day is not None))


def _gone_of(space: Space, sevdesk: SevdeskClient, day: date) -> dict[int, str]:
    ours = _booked_on(space, day)
    there: set[str] = set()
    for page in range(MOST_PAGES):
        vouchers, is_last = sevdesk.vouchers_page(day, day, page)
        there |= {voucher.id for voucher in vouchers}
        if is_last:
            break
    missing = [(row_id, voucher_id) for row_id, voucher_id in ours if voucher_id not in there]
    return {
        row_id: voucher_id
        for row_id, voucher_id in missing[:MOST_SINGLE]
        if sevdesk.voucher(voucher_id) is None
    }


def _booked_on(space: Space, day: date) -> list[tuple[int, str]]:
    rows = db.session.execute(
        select(InvoiceSync.id, InvoiceSync.sevdesk_voucher_id).where(
            InvoiceSync.space_id == space.id,
            InvoiceSync.invoice_date == day,
            InvoiceSync.state.in_(BOOKED),
            InvoiceSync.sevdesk_client == space.sevdesk_client,
        )
    ).all()
    db.session.commit()
    return [(row.id, row.sevdesk_voucher_id or "") for row in rows]
