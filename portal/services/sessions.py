"""Browser sessions on the server: the cookie holds a random id, the row the sealed content."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from sqlalchemy import Row, bindparam, delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import CallbackDict

from portal.core import core
from portal.crypto import SealBroken, digest
from portal.database import begin_reading, begin_writing, db, reading_only, utcnow
from portal.models import Admin, LoginSession

log = structlog.get_logger(__name__)

LIFE = timedelta(hours=24)
"""Longest life of a session, however busy."""
IDLE = timedelta(hours=8)
"""Longest time without a visit."""
TOUCH_EVERY = timedelta(minutes=5)
"""A visit moves the end of an idle session only so often: reading stays reading."""
RIGHTS_TRY_EVERY = timedelta(minutes=1)
"""While Cobot is away it is asked for the rights only so often."""
RIGHTS_TRIED = "rights_tried_at"


class ServerSession(CallbackDict[str, Any], SessionMixin):
    """Flask's session; what it holds never reaches the browser.

    `is_unreadable` says that the database is away: who asks cannot be known now, and nothing of
    this session is stored.
    """

    def __init__(
        self,
        content: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        row: LoginSession | None = None,
        admin: Admin | None = None,
        cobot_token: str | None = None,
        is_unreadable: bool = False,
    ) -> None:
        def changed(session: CallbackDict[str, Any]) -> None:
            self.modified = True

        super().__init__(content, changed)
        self.modified = False
        self.accessed = True
        self.new = row is None
        self.key = key
        self.row_id = row.id if row else None
        self.id_digest = row.id_digest if row else None
        self.admin_id = row.admin_id if row else None
        self.admin = admin
        self.expires_at = row.expires_at if row else None
        self.created_at = row.created_at if row else None
        self.rights_read_at = row.rights_read_at if row else None
        self.cobot_token = cobot_token
        self.is_unreadable = is_unreadable
        self.rights_were_read = False
        self.is_ended = False
        self.is_visit = True
        """False where the page itself asks: that does not keep an idle session alive."""

    def start(self, admin: Admin, cobot_token: str) -> None:
        """Sign a person in whose rights have just been read.

        The id is new and the content empty: what was planted before the sign-in is worth nothing.
        """
        self.clear()
        self.key = None
        self.admin_id = admin.id
        self.admin = admin
        self.cobot_token = cobot_token
        self.rights_read_at = utcnow()
        self.modified = True

    @property
    def rights_age(self) -> timedelta:
        """How long ago the person's rights were read from Cobot."""
        return utcnow() - (self.rights_read_at or datetime.min.replace(tzinfo=UTC))

    def note_rights_read(self) -> None:
        """Keep that the rights have just been read; they hold for an hour from now on."""
        self.rights_read_at = utcnow()
        self.rights_were_read = True
        self.modified = True
        self.pop(RIGHTS_TRIED, None)

    @property
    def may_try_rights(self) -> bool:
        """True unless Cobot was asked in vain a moment ago."""
        tried = self.get(RIGHTS_TRIED)
        return tried is None or utcnow() - datetime.fromisoformat(tried) >= RIGHTS_TRY_EVERY

    def note_rights_tried(self) -> None:
        """Keep that Cobot was asked in vain, so that not every page waits for it."""
        self[RIGHTS_TRIED] = utcnow().isoformat()

    def end(self) -> None:
        """Sign out: the row goes away, the cookie with it."""
        self.clear()
        self.is_ended = True


class DatabaseSessions(SessionInterface):
    """Keeps sessions in the table `session`; a session without content leaves no row."""

    session_class = ServerSession

    def get_cookie_name(self, app: Flask) -> str:
        return "__Host-session" if core().config.is_https else "session"

    def get_cookie_secure(self, app: Flask) -> bool:
        return core().config.is_https

    def get_cookie_samesite(self, app: Flask) -> str:
        return "Lax"

    def open_session(self, app: Flask, request: Request) -> ServerSession:
        key = request.cookies.get(self.get_cookie_name(app))
        try:
            found = _find(key) if key else None
        except SQLAlchemyError as err:
            db.session.rollback()
            log.error("session not read, the database is away", error=type(err).__name__)
            return ServerSession(is_unreadable=True)
        if key is None or found is None:
            return ServerSession()
        row, admin = found
        if row.expires_at < utcnow():
            _forget(row)
            return ServerSession()
        try:
            content = json.loads(
                core().sealer.open(row.sealed_content, context=content_context(row.id_digest))
            )
            token = (
                core().sealer.open(row.sealed_cobot_token, context=token_context(row.id_digest))
                if row.sealed_cobot_token
                else None
            )
        except SealBroken:
            return ServerSession()
        return ServerSession(content, key=key, row=row, admin=admin, cobot_token=token)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, ServerSession)
        name = self.get_cookie_name(app)
        response.vary.add("Cookie")
        if session.is_unreadable:
            return
        if session.is_ended:
            _delete(session)
            response.delete_cookie(name, secure=self.get_cookie_secure(app), samesite="Lax")
            return
        if session.key is not None:
            if session.modified or _wants_touch(session):
                try:
                    _change(session, session.key)
                except SQLAlchemyError as err:
                    if session.modified and response.status_code < 500:
                        raise
                    # The page says already what is wrong, or only the end of the session stays.
                    db.session.rollback()
                    log.warning("session not stored", error=type(err).__name__)
            return
        if not session.modified or (not session and session.admin_id is None):
            return
        key = secrets.token_urlsafe(32)
        _add(session, key)
        response.set_cookie(
            name,
            key,
            httponly=True,
            secure=self.get_cookie_secure(app),
            samesite="Lax",
            path="/",
        )


def sessions_of(admin_id: int) -> Sequence[LoginSession]:
    """Return where this person is signed in, the latest sign-in first."""
    return db.session.scalars(
        select(LoginSession)
        .where(LoginSession.admin_id == admin_id, LoginSession.expires_at >= utcnow())
        .order_by(LoginSession.id.desc())
    ).all()


def end_sessions_of(admin_id: int) -> int:
    """End every session of a person, their tokens with them; return how many. Commits."""
    gone = db.session.execute(delete(LoginSession).where(LoginSession.admin_id == admin_id))
    db.session.commit()
    return int(gone.rowcount)  # type: ignore[attr-defined]


def end_expired_sessions() -> int:
    """Delete sessions past their end, the people's tokens with them. Return how many."""
    gone = db.session.execute(delete(LoginSession).where(LoginSession.expires_at < utcnow()))
    db.session.commit()
    return int(gone.rowcount)  # type: ignore[attr-defined]


_OF_COOKIE = (
    select(LoginSession, Admin)
    .outerjoin(Admin, Admin.id == LoginSession.admin_id)
    .where(LoginSession.id_digest == bindparam("digest"))
)
"""Made once: most of the time of a short statement goes into making it."""


def _find(key: str) -> Row[LoginSession, Admin | None] | None:
    """Return a session with its person, read in the request's own transaction: what writes begins
    another one first."""
    with reading_only():
        return db.session.execute(_OF_COOKIE, {"digest": digest(key)}).one_or_none()


def content_context(id_digest: str) -> str:
    """Return what a session's content is bound to: in another session's row it does not open."""
    return f"session|{id_digest}"


def token_context(id_digest: str) -> str:
    """Return what the person's token in a session's row is bound to."""
    return f"session|{id_digest}|cobot_token"


def _forget(row: LoginSession) -> None:
    """Delete a session past its end, the person's token with it; upkeep does it if this fails."""
    try:
        _write_afresh()
        db.session.execute(delete(LoginSession).where(LoginSession.id == row.id))
        db.session.commit()
    except SQLAlchemyError as err:
        db.session.rollback()
        log.warning("expired session not deleted yet", error=type(err).__name__)
    finally:
        begin_reading()


def _wants_touch(session: ServerSession) -> bool:
    if session.expires_at is None or session.admin_id is None or not session.is_visit:
        return False
    return session.expires_at - utcnow() < IDLE - TOUCH_EVERY


def _own_row(session: ServerSession) -> Any:
    """Return the condition for the row this session was read from, while it has the same id.

    Another answer may have ended the session or signed a person in meanwhile; then no row fits.
    """
    return (LoginSession.id == session.row_id) & (LoginSession.id_digest == session.id_digest)


def _delete(session: ServerSession) -> None:
    if session.row_id is None:
        return
    _write_afresh()
    db.session.execute(delete(LoginSession).where(_own_row(session)))
    db.session.commit()


def _add(session: ServerSession, key: str) -> None:
    """Store a session under a new id; the row it had before the sign-in goes away."""
    now = utcnow()
    _write_afresh()
    if session.row_id is not None:
        db.session.execute(delete(LoginSession).where(_own_row(session)))
    db.session.add(
        LoginSession(
            id_digest=digest(key),
            admin_id=session.admin_id,
            rights_read_at=session.rights_read_at,
            sealed_content=_sealed_content(session, key),
            sealed_cobot_token=(
                core().sealer.seal(session.cobot_token, context=token_context(digest(key)))
                if session.cobot_token
                else None
            ),
            created_at=now,
            expires_at=now + IDLE,
        )
    )
    db.session.commit()


def _change(session: ServerSession, key: str) -> None:
    """Store what this answer changed of a session that still is; else nothing."""
    assert session.created_at is not None
    values: dict[str, Any] = {}
    if session.is_visit:
        values["expires_at"] = min(utcnow() + IDLE, session.created_at + LIFE)
    if session.modified:
        values["sealed_content"] = _sealed_content(session, key)
    if session.rights_were_read:
        values["rights_read_at"] = session.rights_read_at
    _write_afresh()
    db.session.execute(update(LoginSession).where(_own_row(session)).values(values))
    db.session.commit()


def _sealed_content(session: ServerSession, key: str) -> bytes:
    return core().sealer.seal(json.dumps(dict(session)), context=content_context(digest(key)))


def _write_afresh() -> None:
    """Leave the request's reading transaction: SQLite writers must begin as such."""
    db.session.rollback()
    begin_writing()
