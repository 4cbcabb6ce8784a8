"""The calls behind a line of an invoice's history: collected as they happen, kept for a while.

What is made between two lines of an invoice belongs to the later one. Collected in the process, so
a worker that dies takes at most the calls of one step with it; the history itself knows nothing of
them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import g
from sqlalchemy import delete, select

from portal.call_hooks import Exchanged
from portal.core import core
from portal.database import db, utcnow
from portal.models import HistoryLine, LineCalls
from portal.tenancy import all_spaces

MOST_CALLS = 30
"""Of one step; the latest are kept."""


@contextmanager
def collecting() -> Iterator[None]:
    """Collect what is called in this block, for the lines that are written in it."""
    g.calls = deque(maxlen=MOST_CALLS)
    try:
        yield
    finally:
        del g.calls


def collect(said: Exchanged) -> None:
    """Remember a call until the next line is written; outside of `collecting` forget it."""
    if "calls" not in g:
        return
    g.calls.append(
        {
            "remote": said.call.remote,
            "endpoint": said.call.endpoint,
            "status": said.status,
            "seconds": round(said.seconds, 3),
            "request_id": said.request_id,
            "sent": said.sent,
            "received": said.received,
        }
    )


def collected() -> list[dict[str, Any]]:
    """Return what was called since the last line, for this one."""
    if not (called := g.get("calls")):
        return []
    given = list(called)
    called.clear()
    return given


def calls_of(space_id: int, lines: Sequence[HistoryLine]) -> Mapping[int, list[dict[str, Any]]]:
    """Return the calls that are still kept, by the id of their line."""
    found = db.session.scalars(
        select(LineCalls).where(
            LineCalls.space_id == space_id, LineCalls.line_id.in_([line.id for line in lines])
        )
    )
    return {row.line_id: row.calls for row in found}


@all_spaces("calls past their time")
def forget_old_calls_of_all_spaces() -> int:
    """Delete the calls older than RETENTION_CALLS_DAYS; return of how many lines. Commits."""
    last = utcnow() - timedelta(days=core().config.retention_calls_days)
    gone = db.session.execute(delete(LineCalls).where(LineCalls.at < last))
    db.session.commit()
    return int(gone.rowcount)  # type: ignore[attr-defined]
