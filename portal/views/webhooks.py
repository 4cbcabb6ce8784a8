"""Cobot's webhooks arrive here. No session, no CSRF token: the secret in the address is the key."""

from __future__ import annotations

import sys

from flask import Blueprint, Response, request

from portal.services import webhooks
from portal.views.access import public
from portal.views.protection import csrf

bp = Blueprint("webhooks", __name__)
csrf.exempt(bp)


@bp.post("/hooks/cobot/<secret>/<event>")
@public
def receive(secret: str, event: str) -> Response:
    """Keep the message; the empty answer's status tells Cobot whether to send it again."""
    # One byte more than allowed is enough to see that it is too long.
    request.max_content_length = sys.maxsize
    body = request.stream.read(webhooks.LONGEST_BODY + 1)
    status = webhooks.receive(secret, event, body=body, content_type=request.content_type)
    return Response(status=status)
