"""The calls of sevdesk's API, below /sevdesk/api/v1.

Source: sevdesk's published API description (api.sevdesk.de) and, where that is silent or wrong,
what its users report.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, g, jsonify, request

from tests.simulator.sevdesk import calls_basics, calls_contacts, calls_tags, calls_vouchers
from tests.simulator.sevdesk.exchange import ApiError
from tests.simulator.sevdesk.side import SevdeskSide

GetSide = Callable[[], SevdeskSide]


def sevdesk_blueprint(get_side: GetSide) -> Blueprint:
    """Return the API, its paths relative to /sevdesk/api/v1; `get_side` gives the present world's
    side."""
    blueprint = Blueprint("sevdesk", __name__)

    @blueprint.before_request
    def authenticate() -> Response | None:
        """Let in the raw token only: neither "Bearer" before it nor a token in the address."""
        client = get_side().by_token(request.headers.get("Authorization", ""))
        if client is None:
            response = jsonify({"status": 401, "message": "Authentication required"})
            response.status_code = 401
            return response
        g.sevdesk_client = client
        return None

    @blueprint.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        return error.to_response()

    for calls in (calls_basics, calls_contacts, calls_tags, calls_vouchers):
        calls.register(blueprint)

    @blueprint.route("/<path:unknown>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nowhere(unknown: str) -> Response:
        raise ApiError(404, f"There is nothing at {request.method} /{unknown}")

    return blueprint
