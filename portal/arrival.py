"""How long the web server waits for the other side: for seconds, and no longer.

Gunicorn's threads wait for the rest of a request for ever, and its `timeout` does not count there:
as many silent connections as there are threads would keep everybody out, Cobot's hooks included.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

ARRIVES_WITHIN_SECONDS = 10.0
"""A thread waits for line, headers and body of a request so long in all, however they drip in."""

TAKEN_WITHIN_SECONDS = 20.0
"""A thread waits so long until the other side takes a piece of an answer."""


class ArrivingSocket(socket.socket):
    """A connection that is patient for a while, and then behaves as if the other side had left.

    Gunicorn and the pages know what to do with somebody who left: it closes the connection, and a
    request that was begun is answered with 400. Only waiting counts: what has arrived is read.
    """

    patience = ARRIVES_WITHIN_SECONDS

    @classmethod
    def in_place_of(cls, connection: socket.socket) -> ArrivingSocket:
        """Return the same connection as one of these; the given one is of no use any more."""
        family, kind, protocol = connection.family, connection.type, connection.proto
        return cls(family, kind, protocol, fileno=connection.detach())

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what arrives. Raises ConnectionResetError when it has not within the patience."""
        began = time.monotonic()
        try:
            with self._waiting(self.patience):
                return super().recv(size, flags)
        finally:
            self.patience = max(0.0, self.patience - (time.monotonic() - began))

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it. Raises ConnectionResetError when the other side does not take it: whoever
        asks and never reads would keep a thread as well."""
        with self._waiting(TAKEN_WITHIN_SECONDS):
            super().sendall(data, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, as `sendall`; return how many bytes."""
        with self._waiting(TAKEN_WITHIN_SECONDS):
            return super().sendfile(file, offset, count)

    @contextmanager
    def _waiting(self, seconds: float) -> Iterator[None]:
        """Wait so long at the most in this block; then the other side has left."""
        before = self.gettimeout()
        self.settimeout(seconds if before is None else min(before, seconds))
        try:
            yield
        except (TimeoutError, BlockingIOError) as err:
            raise ConnectionResetError(errno.ECONNRESET, "took too long") from err
        finally:
            self.settimeout(before)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's worker with threads, none of which waits for a request without an end."""

    def handle(self, conn: Any) -> Any:
        """Take the next request of a connection, with new patience."""
        if type(conn.sock) is socket.socket:  # a new one; what TLS made of one stays as it is
            conn.sock = ArrivingSocket.in_place_of(conn.sock)
        conn.sock.patience = ARRIVES_WITHIN_SECONDS
        try:
            return super().handle(conn)
        finally:
            # Where it ends here, the one loop that takes all connections closes it, and would wait
            # two seconds for the other side to hang up.
            conn.sock.patience = 0.0
