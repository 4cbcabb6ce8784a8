"""Doing the same with many invoices: the preview of the effect, the progress, the summary."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.forms import SkipForm, picked_rows
from portal.forms_log import asked_filter
from portal.models import Batch, Space
from portal.services import batches
from portal.services.batch_effects import RETRY, SKIP, TAKE_UP
from portal.services.connection import actor_of
from portal.views.access import current_admin, current_space, poll
from portal.views.log import refused

bp = Blueprint("batches", __name__, url_prefix="/spaces/<subdomain>/batches")


@bp.post("")
def draft(subdomain: str) -> ResponseReturnValue:
    """Keep the choice: what was ticked, or with "all" whatever the filter finds."""
    space, asked = current_space(), asked_filter(request.form)
    if asked.unreadable:
        return refused(asked)
    kind = next((name for name in (SKIP, TAKE_UP) if name in request.form), RETRY)
    ids, is_all = picked_rows(request.form), kind == RETRY and "all" in request.form
    if not ids and not is_all:
        flash(_("Nothing is ticked. Tick the invoices that you mean."))
        query: dict[str, Any] = dict(asked.query)
        return redirect(url_for("log.index", subdomain=subdomain, **query), 303)
    actor = actor_of(current_admin())
    of_filter = asked.filters if is_all else None
    return _to(space, batches.draft(space, actor=actor, kind=kind, ids=ids, filters=of_filter))


@bp.get("/<batch_id>")
def show(subdomain: str, batch_id: str) -> ResponseReturnValue:
    batch = _found(current_space(), batch_id)
    return render_template("batches/index.html", **_shown(batch), form=SkipForm(None))


@bp.get("/<batch_id>/changes")
@poll
def changes(subdomain: str, batch_id: str) -> ResponseReturnValue:
    """Answer a poll: 204 while nothing moved, else the part that shows the progress."""
    shown = _shown(_found(current_space(), batch_id))
    if shown["mark"] == request.args.get("after"):
        return "", 204
    return render_template("batches/_batch.html", **shown)


@bp.post("/<batch_id>/start")
def start(subdomain: str, batch_id: str) -> ResponseReturnValue:
    space = current_space()
    batch = _found(space, batch_id)
    if batch.kind != SKIP:
        batches.start(space, batch)
        return _to(space, batch)
    form = SkipForm(request.form)
    if not form.validate():
        return render_template("batches/index.html", **_shown(batch), form=form), 422
    batches.leave_out(space, batch, form.reason.data)
    return _to(space, batch)


@bp.post("/<batch_id>/cancel")
def cancel(subdomain: str, batch_id: str) -> ResponseReturnValue:
    """Take up nothing more; a draft that was not wanted leads back to the log."""
    space = current_space()
    batch = _found(space, batch_id)
    was_draft = batch.state == "draft"
    batches.cancel(batch)
    return (
        redirect(url_for("log.index", subdomain=subdomain), 303) if was_draft else _to(space, batch)
    )


def _to(space: Space, batch: Batch) -> ResponseReturnValue:
    return redirect(url_for(".show", subdomain=space.subdomain, batch_id=batch.id), 303)


def _found(space: Space, batch_id: str) -> Batch:
    is_number = batch_id.isascii() and batch_id.isdigit() and len(batch_id) < 19
    return (batches.find(space, int(batch_id)) if is_number else None) or abort(404)


def _shown(batch: Batch) -> dict[str, object]:
    progress = batches.progress(batch)
    mark = f"{batch.state}-{progress.taken}-{progress.finished}"
    # Work that was begun is followed to its end, also after a stop.
    is_moving = batch.state == "running" or (batch.state != "draft" and progress.working > 0)
    return {
        "space": current_space(),
        "batch": batch,
        "progress": progress,
        "mark": mark,
        "is_moving": is_moving,
    }
