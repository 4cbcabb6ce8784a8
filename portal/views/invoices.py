"""One invoice: its state, what to do, and everything that happened to it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.models import Space
from portal.services import retry as retry_service
from portal.services.connection import actor_of
from portal.services.log import InvoiceView, invoice_view
from portal.views.access import current_admin, current_space, is_fragment

bp = Blueprint("invoices", __name__, url_prefix="/spaces/<subdomain>/invoices/<invoice_id>")


@bp.get("")
def show(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    space = current_space()
    return render_template("invoices/index.html", space=space, view=_found(space, invoice_id))


@bp.get("/changes")
def changes(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Answer a poll: 204 while the invoice is as it was, else the page's inner part."""
    space = current_space()
    view = _found(space, invoice_id)
    if view.invoice.sequence <= request.args.get("after", 0, type=int):
        return "", 204
    return render_template("invoices/_invoice.html", space=space, view=view)


@bp.post("/retry")
def retry(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Try the invoice again; what is booked already is never booked twice."""
    return _again(invoice_id, retry_service.retry_invoice)


@bp.post("/create-anyway")
def create_anyway(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Book although sevdesk has a receipt of this number: only a person may decide that."""
    return _again(invoice_id, retry_service.create_anyway)


def _again(invoice_id: str, act: Callable[..., bool]) -> ResponseReturnValue:
    space = current_space()
    _found(space, invoice_id)
    done = act(space, invoice_id, actor=actor_of(current_admin()))
    said = _("It is tried again now.") if done else _("There is nothing to try again here.")
    if is_fragment():
        view = _found(space, invoice_id)
        return render_template("invoices/_invoice.html", space=space, view=view, said=said)
    flash(said)
    return redirect(url_for(".show", subdomain=space.subdomain, invoice_id=invoice_id), 303)


def _found(space: Space, invoice_id: str) -> InvoiceView:
    return invoice_view(space, invoice_id) or abort(404)
