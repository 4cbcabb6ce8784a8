"""Who a person is and which spaces are theirs, as Cobot says."""

from __future__ import annotations

from typing import cast as as_type

from flask import session
from sqlalchemy import String, cast, delete, literal, select, update

from portal.cobot.records import CobotSpace, CobotUser
from portal.database import db, insert_or_update, utcnow
from portal.models import Admin, Space, SpaceAdmin
from portal.services import clients
from portal.services.sessions import ServerSession


def sign_in(user_token: str) -> Admin:
    """Read the person and their spaces from Cobot and remember them; return the admin.

    Raises RemoteError as the Cobot client does; then nothing is remembered.
    """
    user = clients.cobot_with(user_token).user()
    admin = _remember(user)
    db.session.commit()
    return admin


def admin_of_session() -> Admin | None:
    """Return who is signed in, None for nobody."""
    signed_in = as_type(ServerSession, session)
    return db.session.get(Admin, signed_in.admin_id) if signed_in.admin_id else None


def space_of(admin: Admin, subdomain: str) -> Space | None:
    """Return a space this person administers; None for a stranger and for one that is not there."""
    return db.session.scalar(
        select(Space)
        .join(SpaceAdmin, SpaceAdmin.space_id == Space.id)
        .where(SpaceAdmin.admin_id == admin.id, Space.subdomain == subdomain)
    )


def _remember(user: CobotUser) -> Admin:
    admin = db.session.scalar(select(Admin).where(Admin.cobot_user_id == user.id))
    if admin is None:
        admin = Admin(cobot_user_id=user.id, email=user.email)
        db.session.add(admin)
    admin.email = user.email
    admin.signed_in_at = utcnow()
    db.session.flush()
    space_ids = [_remember_space(found) for found in user.spaces]
    db.session.execute(
        delete(SpaceAdmin).where(
            SpaceAdmin.admin_id == admin.id, SpaceAdmin.space_id.not_in(space_ids)
        )
    )
    for space_id in space_ids:
        db.session.execute(
            insert_or_update(
                SpaceAdmin,
                {"space_id": space_id, "admin_id": admin.id},
                unique=("space_id", "admin_id"),
                change={},
            )
        )
    return admin


def _remember_space(found: CobotSpace) -> int:
    space = db.session.scalar(select(Space).where(Space.cobot_id == found.id))
    if space is None:
        space = Space(cobot_id=found.id, subdomain=found.subdomain, name=found.name)
    # The id is what counts: a subdomain may have moved on from a space that gave it up.
    db.session.execute(
        update(Space)
        .where(Space.subdomain == found.subdomain, Space.cobot_id != found.id)
        .values(subdomain=literal("gone-") + cast(Space.id, String))
    )
    db.session.add(space)
    space.subdomain = found.subdomain
    space.name = found.name
    space.locale = "en" if (found.locale or "de").lower().startswith("en") else "de"
    db.session.flush()
    return space.id
