"""What several threads want at the same time is done at once, by one of them.

A transaction costs about the same for one row as for eight, so whoever comes while one is under way
waits for the next and shares it. Alone, one is served at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

FOLLOWS_AFTER_SECONDS = 0.0005
"""In a burst the next one begins so much later: those just served are back by then, and share it.
How much it gains hangs on the machine: try 0 and 0.0015 here with `make bench ROWS=1`."""


@dataclass(eq=False)
class _Place(Generic[Item, Outcome]):
    """Somebody in line; `woken` is free once there is an outcome or an error, or it is their turn
    to do it for all who wait."""

    item: Item
    woken: threading.Lock = field(default_factory=threading.Lock)
    is_done: bool = False
    outcome: Outcome | None = None
    error: BaseException | None = None


class Together(Generic[Item, Outcome]):
    """A line whose first one does for all in it what they came for."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_busy = False
        self._waiting: list[_Place[Item, Outcome]] = []

    def join(self, item: Item, do: Callable[[Sequence[Item]], Outcome]) -> Outcome:
        """Have it done for this item and those that came meanwhile; return the outcome of all.

        Raises for each of them what doing it raised.
        """
        mine: _Place[Item, Outcome] = _Place(item)
        mine.woken.acquire()
        with self._mutex:
            self._waiting.append(mine)
            is_first = not self._is_busy
            self._is_busy = True
        if not is_first:
            mine.woken.acquire()
            if not mine.is_done:
                time.sleep(FOLLOWS_AFTER_SECONDS)
        if not mine.is_done:
            self._do_for_all(do)
        if mine.error is not None:
            raise mine.error
        return mine.outcome  # type: ignore[return-value]

    def _do_for_all(self, do: Callable[[Sequence[Item]], Outcome]) -> None:
        with self._mutex:
            places, self._waiting = self._waiting, []
        outcome, error = None, None
        try:
            outcome = do([place.item for place in places])
        except BaseException as err:
            error = err
        with self._mutex:
            self._is_busy = bool(self._waiting)
            following = self._waiting[:1]
        for place in places:
            place.outcome, place.error, place.is_done = outcome, error, True
        for place in (*places, *following):
            place.woken.release()
