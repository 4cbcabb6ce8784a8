"""Which space is meant: looked up before one is entered, so over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.engine import Connection

from portal.database import db, table_of
from portal.models import Admin, Space, SpaceAdmin
from portal.tenancy import all_spaces

SPACES = table_of(Space)


@all_spaces("which space a name means")
def all_spaces_named(subdomain: str) -> Space | None:
    """Return any space by its subdomain, for support and for commands."""
    return db.session.scalar(select(Space).where(Space.subdomain == subdomain))


@all_spaces("the list of all spaces")
def all_spaces_by_name() -> Sequence[Space]:
    """Return every space there is."""
    return db.session.scalars(select(Space).order_by(Space.subdomain)).all()


_OF_ADDRESS = (
    select(Space)
    .join(SpaceAdmin, SpaceAdmin.space_id == Space.id)
    .where(SpaceAdmin.admin_id == bindparam("admin"), Space.subdomain == bindparam("subdomain"))
)
"""Made once: most of the time of a short statement goes into making it."""


@all_spaces("which space an address means")
def all_spaces_of_address(admin: Admin, subdomain: str) -> Space | None:
    """Return a space this person administers; None for a stranger and for one that is not there."""
    return db.session.scalar(_OF_ADDRESS, {"admin": admin.id, "subdomain": subdomain})


@all_spaces("which spaces are a person's")
def all_spaces_of(admin: Admin) -> Sequence[Space]:
    """Return the spaces this person administers, by name."""
    query = (
        select(Space)
        .join(SpaceAdmin, SpaceAdmin.space_id == Space.id)
        .where(SpaceAdmin.admin_id == admin.id)
        .order_by(func.lower(Space.name), Space.id)
    )
    return db.session.scalars(query).all()


_OF_HOOK = select(SPACES.c.id, SPACES.c.subdomain, SPACES.c.connected_at).where(
    SPACES.c.hook_digest == bindparam("digest")
)
"""Made once: most of the time of a short statement goes into making it."""


@all_spaces("which space a hook is for")
def all_spaces_of_hook(connection: Connection, key: str) -> Row[int, str, datetime | None] | None:
    """Return id, subdomain and time of connection of the space whose hook secret has this digest.

    The digest is looked up, not the secret: the time it takes tells nothing of it.
    """
    return connection.execute(_OF_HOOK, {"digest": key}).one_or_none()
