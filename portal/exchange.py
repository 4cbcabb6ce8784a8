"""One request and what came of it, before anyone judges it.

Failures are values here: the exceptions of requests and urllib3 hold the whole address, which may
hold a token, so none of them leaves this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    SSLError,
)

from portal.connections import Sessions, Watch, watching

Files = Mapping[str, tuple[str, bytes, str]]
"""Field -> file name, bytes and media type."""

LONGEST_REFUSAL = 65_536
"""Bytes read of an answer that is only a message."""

_CHUNK = 65_536
_NEVER_SENT = (
    NewConnectionError,
    ConnectTimeoutError,
    SSLError,
    requests.ConnectTimeout,
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    flaw: str = ""
    """Why the body is not whole: "too large", or the kind of failure."""


@dataclass(frozen=True)
class NoAnswer:
    reason: str
    was_sent: bool
    """True also where it cannot be told."""


def exchange(
    sessions: Sessions, base_url: str, token: str, request: requests.Request, limit: int
) -> Answer | NoAnswer:
    """Send the request (a GET perhaps again, all else once) and read at most `limit` bytes."""
    session = sessions.session(base_url, token)
    with watching(sessions.watch()) as watch:
        try:
            response = session.send(
                session.prepare_request(request),
                stream=True,
                allow_redirects=False,
                verify=session.verify,
                timeout=(sessions.connect_seconds, sessions.read_seconds),
            )
        except (requests.RequestException, HTTPError) as err:
            return NoAnswer(type(_root(err)).__name__, was_sent=_was_sent(err, watch))
        if not 200 <= response.status_code < 300:
            limit = min(limit, LONGEST_REFUSAL)
        body, flaw = _content(response, limit)
        return Answer(response.status_code, response.headers, body, flaw)


def _content(response: requests.Response, limit: int) -> tuple[bytes, str]:
    """Return the body and why it is not whole; an endless one is cut at the limit."""
    parts = bytearray()
    try:
        for chunk in response.iter_content(_CHUNK):
            parts += chunk
            if len(parts) > limit:
                return b"", "too large"
    except (requests.RequestException, HTTPError, OSError) as err:
        return b"", type(_root(err)).__name__
    finally:
        response.close()
    return bytes(parts), ""


def _root(err: BaseException) -> BaseException:
    """Return what lies behind the wrappers of requests and urllib3."""
    inner = err.reason if isinstance(err, MaxRetryError) else next(iter(err.args), None)
    is_wrapper = isinstance(err, MaxRetryError | requests.RequestException)
    return _root(inner) if is_wrapper and isinstance(inner, BaseException) else err


def _was_sent(err: BaseException, watch: Watch) -> bool:
    """Say whether the request may have reached the other side.

    A connection of ours knows: it notes the first byte it sends. Where none was opened, only the
    failures that come before sending count as not sent.
    """
    if watch.opened:
        return watch.sent
    return not isinstance(err, _NEVER_SENT) and not isinstance(_root(err), _NEVER_SENT)
