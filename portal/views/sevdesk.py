""" "Deine SevDesk Daten": connecting a space, its special cases, letting it go."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import core
from portal.database import utcnow
from portal.filters import cause_text
from portal.forms import ChoicesForm, SevdeskForm
from portal.services import connection
from portal.services.connection import SettingsRefused
from portal.services.sessions import ServerSession
from portal.views.access import current_admin, current_space

bp = Blueprint("sevdesk", __name__, url_prefix="/spaces/<subdomain>")


@bp.get("/sevdesk")
def edit(subdomain: str) -> ResponseReturnValue:
    today = utcnow().astimezone(core().config.zone).date()
    return _page(SevdeskForm.of(current_space(), today), ChoicesForm.of(current_space()))


@bp.post("/sevdesk")
def save(subdomain: str) -> ResponseReturnValue:
    """Test the token, save, switch sync on; or show the form again with what is wrong."""
    space = current_space()
    form = SevdeskForm(request.form, has_token=space.sealed_sevdesk_token is not None)
    if not form.validate():
        return _page(form, ChoicesForm.of(space)), 422
    token = cast(ServerSession, session).cobot_token
    try:
        connection.save_settings(space, form.to_settings(), admin=current_admin(), user_token=token)
    except SettingsRefused as err:
        form.blame(err.field, cause_text(err.code, err.params))
        return _page(form, ChoicesForm.of(space)), 422
    flash(_("Saved. Sync is on: new members and invoices are transferred from now on."))
    return redirect(url_for("log.index", subdomain=subdomain), 303)


@bp.post("/choices")
def save_choices(subdomain: str) -> ResponseReturnValue:
    """Save how special cases are booked; what waited for the choice goes on."""
    form = ChoicesForm(request.form)
    if not form.validate():
        return _page(SevdeskForm.of(current_space(), utcnow().date()), form), 422
    connection.save_choices(current_space(), form.to_choices(), admin=current_admin())
    flash(_("Saved. Invoices that waited for this choice go on now."))
    return redirect(url_for("sevdesk.edit", subdomain=subdomain) + "#choices", 303)


@bp.get("/disconnect")
def confirm_disconnect(subdomain: str) -> ResponseReturnValue:
    return render_template("sevdesk/disconnect.html", space=current_space())


@bp.post("/disconnect")
def disconnect(subdomain: str) -> ResponseReturnValue:
    connection.disconnect(current_space(), admin=current_admin())
    flash(_("Disconnected. Nothing more is transferred; the receipts in sevdesk stay."))
    return redirect(url_for("sevdesk.edit", subdomain=subdomain), 303)


def _page(form: Any, choices: Any) -> str:
    return render_template(
        "sevdesk/index.html",
        space=current_space(),
        form=form,
        choices=choices,
        shares_sevdesk=connection.shares_sevdesk(current_space()),
    )
