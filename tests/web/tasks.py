"""Looks of a backfill or an import as a worker would have left them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from portal.database import db, utcnow
from portal.models import Chart, Space, Task, TaskItem
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
    if kind in ("backfill", "rehearsal"):
        to_do = sum(row["verdict"] != "known" for row in rows)
        task.result = {"outcome": summed_up(rows).to_json(), "to_do": to_do}
    else:
        task.result = {"counts": {}, "unreadable": 0}
    if state != "ready":
        task.finished_at = utcnow()
    db.session.add(task)
    db.session.flush()
    for place, row in enumerate(rows, start=1):
        db.session.add(TaskItem(space_id=task.space_id, task_id=task.id, place=place, **row))
    db.session.commit()
    return task.id


Code = tuple[str, bool, int, str, list[str]]
"""An accounting code: spelled, in Cobot's list, lines, net, rates."""
Account = tuple[int, str, str]


def chart(space_id: int, accounts: list[Account], *, read_at: datetime | None = None) -> None:
    """Keep what sevdesk offers: id, number, name; 0, 7 and 19 % are allowed on each."""
    known = db.session.get(Chart, space_id) or Chart(space_id=space_id)
    known.accounts = [
        {"id": id_, "number": number, "name": name, "rules": {"1": [0, 7, 19]}}
        for id_, number, name in accounts
    ]
    known.read_at, known.cost_centre_found = read_at or utcnow(), True
    db.session.add(known)
    db.session.commit()


def checked(
    space_id: int, codes: list[Code], matches: dict[str, str | None] | None = None, *, bare: int = 0
) -> int:
    """Keep a mapping check that has ended; return the task's id."""
    task = Task(
        space_id=space_id, kind="mapping", actor="admin:u-owner", state="done",
        from_date=FIRST, to_date=LAST, finished_at=utcnow(),
    )  # fmt: skip
    names = ("code", "in_list", "lines", "net", "rates")
    task.result = {
        "codes": [dict(zip(names, code, strict=True)) for code in codes],
        "without_code": bare,
        "matches": matches or {code[0].casefold(): None for code in codes},
    }
    db.session.add(task)
    db.session.commit()
    return task.id
