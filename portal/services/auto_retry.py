"""Whether what failed is tried again by itself once its cause is gone: the space's choice."""

from __future__ import annotations

from portal.core import core
from portal.database import db
from portal.models import Space
from portal.services import record


def allow(space: Space, is_allowed: bool, *, actor: str) -> bool:
    """Save the choice; return whether it was another one before. Commits.

    What can be healed at that moment is tried at once.
    """
    if space.auto_retry == is_allowed:
        db.session.rollback()
        return False
    space.auto_retry = is_allowed
    record.note(space.id, "auto_retry_saved", "done", actor=actor, auto_retry=is_allowed)
    db.session.commit()
    if is_allowed:
        core().queue.heal(space.id)
    return True
