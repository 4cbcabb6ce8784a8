"""The spaces of one person, each with what one must know before opening it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select

from portal.database import db, utcnow
from portal.models import Admin, InvoiceSync, LostRight, Space, State
from portal.services.pauses import CHECK_FIRST
from portal.services.signin import LOST_SAID_FOR
from portal.tenancy import all_spaces, in_spaces

DAYS = 30
SEARCH_FROM = 8
"""With so many spaces a search field is shown."""
TOKEN_CODES = frozenset({"token_invalid", "cobot_revoked"})


class Badge(StrEnum):
    CONNECTED = "connected"
    NOT_CONNECTED = "not_connected"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - the word for a state, not a token
    PAUSED = "paused"
    CHECK_FIRST = "check_first"


STANDS_STILL = (Badge.TOKEN_INVALID, Badge.PAUSED, Badge.CHECK_FIRST)


@dataclass(frozen=True)
class SpaceCard:
    """A space in the list; the counts are of invoices announced in the last DAYS days."""

    space: Space
    badge: Badge
    synced: int
    mismatched: int
    failed: int
    last_success_at: datetime | None

    @property
    def urgency(self) -> int:
        """Return the place in the list: what needs a person comes first."""
        if self.badge in STANDS_STILL:
            return 0
        if self.failed:
            return 1
        return 3 if self.badge is Badge.NOT_CONNECTED else 2


@dataclass(frozen=True)
class LostSpace:
    """A space that a person no longer administers: its name, and since when. Nothing else of it."""

    name: str
    lost_at: datetime


def badge_of(space: Space) -> Badge:
    """Return the one word for how the space stands."""
    if not space.is_connected:
        return Badge.NOT_CONNECTED
    if space.pause_code == CHECK_FIRST:
        return Badge.CHECK_FIRST
    if space.is_paused:
        return Badge.TOKEN_INVALID if space.pause_code in TOKEN_CODES else Badge.PAUSED
    return Badge.CONNECTED


@all_spaces("which rights a person lost")
def lost_of_all_spaces(admin: Admin) -> list[LostSpace]:
    """Return the spaces whose right this person lost lately, the latest first."""
    query = (
        select(Space.name, LostRight.at)
        .join(LostRight, LostRight.space_id == Space.id)
        .where(LostRight.admin_id == admin.id, LostRight.at >= utcnow() - LOST_SAID_FOR)
        .order_by(LostRight.at.desc(), LostRight.id)
    )
    return [LostSpace(name, at) for name, at in db.session.execute(query)]


def cards_of(spaces: Sequence[Space], q: str = "") -> list[SpaceCard]:
    """Return a card for each of a person's spaces that `q` finds, urgent ones first."""
    spaces = [space for space in spaces if _is_found(space, q)]
    ids = [space.id for space in spaces]
    with in_spaces(ids):
        counts = _recent_counts(ids)
        successes = _last_successes(ids)
    cards = [
        SpaceCard(
            space=space,
            badge=badge_of(space),
            synced=counts.get((space.id, State.SYNCED), 0),
            mismatched=counts.get((space.id, State.MISMATCHED), 0),
            failed=counts.get((space.id, State.FAILED), 0),
            last_success_at=successes.get(space.id),
        )
        for space in spaces
    ]
    return sorted(cards, key=lambda card: card.urgency)


def _is_found(space: Space, q: str) -> bool:
    wanted = q.strip().casefold()
    return wanted in space.name.casefold() or wanted in space.subdomain.casefold()


def _recent_counts(space_ids: Sequence[int]) -> dict[tuple[int, State], int]:
    query = (
        select(InvoiceSync.space_id, InvoiceSync.state, func.count())
        .where(
            InvoiceSync.space_id.in_(space_ids),
            InvoiceSync.announced_at >= utcnow() - timedelta(days=DAYS),
        )
        .group_by(InvoiceSync.space_id, InvoiceSync.state)
    )
    return {(space_id, State(state)): count for space_id, state, count in db.session.execute(query)}


def _last_successes(space_ids: Sequence[int]) -> dict[int, datetime]:
    query = (
        select(InvoiceSync.space_id, func.max(InvoiceSync.finished_at))
        .where(
            InvoiceSync.space_id.in_(space_ids),
            InvoiceSync.state.in_((State.SYNCED, State.MISMATCHED)),
        )
        .group_by(InvoiceSync.space_id)
    )
    return {space_id: at for space_id, at in db.session.execute(query) if at}
