"""A line between the portal and another side that can be cut, refused, stalled and slowed."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

CHUNK = 65_536
TICK_SECONDS = 0.05


class Proxy:
    """Passes bytes between a port of its own and a target; use as a context manager.

    `cut` resets what is open, `refuse` lets nobody in, `stall` takes bytes and passes none on,
    `drip` passes so many a second in either direction; `heal` ends all of these.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._going = threading.Event()
        self._going.set()
        self._bytes_per_second = 0.0
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True, name=f"proxy-{self.port}").start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """Reset every open connection; new ones are let in."""
        with self._lock:
            hit, self._open = self._open, set()
        for one in hit:
            _reset(one)

    def refuse(self) -> None:
        """Reset what is open and let nobody in until healed: the port answers with a refusal."""
        with self._lock:
            listener, self._listener = self._listener, None  # type: ignore[assignment]
        if listener is not None:
            # The thread in accept() keeps a closed socket listening: wake it first.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def stall(self) -> None:
        """Keep everything open and pass nothing on."""
        self._going.clear()

    def drip(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second

    def heal(self) -> None:
        self._bytes_per_second = 0
        self._going.set()
        with self._lock:
            if self._listener is None:
                self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
                threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._is_closed = True
        self._going.set()
        self.refuse()

    def _accept(self) -> None:
        listener = self._listener
        while not self._is_closed:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, timeout=10)
            except OSError:
                _reset(near)
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 if self._bytes_per_second else CHUNK):
                self._going.wait()
                if self._bytes_per_second:
                    time.sleep(len(data) / self._bytes_per_second)
                sink.sendall(data)
        except OSError:
            _reset(sink)
        finally:
            with self._lock:
                self._open -= {source, sink}
            for one in (source, sink):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()


def _reset(one: socket.socket) -> None:
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        one.close()
