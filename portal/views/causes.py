"""The causes above the log: look whether they are gone, and try their invoices again."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.crypto import SealBroken
from portal.database import db
from portal.errors import RemoteError
from portal.filters import cause_text
from portal.models import Space
from portal.services import cause_bar, contact_search, heal
from portal.services.cause_bar import CauseBar
from portal.services.connection import actor_of
from portal.views.access import current_admin, current_space, is_fragment

RECEIPTS_AT_ONCE = 10
"""Each costs a call, and a person waits."""

bp = Blueprint("causes", __name__, url_prefix="/spaces/<subdomain>/causes")


@bp.post("/check")
def check(subdomain: str) -> ResponseReturnValue:
    """Read sevdesk's booking accounts now and say which causes are gone."""
    space = current_space()
    bar = None
    if not space.is_connected:
        said = _("This space is not connected.")
    else:
        try:
            bar = cause_bar.bar_of(space, anew=True)
            gone = sum(group.count for group in bar.in_sight if group.is_gone)
            said = (
                ngettext("%(num)s can be retried now.", "%(num)s can be retried now.", gone)
                if gone
                else _("Looked just now: the causes are still there.")
            )
        except SealBroken:
            said = cause_text("token_unreadable")
        except RemoteError:
            said = _(
                "sevdesk is not answering; nothing new is known. Please try again in a minute."
            )
    return _answer(space, said, bar)


@bp.post("/retry")
def retry(subdomain: str) -> ResponseReturnValue:
    """Try all invoices of one cause again with one press."""
    space = current_space()
    count = heal.retry_group(space, request.form.get("key", ""), actor=actor_of(current_admin()))
    said = (
        ngettext(
            "%(num)s invoice is tried again now.", "%(num)s invoices are tried again now.", count
        )
        if count
        else _("There is nothing to try again here.")
    )
    return _answer(space, said)


@bp.post("/look-again")
def look_again(subdomain: str) -> ResponseReturnValue:
    """Look whether the receipts of a group have a contact in sevdesk by now."""
    space = current_space()
    ids = heal.ids_of(space, request.form.get("key", ""))[:RECEIPTS_AT_ONCE]
    looked = synced = 0
    if space.is_connected:
        looked, synced = contact_search.look_again_at(space, ids, actor=actor_of(current_admin()))
    said = (
        _("%(looked)s looked at, %(synced)s have a contact now.", looked=looked, synced=synced)
        if looked
        else _("sevdesk is not answering; nothing new is known. Please try again in a minute.")
    )
    return _answer(space, said)


def _answer(space: Space, said: str, bar: CauseBar | None = None) -> ResponseReturnValue:
    if not is_fragment():
        flash(said)
        return redirect(url_for("log.index", subdomain=space.subdomain), 303)
    if bar is None:
        db.session.refresh(space)  # what was pressed may have changed it
        bar = cause_bar.bar_of(space)
    return render_template("log/_groups.html", space=space, bar=bar, said=said)
