"""Looks of a backfill or an import as a worker would have left them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from portal.database import db, utcnow
from portal.models import Space, Task, TaskItem
from portal.services.rehearsal_outcome import summed_up

FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)
Row = dict[str, Any]


def invoice_row(number: str, verdict: str, cause: str | None = None, **more: Any) -> Row:
    """Return what a rehearsal keeps of an invoice."""
    return {
        "remote_id": f"c-{number}",
        "number": number,
        "day": date(2026, 2, 1),
        "gross": Decimal("119.00"),
        "verdict": verdict,
        "cause_code": cause,
        "cause_params": {},
        "facts": {"currency": "EUR"},
        **more,
    }


def member_row(name: str, verdict: str, **facts: Any) -> Row:
    """Return what a comparison keeps of a member."""
    return {
        "remote_id": f"mem-{name}",
        "number": "77",
        "day": None,
        "gross": None,
        "verdict": verdict,
        "cause_code": None,
        "cause_params": {},
        "facts": {"name": name, "number": "77", **facts},
    }


def looked(space_id: int, kind: str, rows: list[Row], *, state: str = "ready") -> int:
    """Keep a look that has ended; return the task's id."""
    space = db.session.get_one(Space, space_id)
    task = Task(
        space_id=space.id, kind=kind, actor="admin:u-owner", state=state,
        from_date=FIRST, to_date=LAST, total=len(rows), done=len(rows),
    )  # fmt: skip
    if kind == "backfill":
        to_do = sum(row["verdict"] != "known" for row in rows)
        task.result = {"outcome": summed_up(rows).to_json(), "to_do": to_do}
    else:
        task.result = {"counts": {}, "unreadable": 0}
    if state != "ready":
        task.finished_at = utcnow()
    db.session.add(task)
    db.session.flush()
    for place, row in enumerate(rows, start=1):
        db.session.add(TaskItem(task_id=task.id, place=place, **row))
    db.session.commit()
    return task.id
