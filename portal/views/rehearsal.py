"""The rehearsal: the last days' invoices through every rule, and nothing is written anywhere."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.forms_checks import RehearsalForm
from portal.models import Space
from portal.services import rehearsal, tasks
from portal.services.connection import actor_of
from portal.services.rehearsal_outcome import KNOWN
from portal.views.access import current_admin, current_space, poll
from portal.views.task_steps import add_cancel, poll_answer, shown_items, shown_look

KIND = rehearsal.KIND
VERDICTS = {
    "new": ("synced", "mismatched"),
    "mismatched": ("mismatched",),
    "failed": ("failed",),
    "skipped": ("skipped",),
    "known": (KNOWN,),
}
"""What the list can be narrowed to."""

bp = Blueprint(KIND, __name__, url_prefix=f"/spaces/<subdomain>/{KIND}")
add_cancel(bp, KIND)


@bp.get("")
def index(subdomain: str) -> ResponseReturnValue:
    shown = _shown(current_space())
    return _page(shown, RehearsalForm.of(shown["days"]))


@bp.post("")
def start(subdomain: str) -> ResponseReturnValue:
    """Rehearse so many days; one that runs already gives way."""
    space, form = current_space(), RehearsalForm(request.form)
    if not form.validate():
        return _page(_shown(space), form), 422
    if space.is_connected:
        begin(space, form.days.data)
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.get("/changes")
@poll
def changes(subdomain: str) -> ResponseReturnValue:
    return poll_answer("rehearsal/_task.html", _shown(current_space()))


def begin(space: Space, days: int = rehearsal.DAYS) -> None:
    """Begin a rehearsal. Commits."""
    try:
        rehearsal.start(space, actor=actor_of(current_admin()), days=days)
    except tasks.TaskOpen:
        flash(_("A rehearsal is running in this space already."))


def _page(shown: dict[str, Any], form: RehearsalForm) -> str:
    return render_template("rehearsal/index.html", form=form, **shown)


def _shown(space: Space) -> dict[str, Any]:
    shown = shown_look(space, KIND)
    row = shown["row"]
    if row is None or tasks.is_forgotten(row):
        return shown | {"task": None, "days": None}
    days = (row.to_date - row.from_date).days + 1
    outcome = rehearsal.outcome_of(row)
    return shown | shown_items(row, VERDICTS) | {"outcome": outcome, "days": days}
