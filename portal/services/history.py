"""The history as chains: each line carries the hash of the line before it.

One chain for each invoice, each member, and each space. Names of people are not in it (they stand
in `person_name` and may be blanked), so blanking one leaves every chain whole.

New lines are only ever added, so no session keeps an eye on them: they are written with the commit
(`last_writes.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, bindparam, event, func, select, update
from sqlalchemy.orm import Session

from portal.database import db, table_of
from portal.models import HistoryLine, InvoiceSync, MemberSync, Space
from portal.services import last_writes, space_row

FIRST = hashlib.sha256(b"").hexdigest()
"""What the first line of a chain names as the hash before it."""


MOST_HEADS = 2000
_ENDS = "ends of chains"
_SOON = "chains that grow soon"
_LINES = table_of(HistoryLine)
_OF_SPACE = _LINES.c.space_id == bindparam("space")
_LAST_OF = (
    select(_LINES.c.number, _LINES.c.hash)
    .where(_OF_SPACE, _LINES.c.chain == bindparam("chain"))
    .order_by(_LINES.c.number.desc())
    .limit(1)
)
_LAST = (
    select(_LINES.c.chain, func.max(_LINES.c.number).label("number"))
    .where(_OF_SPACE, _LINES.c.chain.in_(bindparam("chains", expanding=True)))
    .group_by(_LINES.c.chain)
    .subquery()
)
_LAST_OF_EACH = (
    select(_LINES.c.chain, _LINES.c.number, _LINES.c.hash)
    .join(_LAST, and_(_LAST.c.chain == _LINES.c.chain, _LAST.c.number == _LINES.c.number))
    .where(_OF_SPACE)
)


@dataclass
class NewLine:
    """A line that is added; `append` gives it its place."""

    space_id: int
    chain: str
    invoice_id: int | None
    member_id: int | None
    at: datetime
    actor: str
    step: str
    outcome: str
    facts: dict[str, Any]
    number: int = 0
    previous_hash: str = FIRST
    hash: str = ""


@dataclass
class _Ends:
    write: int
    """The number of the last writing transaction in the space (portal.services.space_row)."""
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Break:
    """A line that does not fit its chain, and why."""

    chain: str
    number: int
    reason: str


def chain_name(space_id: int, invoice: InvoiceSync | None, member: MemberSync | None) -> str:
    """Return whose life a line belongs to, in names that do not change."""
    if invoice is not None:
        return chain_of_invoice(space_id, invoice.cobot_invoice_id)
    if member is not None:
        return f"space:{space_id}/member:{member.cobot_membership_id}"
    return f"space:{space_id}"


def chain_of_invoice(space_id: int, cobot_invoice_id: str) -> str:
    """Return the name of an invoice's life, where its row is not at hand."""
    return f"space:{space_id}/invoice:{cobot_invoice_id}"


def append(line: NewLine, calls: Sequence[Mapping[str, Any]] = ()) -> None:
    """Put a line at the end of its chain, with the calls that led to it. The caller commits.

    The space's row is locked until then: two writers cannot take the same place.
    """
    _place(line, _heads(line.space_id, is_line=True))
    last_writes.add_line(line, calls, _place_anew)


def _place(line: NewLine, heads: dict[str, tuple[int, str]]) -> None:
    if line.chain not in heads:
        _learn(line.space_id, line.chain)
    number, before = heads[line.chain]
    line.number = number + 1
    line.previous_hash = before
    line.hash = hash_of(line)
    heads[line.chain] = (line.number, line.hash)


def _place_anew(lines: Sequence[NewLine]) -> None:
    """Put lines that are not written yet at the ends of their chains as these stand by now."""
    db.session.info.pop(_ENDS, None)
    for line in lines:
        _place(line, _heads(line.space_id))


def _heads(space_id: int, *, is_line: bool = False) -> dict[str, tuple[int, str]]:
    """Return the ends of chains as this session knows them: of what it wrote last, and only while
    nobody else wrote in the space since."""
    kept: dict[int, _Ends] = db.session.info.setdefault(_ENDS, {})
    now = space_row.write(space_id, is_line=is_line)
    ends = kept.get(space_id)
    # Between two lines of one transaction none is forgotten: the first is not written yet.
    has_too_many = ends is not None and now != ends.write and len(ends.heads) > MOST_HEADS
    if ends is None or now - ends.write > 1 or has_too_many:
        ends = kept[space_id] = _Ends(now)
    ends.write = now
    return ends.heads


def look_up(space_id: int, chains: Sequence[str]) -> None:
    """Learn the ends of chains that are about to grow, all in one statement."""
    heads = _heads(space_id)
    chains = [chain for chain in chains if chain not in heads]
    with db.session.no_autoflush:
        found = db.session.execute(_LAST_OF_EACH, {"space": space_id, "chains": chains})
    heads |= dict.fromkeys(chains, (0, FIRST))
    heads |= {chain: (number, before) for chain, number, before in found}


def expect(space_id: int, chains: Sequence[str]) -> None:
    """Name the chains that grow soon: with the end of the first of them all are learnt."""
    db.session.info[_SOON] = (space_id, list(chains))


def _learn(space_id: int, chain: str) -> None:
    of_space, chains = db.session.info.get(_SOON, (None, []))
    if of_space == space_id and chain in chains:
        del db.session.info[_SOON]
        look_up(space_id, chains)
        return
    with db.session.no_autoflush:
        last = db.session.execute(_LAST_OF, {"space": space_id, "chain": chain}).one_or_none()
    _heads(space_id)[chain] = (last.number, last.hash) if last else (0, FIRST)


@event.listens_for(db.session, "after_soft_rollback")
def _forget(session: Session, _transaction: object) -> None:
    """Forget what was not kept."""
    session.info.pop(_ENDS, None)


def count(space_id: int, by: int) -> None:
    """Keep how many lines a space has, and hold its row until the commit."""
    db.session.execute(
        update(Space)
        .where(Space.id == space_id)
        .values(history_lines=Space.history_lines + by)
        .execution_options(synchronize_session=False)
    )


def hash_of(line: HistoryLine | NewLine) -> str:
    """Return the SHA-256 over what a line says, its place, and the hash before it."""
    said = [
        line.chain,
        line.number,
        line.previous_hash,
        line.at.astimezone(UTC).isoformat(timespec="microseconds"),
        line.actor,
        line.step,
        line.outcome,
        line.facts,
    ]
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def verify(space: Space) -> tuple[int, list[Break]]:
    """Check every chain of a space; return how many lines were read and what does not fit."""
    lines = 0
    breaks: list[Break] = []
    chain, number, before = "", 0, FIRST
    for line in _all(space):
        lines += 1
        if line.chain != chain:
            chain, number, before = line.chain, 0, FIRST
        if line.number != number + 1:
            breaks.append(Break(chain, line.number, f"line {number + 1} is missing"))
        elif line.previous_hash != before:
            breaks.append(Break(chain, line.number, "does not follow the line before"))
        if hash_of(line) != line.hash:
            breaks.append(Break(chain, line.number, "was changed"))
        number, before = line.number, line.hash
    return lines, breaks + _without_history(space) + _cut_off(space, lines)


def _all(space: Space) -> Iterator[HistoryLine]:
    rows = db.session.scalars(
        select(HistoryLine)
        .where(HistoryLine.space_id == space.id)
        .order_by(HistoryLine.chain, HistoryLine.number)
        .execution_options(yield_per=1000, populate_existing=True)
    )
    yield from rows


def _cut_off(space: Space, lines: int) -> list[Break]:
    """Find that lines are gone from the end of a chain, which no hash of another one shows."""
    counted = db.session.scalar(select(Space.history_lines).where(Space.id == space.id)) or 0
    if lines == counted:
        return []
    return [Break(chain_name(space.id, None, None), 0, f"{lines} lines, {counted} were written")]


def _without_history(space: Space) -> list[Break]:
    """Find invoices whose whole chain is gone: the first line is written with the row."""
    chained = select(HistoryLine.invoice_id).where(
        HistoryLine.space_id == space.id, HistoryLine.invoice_id.is_not(None)
    )
    lost = db.session.scalars(
        select(InvoiceSync).where(InvoiceSync.space_id == space.id, InvoiceSync.id.not_in(chained))
    )
    return [Break(chain_name(space.id, row, None), 0, "has no history") for row in lost]
