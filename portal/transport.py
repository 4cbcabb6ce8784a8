"""One way to call a remote side: time limits, size limit, and errors by what the caller does next.

Nothing here repeats a write. A path may hold a token, so errors and hooks carry path templates, and
no error keeps the exception of the HTTP library: its text holds the whole address.
"""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import structlog
from requests import Request

from portal.answers import WrongShape, parse_json
from portal.call_hooks import Call, Hooks, kept_of
from portal.connections import Sessions
from portal.errors import (
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PermanentError,
    Rejected,
    RemoteError,
    SpaceSuspended,
    TemporaryError,
    TokenRefused,
    UnusableAnswer,
)
from portal.exchange import (
    LONGEST_REFUSAL,
    Answer,
    Files,
    NoAnswer,
    exchange,
    one_line,
    retry_after_seconds,
    what_it_says,
)

__all__ = ["Sessions", "Transport", "as_is", "ignored", "segment"]

log = structlog.get_logger(__name__)

T = TypeVar("T")
_REFUSALS: dict[int, type[PermanentError]] = {
    401: TokenRefused,
    402: SpaceSuspended,
    403: Forbidden,
    404: NotFound,
    410: NotFound,
}


def segment(value: str) -> str:
    """Return a value as one segment of a path. Raises ValueError where it cannot be one."""
    if value in {"", ".", ".."}:
        raise ValueError("not a path segment")
    return quote(value, safe="")


def as_is(reply: Any) -> Any:
    return reply


def ignored(_: Any) -> None:
    """The shape of an answer of which nothing is needed: any 2xx is success, whatever the body."""


class Transport:
    """Calls to one base address with one token.

    `shape` makes the record from the parsed answer and raises WrongShape where it cannot: then a
    read is an UnusableAnswer and a write an OutcomeUnknown. `hide` names secrets besides the token
    that the remote side might quote in a message.
    """

    def __init__(
        self,
        base_url: str,
        remote: str,
        headers: Mapping[str, str],
        sessions: Sessions,
        hooks: Hooks | None = None,
        token_key: str = "",
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._remote = remote
        self._headers = dict(headers)
        self._sessions = sessions
        self._hooks = hooks or Hooks()
        self._token = token_key

    def __repr__(self) -> str:
        return f"Transport({self._remote} at {self._base_url})"

    def get(
        self,
        path: str,
        *,
        endpoint: str,
        params: Mapping[str, str] | None = None,
        shape: Callable[[Any], T] = as_is,
    ) -> T:
        """Return what stands at this path."""
        body = self.get_bytes(path, endpoint=endpoint, params=params)
        record, flaw = _shaped(body, shape)
        if flaw:
            raise self.unusable(endpoint, flaw)
        return record  # type: ignore[return-value]

    def get_bytes(
        self, path: str, *, endpoint: str, params: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the bytes at this path."""
        call = Call(self._remote, endpoint, "GET")
        answer = self._exchange(call, path, self._sessions.max_bytes, params=params)
        if isinstance(answer, NoAnswer):
            raise self._error(TemporaryError, call, f"no answer ({answer.reason})")
        if answer.status == 429 or answer.status >= 500 or answer.status in {408, 425}:
            raise self._later(call, answer)
        if answer.status >= 400:
            raise self._refusal(call, answer)
        if not 200 <= answer.status < 300:
            raise self._error(UnusableAnswer, call, "a redirect", answer)
        if answer.flaw == "too large":
            raise self._error(UnusableAnswer, call, "the answer is too large", answer)
        if answer.flaw:
            raise self._error(TemporaryError, call, answer.flaw, answer)
        return answer.body

    def post(
        self,
        path: str,
        *,
        endpoint: str,
        json: Any = None,
        files: Files | None = None,
        shape: Callable[[Any], T] = as_is,
        hide: Sequence[str] = (),
    ) -> T:
        """Send a POST once. Raises OutcomeUnknown where the answer does not say what was done."""
        call = Call(self._remote, endpoint, "POST")
        return self._write(call, path, shape, hide, json=json, files=files)

    def put(
        self,
        path: str,
        *,
        endpoint: str,
        json: Any = None,
        shape: Callable[[Any], T] = as_is,
        hide: Sequence[str] = (),
    ) -> T:
        """Send a PUT once, otherwise as `post`."""
        return self._write(Call(self._remote, endpoint, "PUT"), path, shape, hide, json=json)

    def delete(
        self,
        path: str,
        *,
        endpoint: str,
        shape: Callable[[Any], T] = ignored,  # type: ignore[assignment]
        hide: Sequence[str] = (),
    ) -> T:
        """Send a DELETE once, otherwise as `post`; by default any 2xx is success."""
        return self._write(Call(self._remote, endpoint, "DELETE"), path, shape, hide)

    def unusable(self, endpoint: str, message: str) -> UnusableAnswer:
        """Return the error for an answer whose content cannot be used."""
        return UnusableAnswer(message, remote=self._remote, endpoint=endpoint)

    def _write(
        self,
        call: Call,
        path: str,
        shape: Callable[[Any], T],
        hide: Sequence[str],
        json: Any = None,
        files: Files | None = None,
    ) -> T:
        is_needed = shape is not ignored
        limit = self._sessions.max_bytes if is_needed else LONGEST_REFUSAL
        answer = self._exchange(call, path, limit, json=json, files=files)
        if isinstance(answer, NoAnswer):
            kind = OutcomeUnknown if answer.was_sent else TemporaryError
            raise self._error(kind, call, f"no answer ({answer.reason})", hide=hide)
        if answer.status in {408, 425, 429, 503}:
            raise self._later(call, answer, hide)
        if 400 <= answer.status < 500:
            raise self._refusal(call, answer, hide)
        if not 200 <= answer.status < 300:
            raise self._error(OutcomeUnknown, call, "", answer, hide)
        if not is_needed:
            return shape(None)
        record, flaw = (None, answer.flaw) if answer.flaw else _shaped(answer.body, shape)
        if flaw:
            raise self._error(OutcomeUnknown, call, flaw, answer, hide)
        return record  # type: ignore[return-value]

    def _exchange(
        self,
        call: Call,
        path: str,
        limit: int,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        files: Files | None = None,
    ) -> Answer | NoAnswer:
        if not (self._token.isascii() and self._token.isprintable()):
            raise self._error(TokenRefused, call, "the token holds characters that no token has")
        headers = dict(self._headers)
        body = None
        if json is not None:
            body = jsonlib.dumps(json, ensure_ascii=False, allow_nan=False).encode()
            headers.setdefault("Content-Type", "application/json")
        request = Request(
            call.method,
            self._base_url + path,
            params=params,
            headers=headers,
            data=body,
            files=files,
        )
        before = None if self._hooks.before is None else partial(self._hooks.before, call)
        if before is not None:
            before()
        started = time.monotonic()
        answer: Answer | NoAnswer | None = None
        try:
            answer = exchange(self._sessions, self._base_url, self._token, request, limit, before)
        finally:
            status = answer.status if isinstance(answer, Answer) else None
            seconds = time.monotonic() - started
            self._tell(call, self._hooks.after, call, status, seconds)
        if (seen := self._hooks.seen) is not None:
            sent = json if params is None else params
            hidden = (self._token,)
            self._tell(
                call, lambda: seen(kept_of(call, answer, seconds, sent, files, hidden=hidden))
            )
        return answer

    def _tell(self, call: Call, hook: Callable[..., None] | None, *said: Any) -> None:
        if hook is None:
            return
        try:
            hook(*said)
        except Exception:
            # A counter that fails must not hide whether a write happened.
            log.exception("hook after a call failed", remote=call.remote, endpoint=call.endpoint)

    def _later(self, call: Call, answer: Answer, hide: Sequence[str] = ()) -> RemoteError:
        error = self._error(TemporaryError, call, "", answer, hide)
        assert isinstance(error, TemporaryError)
        error.retry_after_seconds = retry_after_seconds(answer.headers.get("Retry-After"))
        return error

    def _refusal(self, call: Call, answer: Answer, hide: Sequence[str] = ()) -> RemoteError:
        return self._error(_REFUSALS.get(answer.status, Rejected), call, "", answer, hide)

    def _error(
        self,
        kind: type[RemoteError],
        call: Call,
        message: str,
        answer: Answer | None = None,
        hide: Sequence[str] = (),
    ) -> RemoteError:
        """Return the error; without a message of ours it carries what the remote side said."""
        code = request_id = None
        if answer is not None:
            said, code, request_id = what_it_says(answer.body)
            request_id = request_id or answer.headers.get("X-Request-Id")
            message = message or said
        hidden = (self._token, *hide)
        return kind(
            one_line(message, hidden),
            remote=call.remote,
            endpoint=call.endpoint,
            status_code=answer.status if answer else None,
            remote_code=one_line(code, hidden) if code else None,
            request_id=one_line(request_id, hidden) if request_id else None,
        )


def _shaped(body: bytes, shape: Callable[[Any], T]) -> tuple[T | None, str]:
    """Return the record and, where it cannot be made, why not."""
    try:
        return shape(parse_json(body)), ""
    except WrongShape as err:
        return None, f"{err.field} is missing or of another kind"
    except ValueError:
        return None, "the answer is not JSON"
