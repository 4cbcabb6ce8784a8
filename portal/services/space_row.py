"""The row of a space: every transaction that writes in a space takes it first, and once.

So writers of one space come one after the other, numbers become visible in their order, and nobody
blocks somebody who took two rows in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, event, update
from sqlalchemy.orm import Session, SessionTransaction

from portal.database import db, table_of
from portal.models import Space

_TAKEN = "spaces taken in this transaction"
_LINES = "lines added in this transaction"
_SPACES = table_of(Space)
_MORE_LINES = _SPACES.c.history_lines + bindparam("lines")
_OF_SPACE = update(_SPACES).where(_SPACES.c.id == bindparam("space"))
_TAKE = _OF_SPACE.values(sequence=_SPACES.c.sequence + 1, history_lines=_MORE_LINES).returning(
    _SPACES.c.sequence, _SPACES.c.connected_at, _SPACES.c.sevdesk_token_key
)
_COUNT = _OF_SPACE.values(history_lines=_MORE_LINES)


@dataclass(frozen=True)
class Taken:
    """A space's row as it stands while this transaction holds it."""

    number: int
    connected_at: datetime | None
    sevdesk_token_key: str | None


def write(space_id: int, *, is_line: bool = False, ahead: int = 0) -> int:
    """Hold the space's row until the commit and return the number of this transaction in it.

    Numbers count up without gaps: whoever knows the one before has seen all there is. Open logs
    look whether it went on. With `is_line` a line of history is counted, in the same statement
    where it is the first of the transaction; so are those that are known `ahead` of it.
    """
    return take(space_id, is_line=is_line, ahead=ahead).number


def take(space_id: int, *, is_line: bool = False, ahead: int = 0) -> Taken:
    """Hold the space's row as `write` does; return what stands in it, which nobody changes now."""
    taken: dict[int, Taken] = db.session.info.setdefault(_TAKEN, {})
    added: dict[int, int] = db.session.info.setdefault(_LINES, {})
    if space_id not in taken:
        # What is changed already is written after the space's row, not before it.
        with db.session.no_autoflush:
            row = db.session.execute(_TAKE, {"space": space_id, "lines": int(is_line) + ahead})
        taken[space_id] = Taken(*row.one())
        added[space_id] = -ahead
    elif is_line:
        # The row has the sum with the commit, however many there are.
        added[space_id] = added.get(space_id, 0) + 1
    return taken[space_id]


@event.listens_for(db.session, "before_commit")
def _count_lines(session: Session) -> None:
    for space_id, by in session.info.pop(_LINES, {}).items():
        if by:
            session.execute(_COUNT, {"space": space_id, "lines": by})


@event.listens_for(db.session, "after_transaction_end")
def _let_go(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_TAKEN, None)
        session.info.pop(_LINES, None)
