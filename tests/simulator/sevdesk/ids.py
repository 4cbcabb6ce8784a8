"""Ids as sevdesk gives them: numbers that only grow, one row of them for each kind of thing."""

from __future__ import annotations


class NewId:
    """Gives the next free id; ids planted by a world are noted so that none is given twice."""

    def __init__(self, first: int) -> None:
        self._next = first

    def __call__(self) -> str:
        self._next += 1
        return str(self._next - 1)

    def note(self, identifier: str) -> None:
        """Keep clear of this id; one that is no number cannot collide."""
        if identifier.isdigit():
            self._next = max(self._next, int(identifier) + 1)
