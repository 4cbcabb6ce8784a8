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
    """Answer 200 when requests can be answered, else 503; either way say what is there.

    Without the queue they can: hooks are kept in the database, and upkeep wakes the workers.
    """
    parts = readiness()
    needed = {name: there for name, there in parts.items() if name != "queue"}
    return parts, 200 if all(needed.values()) else 503
