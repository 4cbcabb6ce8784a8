"""A space as a whole: pausing it, letting it go, and who of support looked at it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import core
from portal.forms import DisconnectForm, row_id
from portal.services import auto_retry, connection, setup_copy
from portal.services.connection import actor_of
from portal.services.sharing import sharing_of
from portal.services.support import looks_at
from portal.views.access import current_admin, current_space

bp = Blueprint("settings", __name__, url_prefix="/spaces/<subdomain>")


@bp.get("/settings")
def index(subdomain: str) -> ResponseReturnValue:
    space = current_space()
    before = request.args.get("looks", type=row_id)
    return render_template(
        "settings/index.html",
        space=space,
        page=looks_at(space, before),
        sharing=sharing_of(space, current_admin()),
        others=setup_copy.sources_for(space, current_admin()),
        retention_days=core().config.retention_disconnected_days,
    )


@bp.post("/pause")
def pause(subdomain: str) -> ResponseReturnValue:
    if connection.hold(current_space(), admin=current_admin()):
        flash(_("Paused. New invoices are kept and wait."))
    else:
        flash(_("The sync stands still already; nothing was changed."))
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.post("/resume")
def resume(subdomain: str) -> ResponseReturnValue:
    if connection.let_go_on(current_space(), admin=current_admin()):
        flash(_("The sync goes on."))
    else:
        flash(_("This pause ends once its cause is repaired."))
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.post("/switch-on")
def switch_on(subdomain: str) -> ResponseReturnValue:
    """End the pause of "save, but check first"."""
    if connection.switch_on(current_space(), admin=current_admin()):
        flash(_("Switched on. What has waited is transferred now."))
    else:
        flash(_("There was nothing to switch on; nothing was changed."))
    return redirect(url_for("log.index", subdomain=subdomain), 303)


@bp.post("/auto-retry")
def save_auto_retry(subdomain: str) -> ResponseReturnValue:
    is_allowed = "auto_retry" in request.form
    auto_retry.allow(current_space(), is_allowed, actor=actor_of(current_admin()))
    if is_allowed:
        flash(_("Saved. What failed is retried by itself once its cause is gone."))
    else:
        flash(_("Saved. What failed waits until somebody presses “Retry”."))
    return redirect(url_for(".index", subdomain=subdomain) + "#auto-retry", 303)


@bp.get("/disconnect")
def confirm_disconnect(subdomain: str) -> ResponseReturnValue:
    return _ask_to_disconnect(DisconnectForm(None, space=current_space()))


@bp.post("/disconnect")
def disconnect(subdomain: str) -> ResponseReturnValue:
    """Let the space go, once its name was typed."""
    space = current_space()
    form = DisconnectForm(request.form, space=space)
    if not form.validate():
        return _ask_to_disconnect(form), 422
    connection.disconnect(space, admin=current_admin())
    flash(_("Disconnected. Nothing more is transferred; the receipts in sevdesk stay."))
    return redirect(url_for("sevdesk.edit", subdomain=subdomain), 303)


def _ask_to_disconnect(form: DisconnectForm) -> str:
    return render_template(
        "settings/disconnect.html",
        space=current_space(),
        form=form,
        retention_days=core().config.retention_disconnected_days,
    )
