"""A small HTTP/1.1 server: connections kept open, one thread each, every answer in one write."""

import socket
import struct
import time
from http.client import responses
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from urllib.parse import unquote

from tests.simulator.gateway import Gateway, Incoming, Outgoing

LARGEST_BODY = 64 * 1024 * 1024
NO_BODY_STATUSES = frozenset({204, 304})


class SimulatorServer(ThreadingMixIn, TCPServer):
    """Listens at once; `serve_forever` begins to answer."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 1024
    gateway: Gateway

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)

    @property
    def port(self) -> int:
        """Return the port in use."""
        return int(self.socket.getsockname()[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: clients that leave in the middle are part of the game."""


class Handler(BaseHTTPRequestHandler):
    """Reads calls from one connection and writes what the gateway answers."""

    protocol_version = "HTTP/1.1"
    # Without this the kernel holds small answers back for up to 40 ms.
    disable_nagle_algorithm = True
    server: SimulatorServer

    def _serve(self) -> None:
        body = self._read_body()
        if body is None:
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Incoming(self.command, unquote(path), query, headers, body, self.connection)
        self._write(self.server.gateway.answer(call))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815 - the base class asks for these names

    def _read_body(self) -> bytes | None:
        """Return the body, or None when it is too large or not well formed."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return None
        return self.rfile.read(int(length))

    def _read_chunks(self) -> bytes | None:
        body = b""
        while True:
            try:
                size = int(self.rfile.readline(100).split(b";")[0], 16)
            except ValueError:
                return None
            if size < 0 or len(body) + size > LARGEST_BODY:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(100)
            if size == 0:
                return body

    def _write(self, outgoing: Outgoing) -> None:
        if outgoing.is_reset:
            self._reset()
            return
        reason = responses.get(outgoing.status, "")
        lines = [f"HTTP/1.1 {outgoing.status} {reason}", f"Date: {self.date_time_string()}"]
        lines += [
            f"{name}: {value}"
            for name, value in outgoing.headers
            if name.lower() != "content-length"
        ]
        if outgoing.status not in NO_BODY_STATUSES:
            lines.append(f"Content-Length: {len(outgoing.body)}")
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        body = (
            b"" if self.command == "HEAD" or outgoing.status in NO_BODY_STATUSES else outgoing.body
        )
        if outgoing.drip_seconds:
            self._drip(head, body, outgoing.drip_seconds)
        else:
            self.connection.sendall(head + body)

    def _drip(self, head: bytes, body: bytes, seconds: float) -> None:
        """Send the head at once, then a byte a second, and the rest when the seconds are over."""
        self.connection.sendall(head)
        ends_at = time.monotonic() + seconds
        sent = 0
        while (left := ends_at - time.monotonic()) > 0:
            if sent < len(body) - 1:
                self.connection.sendall(body[sent : sent + 1])
                sent += 1
            time.sleep(min(1.0, left))
        self.connection.sendall(body[sent:])

    def _reset(self) -> None:
        """Close so that the client sees a reset: no answer and no orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The files made from the socket keep it open; the last of them to close sends the reset.
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: the log of calls has it all."""
