"""Whether the process lives, and whether it can work."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from portal.services.health import readiness
from portal.views.access import public

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def alive() -> ResponseReturnValue:
    return {"alive": True}


@bp.get("/readyz")
@public
def ready() -> ResponseReturnValue:
    """Answer 200 when everything that a request needs is there, else 503; either way say what."""
    parts = readiness()
    return parts, 200 if all(parts.values()) else 503
