"""How long somebody waits for our own budget of calls before they come back later instead."""

from __future__ import annotations

import time
from collections.abc import Callable

from portal.core import core
from portal.services import stopping

Patience = Callable[[float], bool]
"""Takes the seconds until the next call is free. True after waiting them, False without a wait to
the end: come back later."""

MOMENT_SECONDS = 1.0
"""The longest that a worker waits: the window of sevdesk's budget. Cobot's is a minute."""
LOOK_EVERY_SECONDS = 0.05


def none(_seconds: float) -> bool:
    """Never wait."""
    return False


def of_a_person(seconds: float) -> Patience:
    """Wait so long in all, for somebody who looks at the page."""
    until = time.monotonic() + seconds

    def wait(asked: float) -> bool:
        if time.monotonic() + asked > until:
            return False
        time.sleep(asked)
        return True

    return wait


def of_an_idle_worker(queue: str) -> Patience:
    """Wait a moment as long as nothing else is in the worker's queue, and it is not to end.

    To leave the space and be woken again costs a good part of a second's budget: the alarm, the
    queue, the job, the lock. A space that wants this worker meanwhile has it at once.
    """

    def wait(asked: float) -> bool:
        if asked > MOMENT_SECONDS:
            return False
        until = time.monotonic() + asked
        while (left := until - time.monotonic()) > 0:
            if stopping.requested.is_set() or not core().queue.is_empty(queue):
                return False
            time.sleep(min(left, LOOK_EVERY_SECONDS))
        return True

    return wait
