"""Messages on the Cobot invoice: one when it cannot be booked, one when it is repaired."""

from __future__ import annotations

import html

import structlog
from flask_babel import gettext

from portal.core import core
from portal.database import db, utcnow
from portal.errors import (
    Forbidden,
    NotFound,
    OutcomeUnknown,
    Rejected,
    RemoteError,
)
from portal.models import InvoiceSync, Space
from portal.services import record
from portal.services.edges import Edge
from portal.services.rows import is_settled, note_row, told_key
from portal.services.sentences import cause_sentence, fix_sentence, language_of
from portal.services.work import Work
from portal.sync.causes import Cause

log = structlog.get_logger(__name__)

MOST_TRIES = 2
"""A message whose answer was lost is sent once more at the most: better twice than never."""


def invoice_url(space: Space, invoice: InvoiceSync) -> str:
    """Return the address of the invoice's page in the portal."""
    base = core().config.public_url
    return f"{base}/spaces/{space.subdomain}/invoices/{invoice.cobot_invoice_id}"


def tell(work: Work, row: InvoiceSync) -> None:
    """Say on the Cobot invoice why it is not booked, once per failure episode."""
    cause = Cause(row.cause_code or "unexpected", row.cause_params)
    if row.told_cause == told_key(cause):
        _told(work, row, row.told_cause)
        return
    with language_of(work.space):
        lead = gettext("sevdesk: invoice %(number)s was not synced.", number=row.number or "–")
        said = [lead, cause_sentence(cause.code, cause.params)]
        if fix := fix_sentence(cause.code, cause.params):
            said.append(fix)
    _post(work, row, " ".join(said), "ERROR", told_key(cause))


def tell_repaired(work: Work, row: InvoiceSync) -> None:
    """Say on the Cobot invoice that it is booked now."""
    with language_of(work.space):
        said = gettext("sevdesk: invoice %(number)s has been synced now.", number=row.number)
    _post(work, row, said, None, None)


def _post(work: Work, row: InvoiceSync, said: str, level: str | None, told: str | None) -> None:
    """Post one message and keep that it was; a message never holds an invoice up.

    Raises RemoteError when it is to be tried again: nothing was posted, or an answer was lost.
    """
    if row.tell_attempts >= MOST_TRIES:
        # Workers died over it before they could write down what became of it.
        note_row(row, "told", "unknown")
        _told(work, row, told)
        return
    with language_of(work.space):
        label = gettext("Open in the portal")
    link = html.escape(invoice_url(work.space, row), quote=True)
    message = f'{html.escape(said, quote=False)} <a href="{link}">{html.escape(label)}</a>'
    row.tell_attempts += 1
    is_last = row.tell_attempts >= MOST_TRIES
    work.commit(Edge.TELLING)
    outcome = "done"
    try:
        _post_somewhere(work, row, message, level)
    except OutcomeUnknown as err:
        if not is_last:
            raise
        note_row(row, "told", "unknown", error=err)
        outcome = "unknown"
    except (Forbidden, Rejected, NotFound) as err:
        if isinstance(err, Forbidden):
            work.space.messages_refused_at = work.space.messages_refused_at or utcnow()
        note_row(row, "told", "failed", error=err)
        outcome = "failed"
    except RemoteError:
        row.tell_attempts -= 1  # certainly not posted
        work.commit(Edge.TELLING_LATER)
        raise
    else:
        work.space.messages_refused_at = None
        note_row(row, "told", "done", cause=row.cause_code, params=dict(row.cause_params))
    log.info("message for Cobot", space=row.space_id, invoice=row.number, outcome=outcome)
    _told(work, row, told)


def _told(work: Work, row: InvoiceSync, told: str | None) -> None:
    """Keep what was told. An invoice that somebody made due meanwhile stays due."""
    record.touch(row)  # from here to the commit nobody else makes it due
    db.session.flush()
    db.session.refresh(row, ["state", "next_try_at"])
    row.told_cause = told
    row.tell_attempts = 0
    if is_settled(row):
        row.next_try_at = None
    work.commit(Edge.TOLD)


def _post_somewhere(work: Work, row: InvoiceSync, message: str, level: str | None) -> None:
    """Post on the invoice; where Cobot refuses that, on the member, else in the feed alone.

    Which sources Cobot accepts is not documented: docs/not-yet-seen.md.
    """
    sources = [[row.cobot_invoice_id]]
    if row.debtor_kind == "memberships" and row.debtor_id:
        sources.append([row.debtor_id])
    sources.append([])
    for tried, source_ids in enumerate(sources, start=1):
        try:
            work.remotes.cobot.post_activity(message, level, source_ids)
        except (Rejected, NotFound):
            if tried == len(sources):
                raise
        else:
            return
