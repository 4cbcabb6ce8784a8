"""The log of every call on the four sides and of every webhook; never a token in it."""

import hashlib
import re
import threading
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, urlencode

from tests.simulator.checks import Json

KEPT = 300_000
SECRET_PARAMETERS = frozenset({"token", "access_token", "client_secret", "code", "code_verifier"})
TOKEN_IN_PATH = re.compile(r"(/access_tokens/)[^/]+")


@dataclass
class Call:
    """One call; `status` is 0 when no answer was sent, `at` is in Unix seconds."""

    at: float
    side: str
    method: str
    path: str
    query: str
    status: int
    ms: float
    bytes: int
    caller: str | None
    space: str | None
    fault: str | None


class CallLog:
    """Calls in order, numbered from 1 for the life of the process; very old ones are dropped."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._dropped = 0
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        """Write one call down, without any secret."""
        call.path = TOKEN_IN_PATH.sub(r"\1-", call.path)
        call.query = without_secrets(call.query)
        call.at = round(call.at, 3)
        call.ms = round(call.ms, 3)
        with self._lock:
            self._calls.append(call)
            if len(self._calls) > KEPT:
                half = KEPT // 2
                del self._calls[:half]
                self._dropped += half

    def after(self, number: int) -> Json:
        """Return the calls after this number, and the number of the last one."""
        with self._lock:
            start = max(0, number - self._dropped)
            found = self._calls[start:]
            last = self._dropped + len(self._calls)
        first = self._dropped + start + 1
        return {
            "last": last,
            "calls": [{"n": first + i, **asdict(call)} for i, call in enumerate(found)],
        }


def caller_mark(token: str | None) -> str | None:
    """Return what stands for a token in the log: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()[:12] if token else None


def without_secrets(query: str) -> str:
    """Return the query with the values of secret parameters replaced by a dash."""
    if not any(name in query for name in SECRET_PARAMETERS):
        return query
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(key, "-" if key in SECRET_PARAMETERS else value) for key, value in pairs])
