"""Cobot's webhooks arrive here. No session, no CSRF token: the secret in the address is the key."""

from __future__ import annotations

import sys

from flask import Blueprint, Response, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from portal.cobot.webhooks import EVENTS
from portal.core import core
from portal.services import webhooks
from portal.views.access import public
from portal.views.protection import csrf, sender

GUESSES = RateLimitItemPerMinute(60)
"""So many unknown secrets from one address are looked up with all care."""

bp = Blueprint("webhooks", __name__)
csrf.exempt(bp)
guesses = MemoryStorage()
"""Counted in this process: guessing must cost neither the queue nor the database."""
_window = FixedWindowRateLimiter(guesses)


@bp.post("/hooks/cobot/<secret>/<event>")
@public
def receive(secret: str, event: str) -> Response:
    """Keep the message; the empty answer's status tells Cobot whether to send it again.

    Known secrets are never limited, whatever else comes from the same address: Cobot's monthly run
    is one burst, and ten refusals switch a subscription off.
    """
    status = _receive(secret, event)
    named = event if event in EVENTS else "other"
    core().counters.add("portal_hooks", named, str(status))
    return Response(status=status)


def _receive(secret: str, event: str) -> int:
    address = sender()
    if not _window.test(GUESSES, address):
        status = webhooks.look_up(secret)
        if status is not None:
            return status
    # One byte more than allowed is enough to see that it is too long.
    request.max_content_length = sys.maxsize
    body = request.stream.read(webhooks.LONGEST_BODY + 1)
    status = webhooks.receive(secret, event, body=body, content_type=request.content_type)
    if status == 404:
        _window.hit(GUESSES, address)
    return status
