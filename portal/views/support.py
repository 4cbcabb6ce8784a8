"""Support staff: find any invoice and read what happened to it. Nothing here writes."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from portal.services import support as support_service
from portal.services.log import invoice_view
from portal.views.access import SUPPORT

bp = Blueprint(SUPPORT, __name__, url_prefix="/support")


@bp.get("")
def index() -> ResponseReturnValue:
    """Search all spaces by the number of an invoice, a receipt id, or a subdomain."""
    q = request.args.get("q", "").strip()[:100]
    return render_template(
        "support/index.html",
        q=q,
        hits=support_service.all_spaces_invoices(q) if q else [],
        spaces=support_service.all_spaces_spaces(q) if q else [],
    )


@bp.get("/spaces/<subdomain>/invoices/<invoice_id>")
def invoice(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    space = support_service.all_spaces_space(subdomain) or abort(404)
    view = invoice_view(space, invoice_id) or abort(404)
    return render_template("support/invoice.html", space=space, view=view)
