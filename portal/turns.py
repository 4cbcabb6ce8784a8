"""Writers of one process take turns at SQLite's lock.

SQLite lets one write at a time and has the others ask again after ever longer pauses: of eight
threads some wait a second while others write ten times. Here they stand in line, first come first
served, and only the one at the front asks. SQLite's own lock still decides, also between processes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque

PATIENCE_SECONDS = 5.0
"""Longest wait in line; then SQLite's own lock is asked all the same."""


class Turns:
    """A line that is served in order."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Lock] = deque()

    def take(self, patience_seconds: float) -> bool:
        """Wait for the turn; False when it did not come in time."""
        with self._mutex:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            came = mine.acquire(timeout=patience_seconds)
        except BaseException:
            if self._leave(mine):
                self.give_on()
            raise
        return came or self._leave(mine)

    def _leave(self, mine: threading.Lock) -> bool:
        """Leave the line; True when the turn has come in this very moment."""
        with self._mutex:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True

    def give_on(self) -> None:
        """Let the next one have its turn."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


class TurnConnection(sqlite3.Connection):
    """A connection that holds its turn from before it writes until nothing is open any more."""

    turns: Turns | None = None
    _has_turn = False

    def take_turn(self) -> None:
        """Stand in line. Whoever waited too long goes on without: SQLite's lock decides."""
        if self.turns is not None and not self._has_turn:
            self._has_turn = self.turns.take(PATIENCE_SECONDS)

    def give_on(self) -> None:
        """End the turn, unless a transaction is still open."""
        if self._has_turn and not self.in_transaction:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._has_turn and self.turns is not None:
            self._has_turn = False
            self.turns.give_on()

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self.give_on()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self.give_on()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._end_turn()
