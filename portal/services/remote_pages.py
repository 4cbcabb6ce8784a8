"""The ways out of the portal: Cobot's and sevdesk's own pages, an invoice's PDF and its texts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import urlsplit

from portal.cobot.links import page_address
from portal.core import core
from portal.crypto import SealBroken
from portal.database import db
from portal.errors import PermanentError, RemoteError
from portal.models import InvoiceSync, Space
from portal.services import clients
from portal.sync.accounts import written_code

KEPT_SECONDS = 24 * 3600
MOST_KEPT = 1000


def cobot_page(space: Space, page: str, invoice_id: str = "") -> str | None:
    """Return the address of one of Cobot's pages of this space, None when it cannot be had."""
    try:
        return page_address(_urls(space), page, invoice_id)
    except (RemoteError, SealBroken):
        return None


def sevdesk_start() -> str:
    """Return sevdesk's start page. The address of a single receipt is published nowhere."""
    parts = urlsplit(core().config.sevdesk_api_url)
    return f"{parts.scheme}://{parts.netloc}/"


def invoice_pdf(space: Space, cobot_invoice_id: str) -> bytes:
    """Return the PDF as Cobot has it; it is kept nowhere. Raises RemoteError."""
    if not space.is_connected:
        raise PermanentError("the space is not connected", remote="cobot")
    cobot = clients.cobot_of(space)
    db.session.commit()
    return cobot.invoice_pdf(cobot_invoice_id)


def line_texts(space: Space, invoice: InvoiceSync) -> tuple[str, ...] | None:
    """Return the texts of the invoice's lines as Cobot has them now, in the order of those kept.

    They are kept nowhere. None where Cobot's lines are others than those of the last attempt:
    then no text could be put beside its line. Raises RemoteError, SealBroken.
    """
    if not space.is_connected:
        raise PermanentError("the space is not connected", remote="cobot")
    cobot = clients.cobot_of(space)
    kept, cobot_id = invoice.lines, invoice.cobot_invoice_id
    db.session.commit()
    found = cobot.invoice(cobot_id)
    is_ours = found.space_id in (None, space.cobot_id)
    now = [(written_code(line), line.net, line.gross) for line in found.lines]
    then = [(line["code"], Decimal(line["net"]), Decimal(line["gross"])) for line in kept]
    return tuple(line.description for line in found.lines) if is_ours and now == then else None


def _urls(space: Space) -> Mapping[str, str]:
    """Return Cobot's pages of a space, asked once a day and process."""
    kept = core().cobot_urls
    found = kept.get(space.id)
    if found is None or time.monotonic() - found[0] > KEPT_SECONDS:
        cobot = clients.cobot_of(space)
        db.session.commit()
        if len(kept) > MOST_KEPT:
            kept.clear()
        found = kept[space.id] = (time.monotonic(), cobot.urls(space.cobot_id))
    return found[1]
