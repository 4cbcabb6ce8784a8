"""The row of a space: every transaction that writes in a space takes it first, and once.

So writers of one space come one after the other, numbers become visible in their order, and nobody
blocks somebody who took two rows in another order.

A transaction that needs no more of it than its number may take it with its last statement
(`write_late`), as long as nobody else wrote in the space since this session did.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, event, update
from sqlalchemy.orm import Session, SessionTransaction

from portal.database import db, table_of
from portal.models import Space

_TAKEN = "spaces taken in this transaction"
_LINES = "lines added in this transaction"
_LATE = "space that this transaction takes late"
_LAST = "last number of this session in each space"
_SPACES = table_of(Space)
_MORE_LINES = _SPACES.c.history_lines + bindparam("lines")
_OF_SPACE = update(_SPACES).where(_SPACES.c.id == bindparam("space"))
_TAKE = _OF_SPACE.values(sequence=_SPACES.c.sequence + 1, history_lines=_MORE_LINES).returning(
    _SPACES.c.sequence, _SPACES.c.connected_at, _SPACES.c.sevdesk_token_key
)
_BEFORE: ColumnElement[int] = bindparam("number_before")
TAKE_LATE = (
    update(_SPACES)
    .where(_SPACES.c.id == bindparam("its_space"), _SPACES.c.sequence == _BEFORE)
    .values(
        sequence=_SPACES.c.sequence + 1,
        history_lines=_SPACES.c.history_lines + bindparam("more_lines"),
    )
    .returning(_SPACES.c.id, _SPACES.c.connected_at, _SPACES.c.sevdesk_token_key)
)
"""The part of a transaction's last statement that takes the row; it answers with nothing where
somebody else wrote in the space since `number_before`."""
_COUNT = _OF_SPACE.values(history_lines=_MORE_LINES)


@dataclass(frozen=True)
class Taken:
    """A space's row as it stands while this transaction holds it."""

    number: int
    connected_at: datetime | None
    sevdesk_token_key: str | None


@dataclass
class Late:
    """A space's row that is taken with the last statement of this transaction."""

    space_id: int
    number: int
    """This transaction's number, provided that nobody comes in between."""
    lines: int = 0
    """Lines of history that this transaction adds."""


def write(space_id: int, *, is_line: bool = False, ahead: int = 0) -> int:
    """Hold the space's row until the commit and return the number of this transaction in it.

    Numbers count up without gaps: whoever knows the one before has seen all there is. Open logs
    look whether it went on. With `is_line` a line of history is counted, in the same statement
    where it is the first of the transaction; so are those that are known `ahead` of it. A row that
    is taken late is held, and its number sure, only from the last statement on.
    """
    late = late_one()
    if late is not None and late.space_id == space_id:
        late.lines += is_line
        return late.number
    return take(space_id, is_line=is_line, ahead=ahead).number


def write_late(space_id: int, *, after: int | None = None) -> None:
    """Take the space's row with what this transaction writes last (`last_writes`), not before.

    For one that writes nothing but an invoice and its history. `after`: the space's count when
    what it goes by was read; by default that of this session's own last commit in the space. Where
    somebody else wrote since, what hangs on it is worked out anew (`last_writes.if_overtaken`).
    SQLite's only writer has nothing to wait for: there the row is taken as ever.
    """
    session = db.session()
    before = session.info.get(_LAST, {}).get(space_id) if after is None else after
    if late_one() is not None or before is None or db.engine.dialect.name != "postgresql":
        return
    if not session.in_transaction():
        session.begin()  # what is kept for this transaction has to end with it
    if space_id not in session.info.get(_TAKEN, {}):
        session.info[_LATE] = Late(space_id, before + 1)


def late_one() -> Late | None:
    """Return the row that is still to be taken."""
    late: Late | None = db.session.info.get(_LATE)
    return late


def came_in_time(late: Late, connected_at: datetime | None, token_key: str | None) -> None:
    """Know a late row as taken, with the number that was expected and what stands in it."""
    del db.session.info[_LATE]
    taken = db.session.info.setdefault(_TAKEN, {})
    taken[late.space_id] = Taken(late.number, connected_at, token_key)


def take_after_all(late: Late) -> int:
    """Take a late row, and wait for whoever has it; return the number that it really is."""
    del db.session.info[_LATE]
    return take(late.space_id, ahead=late.lines, is_counted=True).number


def take(
    space_id: int, *, is_line: bool = False, ahead: int = 0, is_counted: bool = False
) -> Taken:
    """Hold the space's row as `write` does; return what stands in it, which nobody changes now.

    `is_counted`: the lines ahead are added already.
    """
    assert late_one() is None, "what stands in a row that is taken late is not known"
    taken: dict[int, Taken] = db.session.info.setdefault(_TAKEN, {})
    added: dict[int, int] = db.session.info.setdefault(_LINES, {})
    if space_id not in taken:
        # What is changed already is written after the space's row, not before it.
        with db.session.no_autoflush:
            row = db.session.execute(_TAKE, {"space": space_id, "lines": int(is_line) + ahead})
        taken[space_id] = Taken(*row.one())
        added[space_id] = 0 if is_counted else -ahead
    elif is_line:
        # The row has the sum with the commit, however many there are.
        added[space_id] = added.get(space_id, 0) + 1
    return taken[space_id]


def count_lines(session: Session) -> None:
    """Count the lines that were added since the rows were taken; with the commit."""
    for space_id, by in session.info.pop(_LINES, {}).items():
        if by:
            session.execute(_COUNT, {"space": space_id, "lines": by})


@event.listens_for(db.session, "after_commit")
def _remember(session: Session) -> None:
    taken: dict[int, Taken] = session.info.get(_TAKEN, {})
    session.info.setdefault(_LAST, {}).update({one: row.number for one, row in taken.items()})


@event.listens_for(db.session, "after_transaction_end")
def _let_go(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_TAKEN, None)
        session.info.pop(_LINES, None)
        session.info.pop(_LATE, None)
