"""Connections that begin a request and never end it must not keep the portal from others.

Real gunicorn, real connections: more of them than the server has threads.
"""

from __future__ import annotations

import selectors
import socket
import time

import pytest
import requests

from portal.arrival import ARRIVES_WITHIN_SECONDS, TAKEN_WITHIN_SECONDS
from tests.e2e.test_hook_burst import SECRET, Web, web  # noqa: F401 a fixture

HEAD = "Host: portal.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
BEGUN = {
    "half a request line": "GET /hea",
    "half a header": "GET /help HTTP/1.1\r\nHost: portal.exa",
    "no more of a form": f"POST /theme HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\na=",
    "no more of a form of ours": (
        f"POST /theme HTTP/1.1\r\n{HEAD}Sec-Fetch-Site: same-origin\r\n"
        "Content-Length: 1000\r\n\r\na="
    ),
    "no more of a chunk": (
        f"POST /theme HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n9\r\na="
    ),
    "no more of a hook": (
        f"POST /hooks/cobot/{SECRET}/created_invoice HTTP/1.1\r\n{HEAD}"
        "Content-Length: 1000\r\n\r\na="
    ),
    "no more of a guessed hook": (
        f"POST /hooks/cobot/guessed/created_invoice HTTP/1.1\r\n{HEAD}"
        "Content-Length: 1000\r\n\r\na="
    ),
}
DRIPPING = {
    "a header, sign by sign": "GET /help HTTP/1.1\r\nX-Long: ",
    "a form, sign by sign": f"POST /theme HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\na=",
}
SPARE_SECONDS = 5


def begin(port: int, text: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(text.encode())
    return connection


def statuses_at_the_end(
    silent: dict[str, socket.socket], dripping: dict[str, socket.socket], seconds: float
) -> dict[str, str]:
    """Return what each connection was answered ("" for nothing) once the server has closed it; one
    that is still open is not in it. Those that drip send one sign each half second until then."""
    answers: dict[str, bytes] = {}
    ended: dict[str, str] = {}
    names = {connection: name for name, connection in (silent | dripping).items()}
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for connection in names:
            selector.register(connection, selectors.EVENT_READ)
        while len(ended) < len(names) and time.monotonic() < until:
            for key, _ in selector.select(0.5):
                assert isinstance(key.fileobj, socket.socket)
                name = names[key.fileobj]
                try:
                    piece = key.fileobj.recv(65536)
                except ConnectionResetError:
                    piece = b""
                answers[name] = answers.get(name, b"") + piece
                if not piece:
                    selector.unregister(key.fileobj)
                    ended[name] = answers[name].decode().partition("\r\n")[0]
            for name in dripping.keys() - ended.keys():
                try:
                    dripping[name].sendall(b"a")
                except OSError:
                    continue  # the server has closed it: that is read above
    return ended


@pytest.mark.timeout(120)
def test_connections_that_fall_silent_hold_the_portal_for_seconds_only(
    web: Web,  # noqa: F811 the fixture
) -> None:
    silent = {name: begin(web.port, text) for name, text in BEGUN.items()}
    dripping = {name: begin(web.port, text) for name, text in DRIPPING.items()}
    assert len(silent) + len(dripping) > 8, "as many as the server has threads, and one more"
    # Twice: who comes while all threads wait has its own turn after them.
    ended = statuses_at_the_end(silent, dripping, 2 * ARRIVES_WITHIN_SECONDS + SPARE_SECONDS)
    alive = requests.get(f"http://127.0.0.1:{web.port}/healthz", timeout=SPARE_SECONDS)
    for connection in (*silent.values(), *dripping.values()):
        connection.close()
    assert alive.ok
    refused = "HTTP/1.1 400 BAD REQUEST"
    hook_refused = "HTTP/1.1 400 Bad Request"
    assert ended == {
        "half a request line": "",
        "half a header": "",
        "no more of a form": refused,
        "no more of a form of ours": refused,
        "no more of a chunk": refused,
        "no more of a hook": hook_refused,
        "no more of a guessed hook": "HTTP/1.1 404 Not Found",
        "a header, sign by sign": "",
        "a form, sign by sign": refused,
    }


@pytest.mark.long
@pytest.mark.timeout(120)
def test_connections_that_read_no_answer_hold_the_portal_for_seconds_only(
    web: Web,  # noqa: F811 the fixture
) -> None:
    asked = (
        b"GET /static/vendor/htmx.org@2.0.11/htmx.min.js HTTP/1.1\r\nHost: portal.example\r\n\r\n"
        * 200
    )
    deaf = []
    for _ in range(10):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", web.port))
        connection.sendall(asked)
        deaf.append(connection)
    time.sleep(10)
    health = f"http://127.0.0.1:{web.port}/healthz"
    with pytest.raises(requests.Timeout):
        requests.get(health, timeout=SPARE_SECONDS)
    alive = requests.get(health, timeout=2 * TAKEN_WITHIN_SECONDS + SPARE_SECONDS)
    for connection in deaf:
        connection.close()
    assert alive.ok


def test_connections_that_are_not_hung_up_hold_nobody_up(
    web: Web,  # noqa: F811 the fixture
) -> None:
    """The one loop that takes connections also closes them: there each of these was waited for."""
    last = "GET /healthz HTTP/1.1\r\nHost: portal.example\r\nConnection: close\r\n\r\n"
    connections = [begin(web.port, last) for _ in range(5)]
    for connection in connections:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
    began = time.monotonic()
    alive = requests.get(f"http://127.0.0.1:{web.port}/healthz", timeout=30)
    took = time.monotonic() - began
    for connection in connections:
        connection.close()
    assert alive.ok
    assert took < 2, "gunicorn waits two seconds for each of them"
