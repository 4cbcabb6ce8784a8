"""Where we may call at all: the hosts that the settings name, and no other.

Pure: no request is made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

SUBDOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
"""One label of a host name: what may stand for {subdomain}."""
PLACE = "{subdomain}"
_PORTS = {"https": 443, "http": 80}

Origin = tuple[str, str, int | None]


def origin(parts: SplitResult) -> Origin:
    """Return scheme, host (lower case) and port, the scheme's own where none is written."""
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, (parts.hostname or "").lower(), port


class AllowedHosts:
    """The hosts of some base addresses; {subdomain} in one stands for a single label."""

    def __init__(self, base_urls: Iterable[str]) -> None:
        self._allowed = [_with_pattern(url) for url in base_urls]

    def allows(self, url: str) -> bool:
        """Say whether scheme, host and port of the address are those of one base address."""
        try:
            parts = urlsplit(url)
            scheme, host, port = origin(parts)
        except ValueError:
            return False
        return "@" not in parts.netloc and any(
            (scheme, port) == (allowed, allowed_port) and pattern.fullmatch(host)
            for allowed, pattern, allowed_port in self._allowed
        )


def _with_pattern(base_url: str) -> tuple[str, re.Pattern[str], int | None]:
    scheme, host, port = origin(urlsplit(base_url))
    pattern = re.escape(host).replace(re.escape(PLACE), SUBDOMAIN.pattern)
    return scheme, re.compile(pattern), port
