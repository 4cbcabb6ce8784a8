"""One invoice: its state, what to do, and everything that happened to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.cobot.links import INVOICE
from portal.crypto import SealBroken
from portal.errors import NotFound, PermanentError
from portal.forms import row_id
from portal.models import Space
from portal.services import remote_pages
from portal.services import retry as retry_service
from portal.services.connection import actor_of
from portal.services.invoice_pages import InvoiceView, invoice_view, support_text
from portal.views.access import current_admin, current_space, is_fragment, poll, writes
from portal.views.errors import show_notice

bp = Blueprint("invoices", __name__, url_prefix="/spaces/<subdomain>/invoices/<invoice_id>")


@bp.get("")
def show(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    return render_template("invoices/index.html", **_shown(_found(invoice_id)))


@bp.get("/changes")
@poll
def changes(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Answer a poll: 204 while the invoice is as it was, else the page's inner part."""
    view = _found(invoice_id)
    if view.invoice.sequence <= request.args.get("after", 0, type=row_id):
        return "", 204
    return render_template("invoices/_invoice.html", **_shown(view))


@bp.get("/pdf")
@writes
def pdf(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Hand Cobot's PDF through; nothing of it is kept. It costs a call of our budget."""
    view = _found(invoice_id)
    try:
        document = remote_pages.invoice_pdf(current_space(), invoice_id)
    except NotFound:
        return show_notice(404, _("Cobot has no PDF"), _("Cobot has no PDF of this invoice (yet)."))
    except PermanentError:
        return show_notice(
            503, _("Cobot does not hand out the PDF"), _("Open the invoice in Cobot instead.")
        )
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", view.invoice.number or "invoice")
    answer = Response(document, mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.pdf"'
    return answer


@bp.get("/lines")
@writes
def lines(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Show the lines with their texts, read from Cobot now and kept nowhere; costs a call."""
    view = _found(invoice_id)
    try:
        texts = remote_pages.line_texts(current_space(), view.invoice)
    except (PermanentError, SealBroken):
        return show_notice(
            503,
            _("Cobot does not hand out the descriptions"),
            _("Open the invoice in Cobot instead."),
        )
    name = "invoices/_lines.html" if is_fragment() else "invoices/index.html"
    return render_template(name, **_shown(view), texts=texts, were_texts_read=True)


@bp.get("/cobot")
@writes
def in_cobot(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Go to the invoice in Cobot, whose pages Cobot itself names; it costs a call now and then."""
    _found(invoice_id)
    address = remote_pages.cobot_page(current_space(), INVOICE, invoice_id)
    if address is None:
        return show_notice(
            503,
            _("Cobot does not tell the address"),
            _("Please open the invoice in Cobot by hand: its number is in your list of invoices."),
        )
    return redirect(address)


@bp.post("/retry")
def retry(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Try the invoice again; what is booked already is never booked twice."""
    return _again(invoice_id, retry_service.retry_invoice)


@bp.post("/create-anyway")
def create_anyway(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Book although sevdesk has a receipt of this number: only a person may decide that."""
    beside = request.form.get("beside", "")
    return _again(invoice_id, partial(retry_service.create_anyway, beside=beside))


def _again(invoice_id: str, act: Callable[..., bool]) -> ResponseReturnValue:
    space = current_space()
    _found(invoice_id)
    done = act(space, invoice_id, actor=actor_of(current_admin()))
    said = _("It is tried again now.") if done else _("There is nothing to try again here.")
    if is_fragment():
        return render_template("invoices/_invoice.html", **_shown(_found(invoice_id)), said=said)
    flash(said)
    return redirect(url_for(".show", subdomain=space.subdomain, invoice_id=invoice_id), 303)


def _found(invoice_id: str) -> InvoiceView:
    return invoice_view(current_space(), invoice_id) or abort(404)


def _shown(view: InvoiceView) -> dict[str, object]:
    space: Space = current_space()
    return {
        "space": space,
        "view": view,
        "excerpt": support_text(space, view),
        "sevdesk_start": remote_pages.sevdesk_start(),
    }
