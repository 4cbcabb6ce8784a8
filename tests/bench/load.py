"""Closed-loop load over a few raw connections: costs next to nothing itself."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CONNECTIONS = 8


@dataclass
class Load:
    """What came of it: a latency in seconds and a status for each request."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


def post_for(
    url: str, bodies: Iterator[dict[str, str]], seconds: float, connections: int = CONNECTIONS
) -> Load:
    """Send POSTs for so long, on each connection the next one as soon as one is answered."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    )

    def request() -> bytes:
        body = json.dumps(next(bodies)).encode()
        return f"{head}{len(body)}\r\n\r\n".encode() + body

    return _run((parts.hostname or "", parts.port or 80), request, seconds, connections)


def _run(
    where: tuple[str, int], request: Callable[[], bytes], seconds: float, connections: int
) -> Load:
    load = Load()
    with selectors.DefaultSelector() as selector:
        sent: dict[socket.socket, float] = {}

        def ask(peer: socket.socket) -> None:
            sent[peer] = time.perf_counter()
            peer.sendall(request())

        for _ in range(connections):
            peer = socket.create_connection(where, timeout=30)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(peer, selectors.EVENT_READ, bytearray())
            ask(peer)
        began = time.perf_counter()
        while sent:
            for key, _ in selector.select(timeout=30):
                peer, buffer = key.fileobj, key.data
                assert isinstance(peer, socket.socket)
                got = peer.recv(65536)
                assert got, "the server closed the connection"
                buffer += got
                if not _is_whole(buffer):
                    continue
                load.latencies.append(time.perf_counter() - sent.pop(peer))
                status = int(buffer[9:12])
                load.statuses[status] = load.statuses.get(status, 0) + 1
                buffer.clear()
                if time.perf_counter() - began < seconds:
                    ask(peer)
                else:
                    selector.unregister(peer)
                    peer.close()
        load.seconds = time.perf_counter() - began
    return load


def _is_whole(answer: bytearray) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return True
