"""Noticing that whatever started the demo is gone, however it went."""

from __future__ import annotations

import os
import signal
import threading
import time


def end_with_parent(*, every_seconds: float = 0.5) -> None:
    """Ask this process to end (SIGTERM) once its parent is gone.

    Somebody may kill `make`, which then can tell nobody; from outside it looks like the demo.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every_seconds)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
