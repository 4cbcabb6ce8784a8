"""Spaces that book into one sevdesk client: allowed, told to their admins, with what is advised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from portal.database import db
from portal.models import Admin, Space
from portal.services.directory import all_spaces_of
from portal.tenancy import all_spaces


@dataclass(frozen=True)
class Sharing:
    """Who books into the same sevdesk client as a space.

    `names` are those of the spaces that the person who asks administers, too: others stay unnamed.
    """

    names: tuple[str, ...]
    has_cost_centre: bool
    has_same_cost_centre: bool
    """Another of them books on the same cost centre: their receipts cannot be told apart."""

    @property
    def is_advised(self) -> bool:
        """Say whether a cost centre of its own is to be advised."""
        return not self.has_cost_centre or self.has_same_cost_centre


def sharing_of(space: Space, admin: Admin) -> Sharing | None:
    """Return with whom the space shares its sevdesk client; None when it has it for itself."""
    if not space.is_connected or space.sevdesk_client is None:
        return None
    others = _others_of_all_spaces(space.sevdesk_client, space.id)
    if not others:
        return None
    own = {one.id for one in all_spaces_of(admin)}
    centre = space.cost_centre_number
    return Sharing(
        names=tuple(one.name for one in others if one.id in own),
        has_cost_centre=centre is not None,
        has_same_cost_centre=any(one.cost_centre_number == centre for one in others),
    )


def is_shared(client_id: str, but_space_id: int) -> bool:
    """Say whether another connected space books into this sevdesk client."""
    return bool(_others_of_all_spaces(client_id, but_space_id))


@all_spaces("who shares a sevdesk client")
def _others_of_all_spaces(client_id: str, but_space_id: int) -> Sequence[Space]:
    return db.session.scalars(
        select(Space)
        .where(
            Space.sevdesk_client == client_id,
            Space.id != but_space_id,
            Space.connected_at.is_not(None),
        )
        .order_by(Space.name)
    ).all()
