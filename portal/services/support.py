"""What support staff may look at: invoices of every space, to read only.

Each function here crosses spaces and says so in its name. None of them writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select

from portal.core import core
from portal.database import db
from portal.models import Admin, InvoiceSync, Space
from portal.services.prefixes import starts_with

MOST_HITS = 50


@dataclass(frozen=True)
class SupportHit:
    """An invoice found by its number or its voucher, with the space it belongs to."""

    space: Space
    invoice: InvoiceSync


def is_support(admin: Admin) -> bool:
    """True for the people named in SUPPORT_USER_IDS."""
    return admin.cobot_user_id in core().config.support_user_ids


def all_spaces_invoices(q: str) -> Sequence[SupportHit]:
    """Return invoices of any space whose number begins with `q`, or whose ids are exactly `q`."""
    query = (
        select(Space, InvoiceSync)
        .join(InvoiceSync, InvoiceSync.space_id == Space.id)
        .where(
            or_(
                starts_with(InvoiceSync.number, q),
                InvoiceSync.sevdesk_voucher_id == q,
                InvoiceSync.cobot_invoice_id == q,
            )
        )
        .order_by(InvoiceSync.id.desc())
        .limit(MOST_HITS)
    )
    return [SupportHit(space, invoice) for space, invoice in db.session.execute(query)]


def all_spaces_spaces(q: str) -> Sequence[Space]:
    """Return the spaces whose subdomain begins with `q`."""
    query = (
        select(Space)
        .where(starts_with(Space.subdomain, q.lower()))
        .order_by(Space.subdomain)
        .limit(MOST_HITS)
    )
    return db.session.scalars(query).all()


def all_spaces_space(subdomain: str) -> Space | None:
    """Return any space by its subdomain."""
    return db.session.scalar(select(Space).where(Space.subdomain == subdomain))
