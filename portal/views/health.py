"""Whether the process lives, whether it can work, and the figures that Prometheus reads."""

from __future__ import annotations

import hmac

import structlog
from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from portal.core import core
from portal.services import health, metrics
from portal.views.access import public

bp = Blueprint("health", __name__)

log = structlog.get_logger(__name__)


@bp.get("/healthz")
@public
def alive() -> ResponseReturnValue:
    return {"alive": True}


@bp.get("/readyz")
@public
def ready() -> ResponseReturnValue:
    """Answer 200 when requests can be answered, else 503; either way say what is there."""
    parts = health.readiness()
    return parts, 200 if all(parts[name] for name in health.NEEDED) else 503


@bp.get("/metrics")
@public
def figures() -> ResponseReturnValue:
    """Give the figures to who has the token; without one in the settings the page is not there."""
    token = core().config.metrics_token
    if token is None:
        abort(404)
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    wanted = token.get_secret_value().encode()
    if kind.lower() != "bearer" or not hmac.compare_digest(given.encode(), wanted):
        log.warning("figures refused", why="wrong token")
        return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)
