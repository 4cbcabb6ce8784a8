"""What a person does with one invoice besides trying again: its contact, its receipt, skipping."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.forms import LONGEST_SEARCH, SkipForm
from portal.models import InvoiceSync
from portal.services import contact_search, lost_receipts, skips
from portal.services.connection import actor_of
from portal.services.invoice_pages import InvoiceView, invoice_view
from portal.services.lost_receipts import Anew
from portal.views.access import current_admin, current_space, writes

bp = Blueprint("repairs", __name__, url_prefix="/spaces/<subdomain>/invoices/<invoice_id>")


@bp.get("/contacts")
@writes
def contacts(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Show who in sevdesk may be meant; it costs some calls of our budget."""
    space, view = current_space(), _found(invoice_id, connected=True)
    query = request.args.get("q", "").strip()[:LONGEST_SEARCH]
    return render_template(
        "invoices/contacts.html",
        space=space,
        view=view,
        query=query,
        candidates=contact_search.candidates(space, view.invoice, query),
    )


@bp.post("/contact")
def link_contact(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Book all later invoices of this debtor on the chosen contact."""
    invoice = _found(invoice_id, connected=True).invoice
    contact_id = request.form.get("contact_id", "")[:LONGEST_SEARCH]
    if contact_search.link(current_space(), invoice, contact_id, actor=_actor()):
        flash(
            _(
                "Chosen: all later invoices of this member get this contact. Now enter it on the "
                "receipt in sevdesk, then press “Look at the receipt”."
            )
        )
    else:
        flash(_("This contact cannot be chosen: sevdesk does not have it."))
    return _back(invoice)


@bp.post("/contact/remove")
def unlink_contact(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Let the customer number decide again."""
    invoice = _found(invoice_id).invoice
    if contact_search.unlink(current_space(), invoice, actor=_actor()):
        flash(_("Taken back: for later invoices the customer number decides again."))
    return _back(invoice)


@bp.post("/look-again")
def look_again(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Look at the receipt in sevdesk: has it a contact by now, is it there at all?"""
    invoice = _found(invoice_id, connected=True).invoice
    looked = contact_search.look_again(current_space(), invoice, actor=_actor())
    said = {
        "contact": _("Looked: the receipt is there and has a contact."),
        "no_contact": _("Looked: the receipt is there, but has no contact yet."),
        "gone": _("Looked: sevdesk does not have this receipt any more."),
        "elsewhere": _(
            "The receipt is in another sevdesk account than the one connected now, so it cannot be "
            "looked at."
        ),
        "not_booked": _("There is no receipt to look at."),
    }
    flash(said[looked.outcome])
    return _back(invoice)


@bp.get("/create-again")
def confirm_anew(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    view = _found(invoice_id, connected=True)
    if view.invoice.cause_code != lost_receipts.GONE:
        return _back(view.invoice)
    return render_template("invoices/anew.html", space=current_space(), view=view)


@bp.post("/create-again")
def create_anew(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Make a receipt anew that was deleted in sevdesk, after the person has confirmed it."""
    invoice = _found(invoice_id, connected=True).invoice
    said = {
        Anew.BEGUN: _("It is created anew now."),
        Anew.STILL_THERE: _("sevdesk has the receipt after all; nothing was created."),
        Anew.NOTHING: _("There is nothing to create anew here."),
    }
    flash(said[lost_receipts.make_anew(current_space(), invoice_id, actor=_actor())])
    return _back(invoice)


@bp.get("/skip")
def confirm_skip(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    view = _found(invoice_id)
    form = SkipForm(None)
    return render_template("invoices/skip.html", space=current_space(), view=view, form=form)


@bp.post("/skip")
def skip(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Leave the invoice out, with a reason."""
    view = _found(invoice_id)
    form = SkipForm(request.form)
    if not form.validate():
        page = render_template("invoices/skip.html", space=current_space(), view=view, form=form)
        return page, 422
    result = skips.skip(current_space(), [invoice_id], form.reason.data, actor=_actor())
    if result.changed:
        flash(_("Skipped. You can take it up again at any time."))
    else:
        flash(_("Not skipped: it is being worked on, or is booked already."))
    return _back(view.invoice)


@bp.post("/take-up")
def take_up(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Take the invoice up again that a person had left out."""
    invoice = _found(invoice_id, connected=True).invoice
    if skips.undo(current_space(), [invoice_id], actor=_actor()).changed:
        flash(_("Taken up again: it is tried now."))
    return _back(invoice)


def _found(invoice_id: str, *, connected: bool = False) -> InvoiceView:
    """Return the invoice; 404 where it is not, or where both sides would have to be asked and this
    space is not connected."""
    space = current_space()
    if connected and not space.is_connected:
        abort(404)
    return invoice_view(space, invoice_id) or abort(404)


def _actor() -> str:
    return actor_of(current_admin())


def _back(invoice: InvoiceSync) -> ResponseReturnValue:
    subdomain, invoice_id = current_space().subdomain, invoice.cobot_invoice_id
    address = url_for("invoices.show", subdomain=subdomain, invoice_id=invoice_id)
    return redirect(address, 303)
