"""What the pages of checks, rehearsals, imports and backfills share: their buttons, their poll."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.filters import rest_time
from portal.forms import place, row_id
from portal.models import Space, Task
from portal.services import tasks
from portal.services.connection import actor_of
from portal.services.task_work import TaskWork
from portal.views.access import current_admin, current_space

ITEMS = 100
"""So many rows of a look are shown on one page."""

Steps = dict[str, Callable[[Space, Task, str], bool]]


def add_steps(bp: Blueprint, work: TaskWork) -> None:
    """Give the page of a kind of work its buttons: pause, go on, cancel."""
    steps: Steps = {
        "pause": lambda space, task, actor: tasks.pause(task, space, actor=actor),
        "go_on": lambda space, task, actor: work.go_on(space, task, actor=actor),
        "cancel": _cancel,
    }
    _add(bp, work.kind, steps)


def add_cancel(bp: Blueprint, kind: str) -> None:
    """Give the page of a look that no work follows its only button."""
    _add(bp, kind, {"cancel": _cancel})


def _cancel(space: Space, task: Task, actor: str) -> bool:
    """Take up nothing more; a look that was not wanted is dropped."""
    return tasks.cancel(task, space, actor=actor)


def _add(bp: Blueprint, kind: str, steps: Steps) -> None:
    def press(subdomain: str, task_id: str, step: str) -> ResponseReturnValue:
        space = current_space()
        task = found_task(space, kind, task_id)
        return back(space, kind, steps[step](space, task, actor_of(current_admin())))

    for step in steps:
        path = f"/<task_id>/{step.replace('_', '-')}"
        bp.add_url_rule(path, step, press, defaults={"step": step}, methods=["POST"])


def found_task(space: Space, kind: str, task_id: str) -> Task:
    """Return the task of the address; 404 when it is not one of this space."""
    try:
        return tasks.find(space, row_id(task_id), kind) or abort(404)
    except ValueError:
        abort(404)


def back(space: Space, kind: str, was_done: bool) -> ResponseReturnValue:
    """Lead back to the page; what came too late is said there."""
    if not was_done:
        flash(_("That had ended or changed meanwhile; nothing was done."))
    return redirect(url_for(f"{kind}.index", subdomain=space.subdomain), 303)


def shown_task(space: Space, work: TaskWork) -> dict[str, Any]:
    """Return what a page shows of the newest task; `task` is None when there is none to show."""
    task = tasks.current(space, work.kind)
    if task is None or tasks.is_forgotten(task):
        return {"space": space, "task": None, "mark": "", "is_moving": False}
    progress = work.progress(space, task)
    shown = progress.task
    # Work that was begun is followed to its end, also after a stop.
    is_moving = (shown.is_open and shown.state != "ready") or progress.working > 0
    rest = None if shown.rest_seconds is None else rest_time(shown.rest_seconds)
    seen = (shown.id, shown.phase, shown.state, shown.pause_code, shown.cause_code, shown.done)
    return {
        "space": space,
        "task": shown,
        "row": task,
        "progress": progress,
        "rest": rest,
        "is_moving": is_moving,
        "mark": "-".join(str(one) for one in (*seen, progress.working, rest)),
    }


def shown_look(space: Space, kind: str) -> dict[str, Any]:
    """Return what a page shows of a look that no work follows; one that was cancelled gives way to
    the one before."""
    row = tasks.current(space, kind)
    if row is not None and row.state == "cancelled":
        row = tasks.latest(space, kind, state="done")
    if row is None:
        return {"space": space, "task": None, "row": None, "mark": "", "is_moving": False}
    shown = tasks.view(row, space)
    seen = (shown.id, shown.state, shown.pause_code, shown.cause_code, shown.next_try_at)
    return {
        "space": space,
        "task": shown,
        "row": row,
        "is_moving": shown.is_open,
        "mark": hashlib.sha256(repr(seen).encode()).hexdigest()[:12],
    }


def shown_items(row: Task, choices: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return one page of what a look found, narrowed as the address says to some verdicts."""
    show = request.args.get("show", "")
    after = request.args.get("after_place", 0, type=place)
    is_listed = row.phase == "look" and row.state in ("ready", "done")
    verdicts = choices.get(show)
    items = tasks.items(row, verdicts=verdicts, after=after, limit=ITEMS + 1) if is_listed else ()
    return {
        "items": items[:ITEMS],
        "next_place": items[ITEMS - 1].place if len(items) > ITEMS else None,
        "show": show if verdicts else None,
        "after_place": after,
    }


def poll_answer(template: str, shown: dict[str, Any]) -> ResponseReturnValue:
    """Answer a poll: 204 while nothing moved, else the part that shows the task."""
    if shown["mark"] == request.args.get("after"):
        return "", 204
    return render_template(template, **shown)
