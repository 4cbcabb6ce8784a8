"""Members from before the connection: compared with sevdesk's contacts, decided, taken over."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.forms import member_choices, place
from portal.models import Space
from portal.services import member_import, tasks
from portal.services.connection import actor_of
from portal.views.access import current_admin, current_space, poll
from portal.views.task_steps import (
    add_steps,
    back,
    found_task,
    poll_answer,
    shown_items,
    shown_task,
)

KIND = member_import.WORK.kind
VERDICTS = ("ambiguous", "create", "link", "nothing", "leave")

bp = Blueprint(KIND, __name__, url_prefix=f"/spaces/<subdomain>/{KIND}")
add_steps(bp, member_import.WORK)


@bp.get("")
def index(subdomain: str) -> ResponseReturnValue:
    return render_template("members/index.html", **_shown(current_space()))


@bp.post("")
def prepare(subdomain: str) -> ResponseReturnValue:
    """Compare members and contacts: nothing is written to either side."""
    space = current_space()
    if space.is_connected:
        try:
            member_import.prepare(space, actor=actor_of(current_admin()))
        except tasks.TaskOpen:
            flash(_("An import is under way in this space already."))
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.post("/<task_id>/decide")
def decide(subdomain: str, task_id: str) -> ResponseReturnValue:
    """Keep what was chosen for the members of one page; with "start" the work begins."""
    space = current_space()
    task = found_task(space, KIND, task_id)
    count = member_import.decide(space, task, member_choices(request.form))
    if "start" in request.form:
        return back(space, KIND, member_import.WORK.start(space, task))
    flash(_("Saved.") if count else _("Nothing was changed."))
    show, after = request.form.get("show"), request.form.get("after_place", type=place)
    return redirect(
        url_for(".index", subdomain=subdomain, show=show or None, after_place=after or None), 303
    )


@bp.get("/changes")
@poll
def changes(subdomain: str) -> ResponseReturnValue:
    return poll_answer("members/_task.html", _shown(current_space()))


def _shown(space: Space) -> dict[str, Any]:
    shown = shown_task(space, member_import.WORK)
    if shown["task"] is None:
        return shown
    row = shown["row"]
    items = shown_items(row, {verdict: (verdict,) for verdict in VERDICTS})
    return (
        shown
        | items
        | {
            "counts": member_import.counts_of(row),
            "not_linked": member_import.not_linked(row) if row.phase == "work" else (),
        }
    )
