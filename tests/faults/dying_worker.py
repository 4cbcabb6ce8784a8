"""A drain worker that something happens to at a given commit: `... dying_worker EDGE HOW`.

`kill` and `stop` come right after the commit, `kill-before` right before it, so that what was
called is done over there and not kept here; `jump` sets its clock an hour ahead. Nothing else about
it differs from the product's own worker.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import time_machine

from portal.cli import run_worker
from portal.core import create_core
from portal.services.edges import Edge
from portal.services.work import Work


def _jump() -> None:
    time_machine.travel(datetime.now(UTC) + timedelta(hours=1)).start()


HAPPENS: dict[str, Callable[[], object]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "kill-before": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "jump": _jump,
}


def main() -> None:
    edge, how = Edge(sys.argv[1]), sys.argv[2]
    commit = Work.commit
    left = [edge]

    def commit_and_see(self: Work, reached: Edge) -> None:
        is_it = reached in left
        if not (is_it and how == "kill-before"):
            commit(self, reached)
        if is_it:
            left.clear()
            print(f"reached {edge}", flush=True)
            HAPPENS[how]()

    Work.commit = commit_and_see  # type: ignore[method-assign]
    with create_core().app_context():
        run_worker.main(["drain"], standalone_mode=False)


if __name__ == "__main__":
    main()
