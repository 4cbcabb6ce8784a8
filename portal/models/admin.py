"""Who may enter: people, the spaces they administer, their sign-ins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, Id, Moment, utcnow


class Admin(Base):
    """A person who signed in with Cobot; known by Cobot's user id, since an e-mail may change."""

    __tablename__ = "admin"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    cobot_user_id: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(320))
    locale: Mapped[str | None] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    signed_in_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)


class SpaceAdmin(Base):
    """That a person administers a space, as Cobot said when the rights were last read."""

    __tablename__ = "space_admin"
    __table_args__ = (UniqueConstraint("space_id", "admin_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    admin_id: Mapped[int] = mapped_column(ForeignKey("admin.id", ondelete="CASCADE"), index=True)


class LostRight(Base):
    """That a person administered a space until Cobot no longer said so. Opens nothing: for a while
    the list of spaces says with it why one is missing."""

    __tablename__ = "lost_right"
    __table_args__ = (UniqueConstraint("space_id", "admin_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    admin_id: Mapped[int] = mapped_column(ForeignKey("admin.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Moment, default=utcnow)


class LoginSession(Base):
    """A browser session. The cookie holds a random id; here stands only its digest."""

    __tablename__ = "session"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    id_digest: Mapped[str] = mapped_column(String(64), unique=True)
    sealed_content: Mapped[bytes] = mapped_column(LargeBinary)
    admin_id: Mapped[int | None] = mapped_column(
        ForeignKey("admin.id", ondelete="CASCADE"), index=True
    )
    sealed_cobot_token: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The person's own Cobot token: kept for this session alone, to read rights and to connect."""
    rights_read_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
