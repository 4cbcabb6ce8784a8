"""Who a person is and which spaces are theirs, as Cobot says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import cast as as_type

import structlog
from flask import session
from sqlalchemy import String, cast, delete, literal, or_, select, update

from portal.cobot.records import CobotSpace, CobotUser
from portal.database import begin_writing, db, insert_or_update, utcnow
from portal.errors import Forbidden, RemoteError, TokenRefused
from portal.models import Admin, LoginSession, LostRight, Space, SpaceAdmin
from portal.services import clients
from portal.services.sessions import ServerSession
from portal.tenancy import all_spaces

log = structlog.get_logger(__name__)

RIGHTS_HOLD = timedelta(hours=1)
"""So long the rights of a session are taken as they were read from Cobot."""
RIGHTS_HOLD_AWAY = timedelta(hours=2)
"""So long while Cobot does not answer."""
LOST_SAID_FOR = timedelta(days=30)
"""So long the list of spaces says which right was lost."""


class Rights(StrEnum):
    """How far the rights of a session may be trusted."""

    CURRENT = "current"
    OLD = "old"
    """Older than an hour, and Cobot does not answer: they hold for one more."""
    UNKNOWN = "unknown"
    """Too old, and Cobot does not answer."""
    GONE = "gone"
    """Cobot no longer takes the person's token."""


def sign_in(user_token: str) -> Admin:
    """Read the person and their spaces from Cobot and remember them; return the admin.

    Raises RemoteError as the Cobot client does; then nothing is remembered.
    """
    user = clients.cobot_with(user_token).user()
    admin = _remember_in_all_spaces(user)
    admin.signed_in_at = utcnow()
    db.session.commit()
    return admin


def read_rights() -> Rights:
    """Read the rights of who is signed in anew when they are older than an hour.

    Commits when it does; what the person may no longer see is gone from the database then.
    """
    signed_in = as_type(ServerSession, session)
    if signed_in.rights_age < RIGHTS_HOLD:
        return Rights.CURRENT
    if signed_in.cobot_token is None:
        return Rights.GONE
    if signed_in.may_try_rights:
        # Nothing may be locked while Cobot is asked, and the answer is written.
        db.session.commit()
        begin_writing()
        try:
            user = clients.cobot_with(signed_in.cobot_token).user()
        except (TokenRefused, Forbidden):
            log.info("session ended, Cobot no longer takes its token", admin=signed_in.admin_id)
            return Rights.GONE
        except RemoteError as err:
            log.warning("rights not read, Cobot is away", admin=signed_in.admin_id, error=str(err))
            signed_in.note_rights_tried()
        else:
            _remember_in_all_spaces(user)
            db.session.commit()
            signed_in.note_rights_read()
            return Rights.CURRENT
    return Rights.OLD if signed_in.rights_age < RIGHTS_HOLD_AWAY else Rights.UNKNOWN


@all_spaces("rights of a person who is forgotten")
def forget_in_all_spaces(admin: Admin) -> None:
    """Forget a person who signed in: e-mail, language, sessions, rights. Commits.

    The id that Cobot gave them stays: it says who decided something in a space's history.
    """
    for model in (LoginSession, SpaceAdmin, LostRight):
        db.session.execute(delete(model).where(model.admin_id == admin.id))
    admin.email = ""
    admin.locale = None
    db.session.commit()


def admin_of_session() -> Admin | None:
    """Return who is signed in, None for nobody."""
    return as_type(ServerSession, session).admin


@all_spaces("rights as Cobot says")
def _remember_in_all_spaces(user: CobotUser) -> Admin:
    # In one statement, which holds the row: somebody may sign in for the first time in two windows
    # at once. Spaces in one order, so that two persons do not wait for each other.
    db.session.execute(
        insert_or_update(
            Admin,
            {"cobot_user_id": user.id, "email": user.email},
            unique=("cobot_user_id",),
            change={"email": user.email},
        )
    )
    admin = db.session.scalars(
        select(Admin)
        .where(Admin.cobot_user_id == user.id)
        .execution_options(populate_existing=True)
    ).one()
    spaces = sorted(user.spaces, key=lambda found: found.id)
    space_ids = [_remember_space(found) for found in spaces]
    lost = db.session.scalars(
        delete(SpaceAdmin)
        .where(SpaceAdmin.admin_id == admin.id, SpaceAdmin.space_id.not_in(space_ids))
        .returning(SpaceAdmin.space_id)
    ).all()
    _remember_lost(admin, lost, space_ids)
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


def _remember_lost(admin: Admin, lost: Sequence[int], held: Sequence[int]) -> None:
    """Keep which rights have just gone, and forget those that came back or went long ago."""
    db.session.execute(
        delete(LostRight).where(
            LostRight.admin_id == admin.id,
            or_(LostRight.space_id.in_(held), LostRight.at < utcnow() - LOST_SAID_FOR),
        )
    )
    db.session.add_all(LostRight(space_id=space_id, admin_id=admin.id) for space_id in lost)
    db.session.flush()


def _remember_space(found: CobotSpace) -> int:
    # The id is what counts: a subdomain may have moved on from a space that gave it up.
    db.session.execute(
        update(Space)
        .where(Space.subdomain == found.subdomain, Space.cobot_id != found.id)
        .values(subdomain=literal("gone-") + cast(Space.id, String))
    )
    known = select(Space).where(Space.cobot_id == found.id)
    space = db.session.scalar(known)
    if space is None:
        # Another admin of the space may see it for the first time at this very moment. PostgreSQL
        # may notice that by the subdomain before the id, so neither may be an error.
        values = {"cobot_id": found.id, "subdomain": found.subdomain, "name": found.name}
        db.session.execute(insert_or_update(Space, values, unique=(), change={}))
        space = db.session.scalars(known).one()
    space.subdomain = found.subdomain
    space.name = found.name
    space.locale = "en" if (found.locale or "de").lower().startswith("en") else "de"
    db.session.flush()
    return space.id
