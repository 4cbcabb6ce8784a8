"""A space's secrets, sealed: each opens only in its own space and field."""

from __future__ import annotations

from typing import Literal

from portal.core import core
from portal.crypto import SealBroken, digest
from portal.models import Space

Field = Literal["cobot_token", "sevdesk_token", "hook_secret"]


def put(space: Space, field: Field, secret: str | None) -> None:
    """Seal a secret into the space's row, or take it away with None. The caller commits."""
    sealed = (
        None
        if secret is None
        else core().sealer.seal(secret, context=context_of(space.cobot_id, field))
    )
    setattr(space, f"sealed_{field}", sealed)
    if field == "sevdesk_token":
        space.sevdesk_token_end = secret[-4:] if secret else None
        space.sevdesk_token_key = digest(secret) if secret else None


def get(space: Space, field: Field) -> str | None:
    """Return a secret of the space, None when it has none. Raises SealBroken."""
    sealed: bytes | None = getattr(space, f"sealed_{field}")
    return (
        None
        if sealed is None
        else core().sealer.open(sealed, context=context_of(space.cobot_id, field))
    )


def opens(space: Space, field: Field) -> bool:
    """Say whether a secret can be read: no longer when the key that sealed it was taken away."""
    try:
        get(space, field)
    except SealBroken:
        return False
    return True


def context_of(cobot_id: str, field: Field) -> str:
    """Return what a secret is bound to: elsewhere it does not open."""
    return f"space|{cobot_id}|{field}"
