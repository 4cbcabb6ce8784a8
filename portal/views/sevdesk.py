""" "Deine SevDesk Daten": connecting a space, testing its token, its special cases."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.cobot.links import ACCOUNTING_CODES
from portal.core import core
from portal.database import utcnow
from portal.filters import cause_text, due_example
from portal.forms import LATEST_DAYS, ChoicesForm, SevdeskForm, is_token
from portal.services import connection, pauses, remote_pages
from portal.services.connection import SettingsRefused
from portal.services.sessions import ServerSession
from portal.services.sharing import sharing_of
from portal.views.access import current_admin, current_space, is_fragment, writes
from portal.views.errors import show_notice
from portal.views.protection import limiter, sender
from portal.views.rehearsal import begin

TESTS_LIMIT = "10 per minute"
"""For a person, and so many tokens refused when saving: the form must not be a way to guess."""
TESTS_LIMIT_OF_ADDRESS = "30 per minute"

bp = Blueprint("sevdesk", __name__, url_prefix="/spaces/<subdomain>")


@bp.get("/sevdesk")
def edit(subdomain: str) -> ResponseReturnValue:
    return _page(SevdeskForm.of(current_space(), _today()), ChoicesForm.of(current_space()))


def _who() -> str:
    return f"token-test|{current_admin().id}"


@bp.post("/sevdesk")
@limiter.limit(TESTS_LIMIT, key_func=_who, deduct_when=lambda answer: answer.status_code == 422)
def save(subdomain: str) -> ResponseReturnValue:
    """Test the token, save, switch sync on; or show the form again with what is wrong.

    With "check_first" sync waits until somebody switches it on. A rehearsal follows at once.
    """
    space = current_space()
    has_token = space.sealed_sevdesk_token is not None
    form = SevdeskForm(request.form, today=_today(), has_token=has_token)
    if not form.validate():
        return _page(form, ChoicesForm.of(space)), 422
    token = cast(ServerSession, session).cobot_token
    try:
        connection.save_settings(
            space,
            form.to_settings(),
            admin=current_admin(),
            user_token=token,
            check_first="check_first" in request.form,
        )
    except SettingsRefused as err:
        form.blame(err.field, cause_text(err.code, err.params))
        return _page(form, ChoicesForm.of(space)), 422
    flash(_said(space.pause_code))
    begin(space)
    return redirect(url_for("rehearsal.index", subdomain=subdomain), 303)


def _said(pause_code: str | None) -> str:
    """Return how it goes on after saving."""
    said = {
        None: _("Saved. Sync is on: new members and invoices are transferred from now on."),
        pauses.CHECK_FIRST: _(
            "Saved. Sync stays off until you switch it on; what comes meanwhile waits."
        ),
        pauses.UNTESTED: _("Saved. The space waits until the token has been tested."),
    }
    otherwise = _("Saved. Sync is still paused; what comes meanwhile waits.")
    return str(said.get(pause_code, otherwise))


@bp.post("/sevdesk/token-test")
@limiter.limit(TESTS_LIMIT, key_func=_who)
@limiter.limit(TESTS_LIMIT_OF_ADDRESS, key_func=lambda: f"token-test|{sender()}")
def test_token(subdomain: str) -> ResponseReturnValue:
    """Say what a token is good for while it is typed. It is neither kept nor given back."""
    if not is_fragment():
        return redirect(url_for(".edit", subdomain=subdomain), 303)
    token = request.form.get("api_token", "").strip()
    found = refusal = None
    if is_token(token):
        try:
            found = connection.test_token(current_space(), token)
        except SettingsRefused as err:
            refusal = cause_text(err.code, err.params)
    return render_template("sevdesk/_token.html", found=found, refusal=refusal, typed=bool(token))


@bp.get("/sevdesk/due-example")
def show_due_example(subdomain: str) -> ResponseReturnValue:
    """Say by an example what a number of days means."""
    if not is_fragment():
        return redirect(url_for(".edit", subdomain=subdomain))
    days = request.args.get("due_after_days", type=int)
    return due_example(days if days is not None and 0 <= days <= LATEST_DAYS else None)


@bp.get("/accounting-codes")
@writes
def accounting_codes(subdomain: str) -> ResponseReturnValue:
    """Go to the accounting codes in Cobot."""
    address = remote_pages.cobot_page(current_space(), ACCOUNTING_CODES)
    if address is None:
        return show_notice(
            503,
            _("Cobot does not tell the address"),
            _("You find the accounting codes in Cobot under Setup › Accounting Codes."),
        )
    return redirect(address)


@bp.post("/choices")
def save_choices(subdomain: str) -> ResponseReturnValue:
    """Save how special cases are booked; what waited for the choice goes on."""
    form = ChoicesForm(request.form)
    if not form.validate():
        return _page(SevdeskForm.of(current_space(), _today()), form), 422
    space = current_space()
    count = connection.save_choices(space, form.to_choices(), admin=current_admin())
    if count:
        flash(_("Saved. Invoices that waited for this choice go on now."))
    elif space.auto_retry:
        flash(_("Saved."))
    else:
        flash(_("Saved. What waited for this choice stands above the log, ready to be retried."))
    return redirect(url_for("sevdesk.edit", subdomain=subdomain) + "#choices", 303)


def _today() -> date:
    return utcnow().astimezone(core().config.zone).date()


def _page(form: Any, choices: Any) -> str:
    return render_template(
        "sevdesk/index.html",
        space=current_space(),
        form=form,
        choices=choices,
        example=due_example(form.due_after_days.data),
        sharing=sharing_of(current_space(), current_admin()),
    )
