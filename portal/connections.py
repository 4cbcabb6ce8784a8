"""Kept connections to the remote sides, with a deadline that holds for every single read."""

from __future__ import annotations

import hashlib
import http.client
import io
import logging
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import MaxRetryError
from urllib3.response import BaseHTTPResponse

from portal.outbound import AllowedHosts

# urllib3 writes whole paths at lower levels: two of Cobot's hold a token, sevdesk's hold e-mails.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


@dataclass
class Watch:
    """What one call may still take and how far it got.

    `opened` says that a connection of ours was asked for, `sent` that a byte of the request may
    have left: only then can a write have happened. `before_repeat` is called before a read is sent
    once more, and ends the call with what it raises.
    """

    deadline: float = math.inf
    read_seconds: float = math.inf
    opened: bool = False
    sent: bool = False
    before_repeat: Callable[[], None] | None = None

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


_watch: ContextVar[Watch | None] = ContextVar("portal_call", default=None)


@contextmanager
def watching(watch: Watch) -> Iterator[Watch]:
    """Hold every connection used inside to this watch."""
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


class _TimedReader(io.RawIOBase):
    """A socket's bytes; each read ends by the read limit or the call's deadline.

    A plain socket time-out starts anew with each byte, so a slow drip would never end.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        watch = _watch.get()
        if watch is not None:
            left = watch.seconds_left()
            if left <= 0:
                raise TimeoutError("deadline of the call")
            if not math.isinf(left):
                self._sock.settimeout(min(left, watch.read_seconds))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedFile:
    """Looks like a socket to http.client, which asks it for nothing but a file."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock))


class _TimedAnswer(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(_TimedFile(sock), *args, **kwargs)  # type: ignore[arg-type]


class _Noting:
    """Notes in the watch what was opened and whether anything was sent."""

    sock: Any

    def connect(self) -> None:
        if (watch := _watch.get()) is not None:
            watch.opened = True
        super().connect()  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # fails before the note below: nothing was sent then
        if (watch := _watch.get()) is not None:
            watch.opened = watch.sent = True
        super().send(data)  # type: ignore[misc]


class _PlainConnection(_Noting, HTTPConnection):
    response_class = _TimedAnswer


class _TlsConnection(_Noting, HTTPSConnection):
    response_class = _TimedAnswer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _ReadsAgain(Retry):
    """Repeats reads only, never past the deadline, and never where the remote side named a time."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        return not has_retry_after and super().is_retry(method, status_code)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> _ReadsAgain:
        watch = _watch.get()
        is_late = watch is not None and watch.seconds_left() <= 0
        # Retry would repeat a write whose connection was refused; here that is the caller's choice.
        if error is not None and (method != "GET" or is_late):
            raise MaxRetryError(_pool, url or "", error)  # type: ignore[arg-type]
        left = super().increment(method, url, response, error, _pool, _stacktrace)
        if watch is not None and watch.before_repeat is not None:
            watch.before_repeat()
        return left


class HostRefused(requests.exceptions.InvalidURL):
    """The address is of a host that no setting names; nothing was sent. It is not in the text."""


class _Adapter(HTTPAdapter):
    """Sends to allowed hosts only: every request passes here, one after a redirect as well."""

    def __init__(self, allowed: AllowedHosts | None, **kwargs: Any) -> None:
        self._allowed = allowed
        super().__init__(**kwargs)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        if self._allowed is not None and not self._allowed.allows(request.url or ""):
            raise HostRefused
        return super().send(request, **kwargs)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


class Sessions:
    """One requests.Session per host and token, so that connections are kept and never shared.

    The least recently used is closed when `max_open` is passed. Times are seconds: `total_seconds`
    bounds a whole call with its repetitions and its body (one attempt to connect may run over it).
    Certificates are always verified, against `ca_bundle` or REQUESTS_CA_BUNDLE where given; proxies
    and .netrc of the environment are not used. With `allowed` no other host is called. Safe for
    threads and after a fork.
    """

    def __init__(
        self,
        user_agent: str,
        connect_seconds: float = 5.0,
        read_seconds: float = 20.0,
        total_seconds: float = 45.0,
        max_bytes: int = 20_000_000,
        retries: int = 2,
        max_open: int = 200,
        *,
        ca_bundle: str | None = None,
        allowed: AllowedHosts | None = None,
    ) -> None:
        self.user_agent = user_agent
        self.connect_seconds = connect_seconds
        self.read_seconds = read_seconds
        self.total_seconds = total_seconds
        self.max_bytes = max_bytes
        self.retries = retries
        self.max_open = max_open
        self._ca_bundle = ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or None
        self._allowed = allowed
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str, int], requests.Session] = OrderedDict()

    def session(self, base_url: str, token_key: str) -> requests.Session:
        """Return the session of this host and token."""
        host = "{0.scheme}://{0.netloc}".format(urlsplit(base_url))
        # The process is part of the key: a connection must not be used by a forked worker too.
        key = (host, hashlib.sha256(token_key.encode()).hexdigest(), os.getpid())
        dropped = None
        with self._lock:
            session = self._open.pop(key, None) or self._make()
            self._open[key] = session
            if len(self._open) > self.max_open:
                _, dropped = self._open.popitem(last=False)
        if dropped is not None:
            dropped.close()
        return session

    def watch(self, before_repeat: Callable[[], None] | None = None) -> Watch:
        """Return the watch of a call that begins now."""
        deadline = time.monotonic() + self.total_seconds
        return Watch(deadline, self.read_seconds, before_repeat=before_repeat)

    def close(self) -> None:
        with self._lock:
            sessions = list(self._open.values())
            self._open.clear()
        for session in sessions:
            session.close()

    def _make(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.verify = self._ca_bundle or True
        session.headers["User-Agent"] = self.user_agent
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        again = _ReadsAgain(
            total=self.retries,
            connect=self.retries,
            read=self.retries,
            status=self.retries,
            redirect=0,
            other=0,
            allowed_methods=("GET",),
            status_forcelist=(502, 503, 504),
            backoff_factor=0.2,
            backoff_max=2.0,
            backoff_jitter=0.1,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Adapter(self._allowed, pool_connections=1, max_retries=again))
        return session
