"""A drain worker that dies, or stops, right after a given commit: `... dying_worker EDGE HOW`.

Nothing else about it differs from the product's own worker.
"""

from __future__ import annotations

import os
import signal
import sys

from portal.cli import run_worker
from portal.core import create_core
from portal.services.work import Edge, Work

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def main() -> None:
    edge, how = Edge(sys.argv[1]), SIGNALS[sys.argv[2]]
    commit = Work.commit

    def commit_and_die(self: Work, reached: Edge) -> None:
        commit(self, reached)
        if reached == edge:
            print(f"reached {edge}", flush=True)
            os.kill(os.getpid(), how)

    Work.commit = commit_and_die  # type: ignore[method-assign]
    with create_core().app_context():
        run_worker.main(["drain"], standalone_mode=False)


if __name__ == "__main__":
    main()
