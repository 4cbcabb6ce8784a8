"""What Cobot's webhooks may name. Pure: no request is made here.

A hook is unsigned and holds nothing but an address, so only the id is taken from it, and only when
the address is this space's own. Source: https://dev.cobot.me/api-docs/webhooks-api
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

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

LONGEST_BODY = 64 * 1024
"""Bytes; a longer body is no hook, and no more of it is read than shows that."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLAIN = re.compile(r"[!-~]{1,2000}")


def address(body: bytes, content_type: str | None) -> str:
    """Return the address in a hook's body. Raises BadHook.

    Cobot sends JSON; a form is taken too, as other add-ons of its platform see one.
    """
    if len(body) > LONGEST_BODY:
        raise BadHook("body_too_long")
    kind = (content_type or "").partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            url = parse_qs(body.decode("ascii"), max_num_fields=100).get("url", [None])[0]
        else:
            content = json.loads(body.decode())
            url = content.get("url") if isinstance(content, dict) else None
    except (ValueError, RecursionError) as err:
        raise BadHook("not_readable") from err
    if not isinstance(url, str) or not url:
        raise BadHook("no_address")
    return url


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
