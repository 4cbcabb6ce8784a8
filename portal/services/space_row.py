"""The row of a space: every transaction that writes in a space takes it first, and once.

So writers of one space come one after the other, numbers become visible in their order, and nobody
blocks somebody who took two rows in another order.
"""

from __future__ import annotations

from sqlalchemy import event, update
from sqlalchemy.orm import Session, SessionTransaction

from portal.database import db
from portal.models import Space

_TAKEN = "spaces taken in this transaction"
_LINES = "lines added in this transaction"


def write(space_id: int, *, is_line: bool = False) -> int:
    """Hold the space's row until the commit and return the number of this transaction in it.

    Numbers count up without gaps: whoever knows the one before has seen all there is. Open logs
    look whether it went on. With `is_line` a line of history is counted, in the same statement
    where it is the first of the transaction.
    """
    taken: dict[int, int] = db.session.info.setdefault(_TAKEN, {})
    if space_id not in taken:
        # What is changed already is written after the space's row, not before it.
        with db.session.no_autoflush:
            taken[space_id] = db.session.execute(
                update(Space)
                .where(Space.id == space_id)
                .values(
                    sequence=Space.sequence + 1, history_lines=Space.history_lines + int(is_line)
                )
                .returning(Space.sequence)
                .execution_options(synchronize_session=False)
            ).scalar_one()
    elif is_line:
        # The row has the sum with the commit, however many there are.
        added: dict[int, int] = db.session.info.setdefault(_LINES, {})
        added[space_id] = added.get(space_id, 0) + 1
    return taken[space_id]


@event.listens_for(db.session, "before_commit")
def _count_lines(session: Session) -> None:
    for space_id, by in session.info.pop(_LINES, {}).items():
        session.execute(
            update(Space)
            .where(Space.id == space_id)
            .values(history_lines=Space.history_lines + by)
            .execution_options(synchronize_session=False)
        )


@event.listens_for(db.session, "after_transaction_end")
def _let_go(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_TAKEN, None)
        session.info.pop(_LINES, None)
