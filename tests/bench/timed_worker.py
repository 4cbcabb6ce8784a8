"""A drain worker that says how long each invoice took, and how much of it inside remote calls.

Nothing else about it differs from the product's own worker. Usage: `timed_worker FILE`; a line of
JSON for each finished invoice: when it was done, the seconds inside calls and those until the
database had answered since the last one, and the memory.
With RECORD=FILE in the environment the calls of the first invoices are written down, to be sent
again by hand.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

from portal import rowsecurity, transport
from portal.cli import run_worker
from portal.core import create_core
from portal.services.edges import Edge
from portal.services.work import Work

RECORDED = 400
"""So many calls are written down."""


def main() -> None:
    exchange, commit = transport.exchange, Work.commit
    inside = 0.0
    database = _Database()
    recorded = 0
    out = Path(sys.argv[1]).open("a", encoding="utf-8")  # noqa: SIM115 - open as long as the process
    record = os.environ.get("RECORD")
    calls = Path(record).open("a", encoding="utf-8") if record else None  # noqa: SIM115

    def timed_exchange(sessions: Any, base: str, token: str, request: Any, *rest: Any) -> Any:
        nonlocal inside, recorded
        began = time.perf_counter()
        try:
            return exchange(sessions, base, token, request, *rest)
        finally:
            inside += time.perf_counter() - began
            if calls is not None and recorded < RECORDED:
                recorded += 1
                print(json.dumps(_call(request)), file=calls, flush=True)

    def timed_commit(self: Work, edge: Edge) -> None:
        nonlocal inside
        commit(self, edge)
        if edge == Edge.TAGGED:
            done = [time.perf_counter(), inside, database.seconds, _resident_mb()]
            print(json.dumps(done), file=out, flush=True)
            inside = database.seconds = 0.0

    transport.exchange = timed_exchange
    Work.commit = timed_commit  # type: ignore[method-assign]
    with create_core().app_context():
        run_worker.main(["drain"], standalone_mode=False)


class _Database:
    """Clocks what the driver is asked: statements, commits, what row security asks by itself."""

    def __init__(self) -> None:
        self.seconds = 0.0
        began: dict[int, float] = {}

        @event.listens_for(Engine, "before_cursor_execute")
        def before(_connection: Any, cursor: Any, *_: Any) -> None:
            began[id(cursor)] = time.perf_counter()

        @event.listens_for(Engine, "after_cursor_execute")
        def after(_connection: Any, cursor: Any, *_: Any) -> None:
            self.seconds += time.perf_counter() - began.pop(id(cursor))

        for owner, name in ((DefaultDialect, "do_commit"), (rowsecurity, "refusal_of")):
            setattr(owner, name, self._clocked(getattr(owner, name)))

    def _clocked(self, asks: Callable[..., Any]) -> Callable[..., Any]:
        def clocked(*given: Any) -> Any:
            started = time.perf_counter()
            try:
                return asks(*given)
            finally:
                self.seconds += time.perf_counter() - started

        return clocked


def _call(request: requests.Request) -> dict[str, Any]:
    """Return a call as it can be sent again."""
    prepared = requests.Session().prepare_request(request)
    body = prepared.body if isinstance(prepared.body, bytes) else (prepared.body or "").encode()
    return {
        "method": prepared.method,
        "url": prepared.url,
        "headers": dict(prepared.headers),
        "body": base64.b64encode(body).decode(),
    }


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
