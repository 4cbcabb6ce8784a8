"""How long the web server waits for the other side: for seconds, and no longer.

Gunicorn's threads wait for the rest of a request for ever, and its `timeout` does not count there:
as many silent connections as there are threads would keep everybody out, Cobot's hooks included.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

ARRIVES_WITHIN_SECONDS = 10.0
"""A thread waits for line, headers and body of a request so long in all, however they drip in."""

SHORTEST_WAIT_SECONDS = 0.05
"""With less patience left than that nothing is waited for; the kernel's limit may differ by it."""
TAKEN_WITHIN_SECONDS = 20.0
"""A thread waits so long until the other side takes a piece of an answer."""


class ArrivingSocket(socket.socket):
    """A connection that is patient for a while, and then behaves as if the other side had left.

    Gunicorn and the pages know what to do with somebody who left: it closes the connection, and a
    request that was begun is answered with 400. Only waiting counts: what has arrived is read.

    The kernel keeps the time. A limit set around each call would cost some more calls of the
    kernel, and with them the interpreter's lock, which all threads wait for.
    """

    patience = 0.0
    _limit = 0.0

    @classmethod
    def in_place_of(cls, connection: socket.socket) -> ArrivingSocket:
        """Return the same connection as one of these; the given one is of no use any more."""
        family, kind, protocol = connection.family, connection.type, connection.proto
        made = cls(family, kind, protocol, fileno=connection.detach())
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(TAKEN_WITHIN_SECONDS))
        return made

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what arrives. Raises ConnectionResetError when it has not within the patience."""
        before = self.gettimeout()
        if self.patience < SHORTEST_WAIT_SECONDS:
            self.settimeout(0)
        elif not 0 <= self._limit - self.patience < SHORTEST_WAIT_SECONDS:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(self.patience))
            self._limit = self.patience
        began = time.monotonic()
        try:
            return super().recv(size, flags)
        except (TimeoutError, BlockingIOError) as err:
            raise _left() from err
        finally:
            self.patience = max(0.0, self.patience - (time.monotonic() - began))
            if self.gettimeout() != before:
                self.settimeout(before)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it. Raises ConnectionResetError when the other side does not take it: whoever
        asks and never reads would keep a thread as well."""
        try:
            super().sendall(data, flags)
        except (TimeoutError, BlockingIOError) as err:
            raise _left() from err

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, as `sendall`; return how many bytes."""
        before = self.gettimeout()
        # Python waits by itself here, for as long as the socket's own limit says.
        self.settimeout(TAKEN_WITHIN_SECONDS)
        try:
            return super().sendfile(file, offset, count)
        except (TimeoutError, BlockingIOError) as err:
            raise _left() from err
        finally:
            self.settimeout(before)


def _left() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "took too long")


def _timeval(seconds: float) -> bytes:
    """Return a time as the kernel's socket options take it."""
    whole = int(seconds)
    return struct.pack("ll", whole, int((seconds - whole) * 1_000_000))


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
