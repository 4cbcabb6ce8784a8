"""Processes that stand in for the portal's own: a web server that dies, RQ's forking worker."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from portal.guardian import kill_session
from portal.stack import PYTHON, ROOT
from tests.faults.ground import Ground


def run_dying_web(ground: Ground) -> None:
    """Put a web server into the place of the real one that dies at the next wake-up."""
    ground.drop("web")
    web = ground.processes["web"]
    command = [*web.command[:-1], "tests.faults.dying_web:app"]
    ground.supervisor.start(replace(web, command=command))
    ground.wait_until(ground._web_answers, "the web server", seconds=60)


@contextmanager
def forking_worker(ground: Ground) -> Iterator[int]:
    """Run RQ's own worker, which forks for each job, and yield its process id.

    It is none of the supervisor's, who would end its horse together with it.
    """
    url = ground.env["REDIS_URL"]
    words = ("worker", "--quiet", "--serializer", "json", "--url", url, "drain")
    with (ground.log_folder / "forking.log").open("ab") as said:
        worker = subprocess.Popen(
            [PYTHON, "-m", "rq.cli", *words],
            cwd=ROOT,
            env={**os.environ, **ground.env, "PYTHONPATH": str(ROOT)},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield worker.pid
    finally:
        kill_session(worker.pid)
        worker.wait()
