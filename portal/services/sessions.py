"""Browser sessions on the server: the cookie holds a random id, the row the sealed content."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from sqlalchemy import delete, select
from werkzeug.datastructures import CallbackDict

from portal.core import core
from portal.crypto import SealBroken, digest
from portal.database import begin_writing, db, reading_only, utcnow
from portal.models import Admin, LoginSession

LIFE = timedelta(hours=24)
"""Longest life of a session, however busy."""
IDLE = timedelta(hours=8)
"""Longest time without a visit."""
TOUCH_EVERY = timedelta(minutes=5)
"""A visit moves the end of an idle session only so often: reading stays reading."""


class ServerSession(CallbackDict[str, Any], SessionMixin):
    """Flask's session; what it holds never reaches the browser."""

    def __init__(
        self,
        content: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        row: LoginSession | None = None,
        cobot_token: str | None = None,
    ) -> None:
        def changed(session: CallbackDict[str, Any]) -> None:
            self.modified = True

        super().__init__(content, changed)
        self.modified = False
        self.accessed = True
        self.new = row is None
        self.key = key
        self.row_id = row.id if row else None
        self.admin_id = row.admin_id if row else None
        self.expires_at = row.expires_at if row else None
        self.created_at = row.created_at if row else None
        self.cobot_token = cobot_token
        self.is_ended = False

    def start(self, admin: Admin, cobot_token: str) -> None:
        """Sign a person in: a new id, so that one planted before the sign-in is worth nothing."""
        self.key = None
        self.admin_id = admin.id
        self.cobot_token = cobot_token
        self.created_at = None
        self.modified = True

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
        row = _find(key) if key else None
        if key is None or row is None or row.expires_at < utcnow():
            return ServerSession()
        try:
            content = json.loads(core().sealer.open(row.sealed_content, context=_context(key)))
            token = (
                core().sealer.open(row.sealed_cobot_token, context=_context(key) + "|cobot_token")
                if row.sealed_cobot_token
                else None
            )
        except SealBroken:
            return ServerSession()
        return ServerSession(content, key=key, row=row, cobot_token=token)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, ServerSession)
        name = self.get_cookie_name(app)
        response.vary.add("Cookie")
        if session.is_ended:
            _delete(session.row_id)
            response.delete_cookie(name, secure=self.get_cookie_secure(app), samesite="Lax")
            return
        if not session.modified and not _wants_touch(session):
            return
        if session.new and not session and session.admin_id is None:
            return
        key = session.key or secrets.token_urlsafe(32)
        _store(session, key)
        response.set_cookie(
            name,
            key,
            httponly=True,
            secure=self.get_cookie_secure(app),
            samesite="Lax",
            path="/",
        )


def end_expired_sessions() -> int:
    """Delete sessions past their end, the people's tokens with them. Return how many."""
    gone = db.session.execute(delete(LoginSession).where(LoginSession.expires_at < utcnow()))
    db.session.commit()
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _find(key: str) -> LoginSession | None:
    with reading_only():
        row = db.session.scalar(select(LoginSession).where(LoginSession.id_digest == digest(key)))
        db.session.commit()  # the request begins its own transaction, as reader or as writer
        return row


def _context(key: str) -> str:
    return f"session|{digest(key)}"


def _wants_touch(session: ServerSession) -> bool:
    if session.expires_at is None or session.admin_id is None:
        return False
    return session.expires_at - utcnow() < IDLE - TOUCH_EVERY


def _delete(row_id: int | None) -> None:
    if row_id is None:
        return
    _write_afresh()
    db.session.execute(delete(LoginSession).where(LoginSession.id == row_id))
    db.session.commit()


def _store(session: ServerSession, key: str) -> None:
    _write_afresh()
    row = db.session.get(LoginSession, session.row_id) if session.row_id else None
    if row is None:
        row = LoginSession(created_at=utcnow())
        db.session.add(row)
    elif session.key is None:
        row.created_at = utcnow()
    row.id_digest = digest(key)
    row.admin_id = session.admin_id
    row.sealed_content = core().sealer.seal(json.dumps(dict(session)), context=_context(key))
    row.sealed_cobot_token = (
        core().sealer.seal(session.cobot_token, context=_context(key) + "|cobot_token")
        if session.cobot_token
        else None
    )
    row.expires_at = min(utcnow() + IDLE, row.created_at + LIFE)
    db.session.commit()


def _write_afresh() -> None:
    """Leave the request's reading transaction: SQLite writers must begin as such."""
    db.session.rollback()
    begin_writing()
