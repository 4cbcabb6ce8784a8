"""In the making."""

from __future__ import annotations

from portal.services.tasks import Look


def run(look: Look) -> None:
    """Look at both sides."""
