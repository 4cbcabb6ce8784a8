"""One request and what came of it, before anyone judges it; and what a refusal says.

Failures are values here: the exceptions of requests and urllib3 hold the whole address, which may
hold a token, so none of them leaves this module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    SSLError,
)

from portal.answers import parse_json, text_or_none
from portal.connections import Sessions, Watch, watching
from portal.masking import without_secrets

Files = Mapping[str, tuple[str, bytes, str]]
"""Field -> file name, bytes and media type."""

LONGEST_REFUSAL = 65_536
"""Bytes read of an answer that is only a message."""

LONGEST_MESSAGE = 500
LONGEST_WAIT_SECONDS = 86_400.0

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
    sessions: Sessions,
    base_url: str,
    token: str,
    request: requests.Request | requests.PreparedRequest,
    limit: int,
    before_repeat: Callable[[], None] | None = None,
) -> Answer | NoAnswer:
    """Send the request (a GET perhaps again, all else once) and read at most `limit` bytes."""
    session = sessions.session(base_url, token)
    with watching(sessions.watch(before_repeat)) as watch:
        try:
            if isinstance(request, requests.Request):
                request = session.prepare_request(request)
            response = session.send(
                request,
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


def retry_after_seconds(value: str | None) -> float | None:
    """Return how long a Retry-After header asks to wait (a number of seconds or an HTTP date).

    None where it is missing or unreadable; never negative, never longer than a day.
    Source: RFC 9110, section 10.2.3.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    wait = (at - datetime.fromtimestamp(time.time(), UTC)).total_seconds()
    return min(max(wait, 0.0), LONGEST_WAIT_SECONDS)


def one_line(message: str, hidden: Sequence[str] = ()) -> str:
    """Return the message as one printable line without the hidden texts, cut at 500 characters.

    E-mail addresses and IBANs are masked as well: the line is kept in the history.
    """
    printable = "".join(c if c.isprintable() else " " for c in message)
    # Once before the blanks are folded, since a secret may hold some, and once after.
    folded = " ".join(without_secrets(printable, hidden).split())
    return without_secrets(folded)[:LONGEST_MESSAGE]


def what_it_says(body: bytes) -> tuple[str, str | None, str | None]:
    """Return message, code and request id of a refusal; a body that is not JSON says nothing.

    Shapes: sevdesk `{"error": {"message", "code", "exceptionUUID"}}`; Cobot API 2
    `{"errors": [{"source": {"pointer"}, "detail"}]}`; Cobot API 1 `{"errors": {field: text}}`.
    """
    try:
        said = parse_json(body)
    except ValueError:
        return "", None, None
    if not isinstance(said, dict):
        return "", None, None
    inner = said.get("error")
    error = inner if isinstance(inner, dict) else said
    message = text_or_none(error.get("message")) or text_or_none(inner)
    found = message or _listed(said.get("errors")) or ""
    first = said["errors"][0] if isinstance(said.get("errors"), list) and said["errors"] else None
    code = error.get("code", first.get("code") if isinstance(first, dict) else None)
    return found, text_or_none(code), text_or_none(error.get("exceptionUUID"))


def _listed(errors: Any) -> str:
    if isinstance(errors, dict):
        return "; ".join(f"{field}: {_flat(problem)}" for field, problem in errors.items())
    if not isinstance(errors, list):
        return text_or_none(errors) or ""
    parts = []
    for error in errors:
        if not isinstance(error, dict):
            parts.append(_flat(error))
            continue
        source = error.get("source")
        pointer = text_or_none(source.get("pointer")) if isinstance(source, dict) else None
        detail = text_or_none(error.get("detail")) or text_or_none(error.get("title")) or ""
        parts.append(f"{pointer}: {detail}" if pointer else detail)
    return "; ".join(part for part in parts if part)


def _flat(problem: Any) -> str:
    if isinstance(problem, list):
        return ", ".join(text_or_none(part) or "" for part in problem)
    return text_or_none(problem) or ""
