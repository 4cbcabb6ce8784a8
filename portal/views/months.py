"""The comparison of a month for the tax adviser: chosen, run, read, printed, taken along."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date
from flask_babel import gettext as _

from portal.core import core
from portal.database import utcnow
from portal.models import Space, Task
from portal.services import month, tasks
from portal.services.connection import actor_of
from portal.services.month_report import EXPLAINED, WRONG
from portal.views import month_words
from portal.views.access import current_admin, current_space, poll
from portal.views.data import csv_file
from portal.views.task_steps import poll_answer

EARLIEST_YEAR = 2000
ENTRIES = 200
"""So many invoices of a kind are shown on the page; the file has all."""

bp = Blueprint("months", __name__, url_prefix="/spaces/<subdomain>/months")


@bp.get("")
def index(subdomain: str) -> ResponseReturnValue:
    """List the months; with a year and a month in the address go to that one."""
    space, today = current_space(), _today()
    if "year" in request.args:
        text = f"{request.args['year']}-{request.args.get('month', '').zfill(2)}"
        if _month(text) is not None:
            return redirect(url_for(".show", subdomain=subdomain, name=text), 303)
        flash(_("Choose a month that has begun."))
    return render_template(
        "months/index.html",
        space=space,
        rows=month.months_of(space, today),
        today=today,
        month_name=month_name,
        names=[format_date(date(2000, number, 1), "LLLL") for number in range(1, 13)],
    )


@bp.get("/<name>")
def show(subdomain: str, name: str) -> ResponseReturnValue:
    return render_template("months/show.html", **_shown(current_space(), _first(name)))


@bp.post("/<name>")
def start(subdomain: str, name: str) -> ResponseReturnValue:
    """Compare the month; one at a time in a space."""
    space, first = current_space(), _first(name)
    under_way = tasks.open_task(space, month.KIND)
    if under_way is not None and under_way.from_date != first:
        running = month_name(under_way.from_date or first)
        flash(_("%(month)s is being compared. Please begin when that is done.", month=running))
    elif under_way is None and space.is_connected:
        try:
            month.start(space, first.year, first.month, actor=actor_of(current_admin()))
        except tasks.TaskOpen:
            flash(_("Another month is being compared. Please begin when that is done."))
    return redirect(url_for(".show", subdomain=subdomain, name=name), 303)


@bp.post("/<name>/cancel")
def cancel(subdomain: str, name: str) -> ResponseReturnValue:
    space, first = current_space(), _first(name)
    under_way = tasks.open_task(space, month.KIND)
    if under_way is not None and under_way.from_date == first:
        tasks.cancel(under_way, space, actor=actor_of(current_admin()))
    else:
        flash(_("That had ended or changed meanwhile; nothing was done."))
    return redirect(url_for(".show", subdomain=subdomain, name=name), 303)


@bp.get("/<name>/changes")
@poll
def changes(subdomain: str, name: str) -> ResponseReturnValue:
    return poll_answer("months/_month.html", _shown(current_space(), _first(name)))


@bp.get("/<name>/month.csv")
def download(subdomain: str, name: str) -> ResponseReturnValue:
    """Give the last comparison as a file that spreadsheet programs open as it is."""
    space, first = current_space(), _first(name)
    task = month.latest(space, first.year, first.month, state="done")
    report = month.report_of(task) if task else None
    if report is None:
        abort(404)
    rows = [month_words.headings(), *month_words.rows(report)]
    return csv_file(rows, f"{subdomain}-{name}")


def month_name(first: date) -> str:
    """Return the month as the reader calls it: Oktober 2026."""
    return str(format_date(first, "LLLL yyyy"))


def _month(name: str) -> date | None:
    """Return the first day of a month that has begun; None for everything else."""
    found = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", name)
    if found is None or int(found[1]) < EARLIEST_YEAR:
        return None
    first = date(int(found[1]), int(found[2]), 1)
    return first if first <= _today() else None


def _first(name: str) -> date:
    return _month(name) or abort(404)


def _today() -> date:
    return utcnow().astimezone(core().config.zone).date()


def _shown(space: Space, first: date) -> dict[str, Any]:
    """Return what the page shows: the newest comparison, and one that is under way."""
    newest = month.latest(space, first.year, first.month)
    done = month.latest(space, first.year, first.month, state="done")
    report = month.report_of(done) if done else None
    task = tasks.view(newest, space) if newest else None
    last = month.days_of(first.year, first.month)[1]
    seen = (task.id, task.state, task.pause_code, task.cause_code, task.done) if task else ()
    return {
        "space": space,
        "name": f"{first.year}-{first.month:02d}",
        "title": month_name(first),
        "task": task,
        "is_moving": task is not None and task.is_open,
        "mark": "-".join(str(one) for one in seen),
        "report": report,
        "compared_at": done.finished_at if done else None,
        "changed": _changed(space, done),
        "is_over": last < _today(),
        "groups": month_words.groups(report, (*WRONG, *EXPLAINED), ENTRIES) if report else (),
    }


def _changed(space: Space, done: Task | None) -> int:
    return month.changed_since(space, done) if done else 0
