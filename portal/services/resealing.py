"""Sealing every secret anew with the first key, so that an older key can be taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from portal.core import core
from portal.crypto import SealBroken
from portal.database import db
from portal.models import LoginSession, Space
from portal.services import sessions, vault
from portal.tenancy import all_spaces

BATCH = 200


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed values; `context` makes from the row's `owner` what they are bound to."""

    column: Any
    owner: Any
    context: Callable[[str], str]

    @property
    def name(self) -> str:
        return f"{self.column.class_.__tablename__}.{self.column.key}"


def _of_space(column: Any, field: vault.Field) -> SealedColumn:
    return SealedColumn(column, Space.cobot_id, lambda owner: vault.context_of(owner, field))


SEALED = (
    _of_space(Space.sealed_cobot_token, "cobot_token"),
    _of_space(Space.sealed_sevdesk_token, "sevdesk_token"),
    _of_space(Space.sealed_hook_secret, "hook_secret"),
    SealedColumn(LoginSession.sealed_content, LoginSession.id_digest, sessions.content_context),
    SealedColumn(LoginSession.sealed_cobot_token, LoginSession.id_digest, sessions.token_context),
)


@dataclass
class Resealed:
    """What became of one column; `broken` values open with no key and stay as they are."""

    name: str
    done: int = 0
    newest: int = 0
    broken: int = 0


def reseal_all_spaces() -> Iterator[Resealed]:
    """Seal with the first key what another one sealed; give the result of each column.

    Each value is a transaction of its own: what was done stays done when this is ended, and the
    next run goes on. A value that somebody changes meanwhile is left to them and looked at again.
    """
    for sealed in SEALED:
        result = Resealed(sealed.name)
        last_id = 0
        while rows := _rows_of_all_spaces_after(sealed, last_id):
            for row in rows:
                _reseal_in_all_spaces(sealed, row.id, row.owner, row.value, result)
            last_id = rows[-1].id
        yield result


@all_spaces("keys are rotated")
def _rows_of_all_spaces_after(sealed: SealedColumn, last_id: int) -> list[Any]:
    model = sealed.column.class_
    query = (
        select(model.id, sealed.owner.label("owner"), sealed.column.label("value"))
        .where(model.id > last_id, sealed.column.is_not(None))
        .order_by(model.id)
        .limit(BATCH)
    )
    rows = list(db.session.execute(query).all())
    db.session.commit()
    return rows


@all_spaces("keys are rotated")
def _reseal_in_all_spaces(
    sealed: SealedColumn, row_id: int, owner: str, value: bytes | None, result: Resealed
) -> None:
    sealer, model = core().sealer, sealed.column.class_
    context = sealed.context(owner)
    while value is not None:
        if sealer.is_newest(value):
            result.newest += 1
            return
        try:
            anew = sealer.seal(sealer.open(value, context=context), context=context)
        except SealBroken:
            result.broken += 1
            return
        changed = db.session.execute(
            update(model)
            .where(model.id == row_id, sealed.column == value)
            .values({sealed.column.key: anew})
            .execution_options(synchronize_session=False)
        )
        if changed.rowcount == 1:  # type: ignore[attr-defined]
            db.session.commit()
            result.done += 1
            return
        value = db.session.scalar(select(sealed.column).where(model.id == row_id))
        db.session.commit()
