"""Taking over old invoices: a window, a rehearsal with its sums, then the work."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import core
from portal.database import utcnow
from portal.forms import BackfillForm
from portal.models import Space
from portal.services import backfill, rehearsal, tasks
from portal.services.connection import actor_of
from portal.services.rehearsal_outcome import KNOWN
from portal.views.access import current_admin, current_space, poll
from portal.views.task_steps import (
    add_steps,
    back,
    found_task,
    poll_answer,
    shown_items,
    shown_task,
)

KIND = backfill.WORK.kind
VERDICTS = {
    "new": ("synced", "mismatched"),
    "mismatched": ("mismatched",),
    "failed": ("failed",),
    "skipped": ("skipped",),
    "known": (KNOWN,),
}
"""What the list of a rehearsal can be narrowed to."""

bp = Blueprint(KIND, __name__, url_prefix=f"/spaces/<subdomain>/{KIND}")
add_steps(bp, backfill.WORK)


@bp.get("")
def index(subdomain: str) -> ResponseReturnValue:
    return _page(current_space(), BackfillForm.of(_today()))


@bp.post("")
def prepare(subdomain: str) -> ResponseReturnValue:
    """Begin with the rehearsal of a window: nothing is written to either side."""
    space, form = current_space(), BackfillForm(request.form, today=_today())
    if not form.validate():
        return _page(space, form), 422
    if not space.is_connected:
        return redirect(url_for(".index", subdomain=subdomain), 303)
    actor = actor_of(current_admin())
    try:
        backfill.prepare(space, form.from_date.data, form.to_date.data, actor=actor)
    except tasks.TaskOpen:
        flash(_("A takeover is under way in this space already."))
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.post("/<task_id>/start")
def start(subdomain: str, task_id: str) -> ResponseReturnValue:
    space = current_space()
    task = found_task(space, KIND, task_id)
    return back(space, KIND, backfill.WORK.start(space, task))


@bp.get("/changes")
@poll
def changes(subdomain: str) -> ResponseReturnValue:
    return poll_answer("backfill/_task.html", _shown(current_space()))


def _page(space: Space, form: BackfillForm) -> str:
    return render_template("backfill/index.html", form=form, **_shown(space))


def _shown(space: Space) -> dict[str, Any]:
    shown = shown_task(space, backfill.WORK)
    if shown["task"] is None:
        return shown
    row = shown["row"]
    return shown | shown_items(row, VERDICTS) | {"outcome": rehearsal.outcome_of(row)}


def _today() -> date:
    return utcnow().astimezone(core().config.zone).date()
