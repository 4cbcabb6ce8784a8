"""What Cobot's webhooks may name. Pure: no request is made here.

A hook is unsigned and holds nothing but an address, so only the id is taken from it, and only when
the address is this space's own. Source: https://dev.cobot.me/api-docs/webhooks-api
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from portal.errors import BadHook
from portal.outbound import Origin, origin

EVENTS = (
    "confirmed_membership",
    "created_invoice",
    "updated_invoice",
    "deleted_invoice",
    "wrote_off_invoice",
    "requested_e_invoice",
)
"""What we subscribe to when a space is connected."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLAIN = re.compile(r"[!-~]{1,2000}")


def remote_id(url: str, event: str, *, space_url: str, subdomain: str) -> str:
    """Return the id of the membership or invoice that a hook names.

    `space_url` is the setting's template with {subdomain}. Scheme, host and port must be this
    space's, the path exactly the one of the event, with no user, query or fragment. Raises BadHook
    with a reason: unknown_event, not_an_address, other_host, other_path, wrong_id.
    """
    if event not in EVENTS:
        raise BadHook("unknown_event")
    # urlsplit silently drops tabs and line ends, and browsers read a backslash as a slash.
    if not isinstance(url, str) or not _PLAIN.fullmatch(url) or "\\" in url:
        raise BadHook("not_an_address")
    own_origin, own_path = _own(space_url, subdomain)
    try:
        named = urlsplit(url)
        names_origin = origin(named)
    except ValueError:
        raise BadHook("not_an_address") from None
    if names_origin != own_origin or "@" in named.netloc:
        raise BadHook("other_host")
    if any(mark in url for mark in "?#%;"):
        raise BadHook("other_path")
    kind = "memberships" if event.endswith("_membership") else "invoices"
    folder = f"{own_path}/api/{kind}/"
    if not named.path.startswith(folder):
        raise BadHook("other_path")
    found = named.path.removeprefix(folder)
    if not _ID.fullmatch(found):
        raise BadHook("wrong_id")
    return found


@lru_cache(maxsize=1000)
def _own(space_url: str, subdomain: str) -> tuple[Origin, str]:
    """Return the origin of a space's addresses, and the path that they begin with."""
    own = urlsplit(space_url.format(subdomain=subdomain))
    return origin(own), own.path.rstrip("/")
