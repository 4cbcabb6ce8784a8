"""The live log of a space."""

from __future__ import annotations

from itertools import chain

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from flask_babel import gettext as _

from portal.filters import cause_beside_state, day, state_word
from portal.forms import row_id
from portal.forms_log import AskedFilter, asked_filter, shown_page
from portal.models import Space
from portal.services import catchup, cause_bar
from portal.services import log as log_service
from portal.services.log import LogPage, LogRow
from portal.views.access import current_space, is_fragment, poll, streamed
from portal.views.errors import show_notice
from portal.views.tables import csv_lines

bp = Blueprint("log", __name__, url_prefix="/spaces/<subdomain>")


@bp.get("/log")
def index(subdomain: str) -> ResponseReturnValue:
    """Show one page of the log; htmx gets the part below the heading."""
    space, asked = current_space(), asked_filter(request.args)
    after = request.args.get("after")
    page = _empty(space) if asked.unreadable else log_service.log_page(space, asked.filters, after)
    shown = render_template(
        "log/_log.html" if is_fragment() else "log/index.html",
        space=space,
        filters=asked.filters,
        query=asked.query,
        unreadable=asked.unreadable,
        after=after,
        page=page,
        bar=cause_bar.bar_of(space),
        hits=log_service.hits(space, asked.filters, page.counts),
    )
    return shown, 422 if asked.unreadable else 200


@bp.get("/log/changes")
@poll
def changes(subdomain: str) -> ResponseReturnValue:
    """Answer a poll: 204 when nothing is newer than the cursor, else what to put in place."""
    space, asked, shown = current_space(), asked_filter(request.args), shown_page(request.args)
    if asked.unreadable:
        return "", 204  # the page shows no invoice that could change
    sequence = request.args.get("after", 0, type=row_id)
    found = log_service.changes_since(space, sequence, asked.filters, shown)
    if found is None:
        return "", 204
    bar = cause_bar.bar_of(space)
    return render_template(
        "log/_changes.html",
        space=space,
        bar=bar,
        is_bar_new=bar.mark != request.args.get("bar"),
        filters=asked.filters,
        query=asked.query,
        changes=found,
        shown=shown,
    )


@bp.post("/log/look")
def look(subdomain: str) -> ResponseReturnValue:
    """Look in Cobot for what no message told: where none has come yet, or none can come."""
    if catchup.ask(current_space()):
        flash(_("We are looking in Cobot. What is found appears here by itself."))
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.get("/log.csv")
def download(subdomain: str) -> ResponseReturnValue:
    """Give the filtered list as a file that spreadsheet programs open as it is."""
    asked = asked_filter(request.args)
    if asked.unreadable:
        return refused(asked)
    rows = log_service.csv_rows(current_space(), asked.filters)
    lines = csv_lines(chain([_headings()], map(_cells, rows)))
    answer = Response(streamed(lines), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{subdomain}-log.csv"'
    return answer


def refused(asked: AskedFilter) -> ResponseReturnValue:
    """Return the page that says what of a filter cannot be read: by it nothing is done."""
    return show_notice(422, _("This filter cannot be read"), " ".join(asked.unreadable.values()))


def _empty(space: Space) -> LogPage:
    return LogPage((), None, log_service.counts_of(space), space.sequence)


def _headings() -> list[str]:
    return [
        _("Invoice"),
        _("Date"),
        _("Member"),
        _("Customer number"),
        _("Amount"),
        _("Currency"),
        _("State"),
        _("Cause"),
        _("Receipt"),
        _("Due"),
    ]


def _cells(row: LogRow) -> list[str]:
    invoice = row.invoice
    return [
        invoice.number or invoice.cobot_invoice_id,
        day(invoice.invoice_date),
        row.name or "",
        invoice.customer_number or "",
        format_decimal(invoice.gross, "0.00") if invoice.gross is not None else "",
        invoice.currency or "",
        state_word(invoice),
        cause_beside_state(invoice),
        invoice.sevdesk_voucher_id or "",
        day(invoice.due_date),
    ]
