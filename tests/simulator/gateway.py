"""What stands around both sides: faults, latency, one call at a time, and the log of calls."""

import io
import json
import select
import socket
import time
from dataclasses import dataclass, field
from http.client import responses
from typing import Any

from flask import Flask

from tests.simulator.calls import Call, caller_mark
from tests.simulator.checks import Json
from tests.simulator.cobot.access import bearer_value
from tests.simulator.cobot.answers import JSON_API
from tests.simulator.faults import Fault
from tests.simulator.simulator import Simulator

BASES = (
    ("/cobot-api", "cobot-api"),
    ("/cobot-space", "cobot-space"),
    ("/cobot", "cobot-www"),
    ("/sevdesk/api/v1", "sevdesk"),
)
BEFORE_COMMIT = frozenset({"status", "reset_before"})
GARBAGE = b'\x1f\x8b\x00\xff<<< not JSON {"id": '


@dataclass
class Incoming:
    """A call as it came over the wire; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: socket.socket


@dataclass
class Outgoing:
    """What goes back: an answer, one that drips for some seconds, or a reset connection."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    is_reset: bool = False
    drip_seconds: float = 0


@dataclass
class Visit:
    """A call on one of the four sides, with all that faults and the log ask about it."""

    side: str
    path: str
    token: str | None
    space: str | None
    space_names: tuple[str, ...]


class Gateway:
    """Takes every call. Only handlers run under the lock; sleeping is done outside of it."""

    def __init__(self, simulator: Simulator, app: Flask) -> None:
        self._simulator = simulator
        self._app = app

    def answer(self, call: Incoming) -> Outgoing:
        """Return what to send back; control calls meet neither faults nor latency nor the log."""
        visit = self._visit(call)
        if visit is None:
            return self._run(call)
        started_at, started = time.time(), time.monotonic()
        with self._simulator.lock:
            fault = self._simulator.faults.hit(
                visit.side, call.method, visit.path, visit.space_names, visit.token
            )
        outgoing = self._answer_visit(call, visit, fault)
        self._simulator.calls.add(
            Call(
                at=started_at,
                side=visit.side,
                method=call.method,
                path=visit.path,
                query=call.query,
                status=0 if outgoing.is_reset else outgoing.status,
                ms=(time.monotonic() - started) * 1000,
                bytes=len(outgoing.body),
                caller=caller_mark(visit.token),
                space=visit.space,
                fault=fault.id if fault else None,
            )
        )
        return outgoing

    def _visit(self, call: Incoming) -> Visit | None:
        found = next(
            (b for b in BASES if call.path == b[0] or call.path.startswith(f"{b[0]}/")), None
        )
        if found is None:
            return None
        base, side = found
        path = call.path.removeprefix(base) or "/"
        authorization = call.headers.get("authorization", "")
        if side == "sevdesk":
            return Visit(side, path, authorization.strip() or None, None, ())
        token = bearer_value(authorization)
        subdomain = None
        if side == "cobot-space":
            subdomain, _, rest = path.strip("/").partition("/")
            path = f"/{rest}"
        with self._simulator.lock:
            names = self._space_names(subdomain, path, token)
        return Visit(side, path, token, names[0] if names else subdomain, names)

    def _space_names(self, subdomain: str | None, path: str, token: str | None) -> tuple[str, ...]:
        """Return subdomain and id of the space that a call is about.

        That is the one in the address, else the one the token belongs to, else the object's.
        """
        cobot = self._simulator.world.cobot
        space = cobot.space_by_subdomain(subdomain) if subdomain else None
        known = cobot.tokens.find(token) if token else None
        if space is None and known and known.space_id:
            space = cobot.spaces.get(known.space_id)
        parts = path.strip("/").split("/")
        if space is None and len(parts) >= 2:
            id_ = parts[1].removesuffix(".pdf")
            space = cobot.spaces.get(id_) if parts[0] == "spaces" else cobot.space_of(parts[0], id_)
        return (space.subdomain, space.id) if space else ()

    def _answer_visit(self, call: Incoming, visit: Visit, fault: Fault | None) -> Outgoing:
        effect = fault.effect if fault else None
        kind = effect.kind if effect else ""
        time.sleep(self._simulator.options.latency_ms / 1000)
        if effect and kind == "hang":
            time.sleep(effect.number)
            if has_left(call.peer):
                return Outgoing(0, is_reset=True)
        if kind == "reset_before":
            return Outgoing(0, is_reset=True)
        if effect and kind == "status":
            return refusal(visit.side, int(effect.number), effect.retry_after)
        outgoing = self._run(call, effect.number if effect and kind == "search_lag" else 0.0)
        if effect is None or kind in ("hang", "search_lag"):
            return outgoing
        if kind == "reset_after_commit":
            return Outgoing(0, is_reset=True)
        if kind == "status_after_commit":
            return refusal(visit.side, int(effect.number), effect.retry_after)
        if kind == "no_id_after_commit":
            return without_ids(outgoing)
        if kind == "hang_after_commit":
            time.sleep(effect.number)
        elif kind == "slow_body":
            outgoing.drip_seconds = effect.number
        elif kind == "garbage":
            outgoing = Outgoing(200, [("Content-Type", "application/json")], GARBAGE)
        return outgoing

    def _run(self, call: Incoming, search_lag_seconds: float = 0.0) -> Outgoing:
        environ = self._environ(call)
        environ["simulator.search_lag_seconds"] = search_lag_seconds
        outgoing = Outgoing(500)

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Any:
            outgoing.status = int(status.split(" ", 1)[0])
            outgoing.headers = headers
            return outgoing.body

        with self._simulator.lock:
            parts = self._app(environ, start_response)
            outgoing.body = b"".join(parts)
        return outgoing

    def _environ(self, call: Incoming) -> dict[str, Any]:
        addresses = self._simulator.addresses
        environ: dict[str, Any] = {
            "REQUEST_METHOD": call.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": call.path.encode("utf-8").decode("latin-1"),
            "QUERY_STRING": call.query,
            "SERVER_NAME": addresses.host,
            "SERVER_PORT": str(addresses.port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(call.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in call.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        environ["CONTENT_LENGTH"] = str(len(call.body))
        return environ


def has_left(peer: socket.socket) -> bool:
    """Say whether the client has closed its side of the connection."""
    try:
        readable, _, _ = select.select([peer], [], [], 0)
        return bool(readable) and peer.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


def refusal(side: str, status: int, retry_after: str | None = None) -> Outgoing:
    """Return an answer with this status as the side would word it; a proxy's HTML from 502 on."""
    phrase = responses.get(status, "Error")
    headers = [("Retry-After", retry_after)] if retry_after else []
    if status in (204, 304):
        return Outgoing(status, headers)
    if status >= 502:
        title = f"{status} {phrase}"
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        return Outgoing(status, [*headers, ("Content-Type", "text/html")], page.encode())
    content_type, body = error_body(side, status, phrase)
    return Outgoing(status, [*headers, ("Content-Type", content_type)], json.dumps(body).encode())


def error_body(side: str, status: int, message: str) -> tuple[str, Json]:
    """Return content type and body of an error, each side in its own shape."""
    if side == "sevdesk":
        return "application/json", {"error": {"message": message, "code": status}}
    if side == "cobot-api":
        return JSON_API, {"errors": [{"status": str(status), "detail": message}]}
    return "application/json", {"errors": {"base": message}}


def without_ids(outgoing: Outgoing) -> Outgoing:
    """Return the same answer with every key "id" taken out of its JSON."""
    try:
        value = json.loads(outgoing.body)
    except ValueError:
        return outgoing
    outgoing.body = json.dumps(_stripped(value)).encode()
    return outgoing


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(entry) for key, entry in value.items() if key != "id"}
    if isinstance(value, list):
        return [_stripped(entry) for entry in value]
    return value
