"""Which spaces the code that runs now may touch.

A request, a job or a command enters its space; what must cross spaces says so, with a reason, in a
function with `all_spaces` in its name. `portal.spaceguard` holds every statement to it on both
databases, PostgreSQL's row level security once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """The spaces that may be touched; none at first, so that forgetting to enter one shows."""

    space_ids: frozenset[int] = frozenset()
    reason: str | None = None
    """Why all spaces are open; None while they are not."""

    @property
    def is_somewhere(self) -> bool:
        return bool(self.space_ids) or self.reason is not None

    @property
    def is_all(self) -> bool:
        return self.reason is not None

    def holds(self, space_ids: Iterable[int | None]) -> bool:
        return self.is_all or self.space_ids.issuperset(space_ids)


NOWHERE = Reach()
_reach: ContextVar[Reach] = ContextVar("reach", default=NOWHERE)


def current_reach() -> Reach:
    """Return what may be touched now."""
    return _reach.get()


def enter_space(space_id: int) -> None:
    """From here on (in this request or command) this space is open, and no other."""
    enter_spaces((space_id,))


def enter_spaces(space_ids: Iterable[int]) -> None:
    """From here on these spaces are open: those of one person, by their rights."""
    _reach.set(Reach(frozenset(space_ids)))


def leave_spaces() -> None:
    """From here on no space is open."""
    _reach.set(NOWHERE)


@contextmanager
def in_space(space_id: int) -> Iterator[None]:
    """Within this block one space is open."""
    with in_spaces((space_id,)):
        yield


@contextmanager
def in_spaces(space_ids: Iterable[int]) -> Iterator[None]:
    """Within this block these spaces are open: those of one person, by their rights."""
    token = _reach.set(Reach(frozenset(space_ids)))
    try:
        yield
    finally:
        _reach.reset(token)


@contextmanager
def all_spaces(reason: str) -> Iterator[None]:
    """Within this block, or in a function with this decorator, all spaces are open.

    Only in a function that says so in its name. Not around a generator: whoever takes its values
    would be in all spaces meanwhile.
    """
    token = _reach.set(Reach(reason=reason))
    try:
        yield
    finally:
        _reach.reset(token)
