"""The Flask app with all routes of both sides and of the control."""

import json

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from tests.simulator.cobot.access import Access
from tests.simulator.cobot.api2 import api2_blueprint
from tests.simulator.cobot.control import cobot_control_blueprint
from tests.simulator.cobot.space_api import space_blueprint
from tests.simulator.cobot.www import www_blueprint
from tests.simulator.control import control_blueprint
from tests.simulator.errors import WorldError
from tests.simulator.gateway import BASES, error_body
from tests.simulator.sevdesk import sevdesk_blueprint, sevdesk_control_blueprint
from tests.simulator.sevdesk.side import SevdeskSide
from tests.simulator.simulator import Simulator

SEVDESK_BASE = "/sevdesk/api/v1"


def create_app(simulator: Simulator) -> Flask:
    """Return the app; the gateway calls it with the lock held."""
    app = Flask("simulator", static_folder=None)
    app.json.ensure_ascii = True  # type: ignore[attr-defined]  # Flask's default provider has it
    access = Access(lambda: simulator.world.cobot, simulator.limits)

    def sevdesk_side() -> SevdeskSide:
        return simulator.world.sevdesk

    @app.before_request
    def prepare() -> Response | None:
        g.search_lag_seconds = request.environ.get("simulator.search_lag_seconds", 0.0)
        if request.path.startswith(f"{SEVDESK_BASE}/"):
            return _sevdesk_limit(simulator)
        return None

    app.register_blueprint(www_blueprint(simulator, access), url_prefix="/cobot")
    app.register_blueprint(space_blueprint(simulator, access), url_prefix="/cobot-space")
    app.register_blueprint(api2_blueprint(simulator, access), url_prefix="/cobot-api")
    app.register_blueprint(sevdesk_blueprint(sevdesk_side), url_prefix=SEVDESK_BASE)
    app.register_blueprint(sevdesk_control_blueprint(sevdesk_side), url_prefix="/_control/sevdesk")
    app.register_blueprint(cobot_control_blueprint(simulator), url_prefix="/_control/cobot")
    app.register_blueprint(control_blueprint(simulator), url_prefix="/_control")
    app.register_error_handler(WorldError, _wrong_world)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crash)
    return app


def _sevdesk_limit(simulator: Simulator) -> Response | None:
    token = request.headers.get("Authorization", "").strip()
    wait = simulator.limits.sevdesk_wait_seconds(token)
    if not wait:
        return None
    response = _error("sevdesk", 429, "Too many requests")
    response.headers["Retry-After"] = str(wait)
    return response


def _wrong_world(error: WorldError) -> Response:
    return _error("control", 400, str(error))


def _http_error(error: HTTPException) -> Response:
    """Answer an unknown address or method as the side it was sent to would."""
    side = next((name for base, name in BASES if request.path.startswith(f"{base}/")), "control")
    return _error(side, error.code or 500, error.name)


def _crash(error: Exception) -> Response:
    """Say which exception a handler ran into: a fault of the simulator itself."""
    side = next((name for base, name in BASES if request.path.startswith(f"{base}/")), "control")
    return _error(side, 500, f"simulator: {type(error).__name__}: {error}")


def _error(side: str, status: int, message: str) -> Response:
    content_type, body = error_body(side, status, message)
    if side == "control":
        body = {"error": message}
    return Response(json.dumps(body), status, content_type=content_type)
