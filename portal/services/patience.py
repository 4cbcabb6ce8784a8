"""How long somebody waits for our own budget of calls before they come back later instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from portal.core import core
from portal.errors import BudgetExhausted
from portal.services import stopping


@dataclass(frozen=True)
class Patience:
    """How somebody waits: `wait` takes the seconds until the next call is free and those waited for
    it already. True after waiting, False without a wait to the end: come back later."""

    wait: Callable[[float, float], bool]
    before_writes: bool = False
    """Also where a write was begun already. A worker does not: what allowed the write (lock,
    connection, token) was looked at before the wait."""


MOMENT_SECONDS = 1.0
"""The longest that a worker waits: the window of sevdesk's budget. Cobot's is a minute."""
LOOK_EVERY_SECONDS = 0.05


NONE = Patience(lambda _asked, _waited: False)
"""Never wait."""


def of_a_person(seconds: float) -> Patience:
    """Wait so long in all, for somebody who looks at the page."""
    until = time.monotonic() + seconds

    def wait(asked: float, _waited: float) -> bool:
        if time.monotonic() + asked > until:
            return False
        time.sleep(asked)
        return True

    return Patience(wait, before_writes=True)


def of_an_idle_worker(queue: str) -> Patience:
    """Wait a moment as long as nothing else is in the worker's queue, and it is not to end.

    To leave the space and be woken again costs a good part of a second's budget: the alarm, the
    queue, the job, the lock. A space that wants this worker meanwhile has it at once.
    """

    def wait(asked: float, waited: float) -> bool:
        if waited + asked > MOMENT_SECONDS:
            return False
        until = time.monotonic() + asked
        while (left := until - time.monotonic()) > 0:
            if stopping.requested.is_set() or not core().queue.is_empty(queue):
                return False
            time.sleep(min(left, LOOK_EVERY_SECONDS))
        return True

    return Patience(wait)


def patiently(waits: Patience, ask: Callable[[], None]) -> bool:
    """Ask a budget until it gives or patience ends; return whether that took a wait.

    Raises BudgetExhausted.
    """
    waited = 0.0
    while True:
        try:
            ask()
        except BudgetExhausted as err:
            asked = err.retry_after_seconds or 0
            if not waits.wait(asked, waited):
                raise
            waited += asked
        else:
            return waited > 0
