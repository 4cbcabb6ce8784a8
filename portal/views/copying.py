"""Taking over the set-up of another space: chosen, looked at, ticked, taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.errors import RemoteError
from portal.filters import cause_text
from portal.forms import CORRECTIONS, VOUCHER_STATUSES, ZERO_TAX_RULES
from portal.models import Space
from portal.services import setup_copy
from portal.services.connection import actor_of
from portal.services.directory import all_spaces_of_address
from portal.services.setup_copy import Difference, Preview, SetupChanged
from portal.sync.messages import N_
from portal.tenancy import enter_spaces
from portal.views.access import current_admin, current_space, writes

FIELDS = {
    "due_after_days": N_("Receipts due after (days)"),
    "cost_centre_number": N_("Cost centre"),
    "zero_tax_rule": N_("Invoices without VAT"),
    "corrections": N_("Correction invoices"),
    "cent_difference": N_("Book a difference of a cent on the largest line"),
    "voucher_status": N_("New receipts in sevdesk are"),
    "auto_retry": N_("Retry automatically"),
}
WORDS: dict[str, dict[str, str]] = {
    "zero_tax_rule": ZERO_TAX_RULES,
    "corrections": CORRECTIONS,
    "voucher_status": {str(value): text for value, text in VOUCHER_STATUSES.items()},
    "cent_difference": {"True": N_("yes"), "False": N_("no")},
    "auto_retry": {"True": N_("yes"), "False": N_("no")},
}
UNSET = {"zero_tax_rule": "ask"}

bp = Blueprint("setup", __name__, url_prefix="/spaces/<subdomain>/setup")


@dataclass(frozen=True)
class Row:
    """A difference in the reader's words."""

    difference: Difference
    name: str
    here: str
    there: str
    refusal: str


@bp.get("")
@writes
def index(subdomain: str) -> ResponseReturnValue:
    """Choose a space, then see what would change; that asks this space's sevdesk."""
    source = _source(request.args["from"]) if request.args.get("from") else None
    return _page(source)


@bp.post("")
def take_over(subdomain: str) -> ResponseReturnValue:
    """Take over what was ticked, if it is still what was shown."""
    target, source = current_space(), _source(request.form.get("from", ""))
    if not target.is_connected:
        abort(404)
    keys, mark = request.form.getlist("take"), request.form.get("mark", "")
    try:
        done = setup_copy.copy(
            source, target, actor=actor_of(current_admin()), keys=keys, mark=mark
        )
    except SetupChanged:
        flash(_("Something has changed meanwhile, so nothing was taken over. Please look again."))
        return _back(source)
    except RemoteError as err:
        return _page(source, error=err), 503
    count = len(done.differences)
    if count:
        flash(
            ngettext("%(num)s setting is taken over.", "%(num)s settings are taken over.", count)
            + " "
            + (
                _("What waited for that goes on.")
                if current_space().auto_retry
                else _("What waited for that can be retried now.")
            )
        )
    else:
        flash(_("Nothing was ticked, so nothing was taken over."))
    return _back(source)


def _source(subdomain: str) -> Space:
    """Return a space of this person to take over from; 404 for every other one."""
    source = all_spaces_of_address(current_admin(), subdomain)
    if source is None or source.id == current_space().id or not source.is_connected:
        abort(404)
    enter_spaces((current_space().id, source.id))
    return source


def _back(source: Space) -> ResponseReturnValue:
    query: dict[str, Any] = {"from": source.subdomain}
    return redirect(url_for(".index", subdomain=current_space().subdomain, **query), 303)


def _page(source: Space | None, *, error: RemoteError | None = None) -> str:
    space = current_space()
    preview: Preview | None = None
    if source is not None and space.is_connected and error is None:
        try:
            preview = setup_copy.preview(source, space)
        except RemoteError as err:
            error = err
    return render_template(
        "setup/index.html",
        space=space,
        sources=setup_copy.sources_for(space, current_admin()),
        source=source,
        preview=preview,
        rows=[_row(one) for one in preview.differences] if preview else [],
        error=error,
    )


def _row(one: Difference) -> Row:
    name = _(FIELDS[one.field]) if one.code is None else one.code
    refusal = cause_text(one.refused.code, one.refused.params) if one.refused else ""
    return Row(
        one, str(name), _value(one.field, one.target), _value(one.field, one.source), refusal
    )


def _value(field: str, value: str | None) -> str:
    words: dict[Any, str] = WORDS.get(field, {})
    text = words.get(value or UNSET.get(field, ""))
    return str(_(text)) if text else value or "–"
