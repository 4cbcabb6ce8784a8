"""Support staff: find any invoice and read what happened to it.

Nothing of a space can be changed here. Who looks gives a reason first, and every look is written
down where the space's admins read it.
"""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.database import db
from portal.forms import VisitForm
from portal.models import Space
from portal.services import support as support_service
from portal.services.directory import all_spaces_named
from portal.services.invoice_pages import invoice_view, support_text
from portal.services.log import LogFilter, log_page
from portal.services.queues import all_spaces_queue_state
from portal.tenancy import enter_space
from portal.views.access import SUPPORT, current_admin, local_path, writes

bp = Blueprint(SUPPORT, __name__, url_prefix="/support")


@bp.get("")
@writes
def index() -> ResponseReturnValue:
    """Search all spaces; below it what holds invoices back, and how the queue stands."""
    q = request.args.get("q", "").strip()[:100]
    is_search = len(q) >= support_service.SHORTEST_SEARCH
    hits = support_service.all_spaces_invoices(q) if is_search else []
    spaces = support_service.all_spaces_spaces(q) if is_search else []
    support_service.note_search_in_all_spaces(current_admin(), hits, spaces)
    return render_template(
        "support/index.html",
        q=q,
        is_search=is_search,
        hits=hits,
        spaces=spaces,
        causes=support_service.all_spaces_causes(),
        queue=all_spaces_queue_state(),
    )


@bp.get("/spaces/<subdomain>")
@writes
def space(subdomain: str) -> ResponseReturnValue:
    """Show how a space stands, and its newest invoices."""
    found = _enter(subdomain)
    visit = support_service.visit_of(current_admin(), found)
    if visit is None:
        return _ask(found, VisitForm(None))
    support_service.note_look(visit, "space")
    db.session.commit()
    page = log_page(found, LogFilter())
    return render_template("support/space.html", space=found, visit=visit, page=page)


@bp.get("/spaces/<subdomain>/invoices/<invoice_id>")
@writes
def invoice(subdomain: str, invoice_id: str) -> ResponseReturnValue:
    """Show what the space's admins see of this invoice."""
    found = _enter(subdomain)
    visit = support_service.visit_of(current_admin(), found)
    if visit is None:
        return _ask(found, VisitForm(None))
    view = invoice_view(found, invoice_id) or abort(404)
    support_service.note_look(visit, "invoice", view.invoice.number or invoice_id)
    db.session.commit()
    return render_template(
        "support/invoice.html",
        space=found,
        visit=visit,
        view=view,
        excerpt=support_text(found, view),
    )


@bp.post("/visits")
def begin_visit() -> ResponseReturnValue:
    """Keep the reason; from now on this person may look at the space for half an hour."""
    found = _enter(request.form.get("subdomain", ""))
    form = VisitForm(request.form)
    if not form.validate():
        return _ask(found, form), 422
    support_service.begin_visit(current_admin(), found, form.reason.data)
    wanted = local_path(request.form.get("next")) or ""
    own = url_for(".space", subdomain=found.subdomain)
    return redirect(wanted if wanted.startswith(f"{own}/") else own, 303)


@bp.post("/visits/<visit_id>/end")
def end_visit(visit_id: str) -> ResponseReturnValue:
    is_number = visit_id.isascii() and visit_id.isdigit() and len(visit_id) < 19
    if not (is_number and support_service.end_visit_in_all_spaces(current_admin(), int(visit_id))):
        abort(404)
    return redirect(url_for(".index"), 303)


def _enter(subdomain: str) -> Space:
    """Return any space and enter it; what is shown of it depends on the visit."""
    found = all_spaces_named(subdomain) or abort(404)
    enter_space(found.id)
    return found


def _ask(space: Space, form: VisitForm) -> str:
    wanted = request.form.get("next") if request.method == "POST" else request.path
    return render_template("support/reason.html", asked=space, form=form, wanted=wanted)
