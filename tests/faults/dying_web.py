"""A web server that is killed between a hook's commit and its wake-up, gunicorn with it.

`gunicorn tests.faults.dying_web:app`; nothing else about it differs from the product's own.
"""

from __future__ import annotations

import os
import signal

from portal.jobqueue import JobQueue
from wsgi import app

__all__ = ["app"]


def _die(_queue: JobQueue, space_id: int, **_: str) -> bool:
    print(f"committed, not woken: {space_id}", flush=True)
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
    return False


JobQueue.wake = _die  # type: ignore[method-assign]
