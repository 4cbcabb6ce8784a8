"""The whole product and both remote sides as real processes, for the demo and the tests.

Everything lies below one folder; several stacks can run beside each other.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

from portal import stack as parts
from portal.config import Config
from portal.embedded import EmbeddedValkey
from portal.supervisor import Process, ProcessFailed, Supervisor
from tests.calendar_day import ZONE

START_SECONDS = 60
LOCK = "supervisor.lock"
CLIENT_ID, CLIENT_SECRET = "demo", "demo-secret"
PASSWORD = "password-of-the-database"
SIMULATOR_SETTINGS = ("COBOT_WWW_URL", "COBOT_API_URL", "COBOT_SPACE_URL", "SEVDESK_API_URL")

Json = dict[str, Any]


class StackFailed(Exception):
    """A process did not come up; the message holds the end of what it said."""


class Stack:
    """Simulator, Valkey, database, web, workers and upkeep. Use as a context manager.

    `settings` override the portal's, `simulator` are further words for its command line, `world`
    is a world or the file of one. PostgreSQL is used when TEST_DATABASE_URL names a server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        world: Json | Path | None = None,
        simulator: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        drains: int = 1,
        ports: tuple[int, int] = (0, 0),
        tell: Callable[[str], None] = lambda _step: None,
    ) -> None:
        self.folder = folder.resolve()
        self.log_folder = self.folder / "logs"
        self._world = world
        self._simulator = list(simulator)
        self._overrides = dict(settings or {})
        self._drains = drains
        self._tell = tell
        self._valkey = EmbeddedValkey.in_folder(self.folder)
        self._http = requests.Session()
        self._made_database: str | None = None
        self._portal_port, self._simulator_port = ports
        self.env: dict[str, str] = {}
        self.portal_url = ""
        self.control_url = ""
        self.processes: dict[str, Process] = {}
        self.supervisor = Supervisor(
            folder=parts.ROOT,
            log_folder=self.log_folder,
            lock=self.folder / LOCK,
            leftovers=self._valkey.leftovers,
        )

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- start and end -----------------------------------------------------------------------

    def start(self) -> None:
        """Start everything; returns when the portal says that it is ready."""
        port = parts.free_port(self._portal_port)
        self.portal_url = f"http://{parts.LOOPBACK}:{port}"
        self._tell("queue")
        self._valkey.end_left_behind()
        self._run(self._valkey.process())
        self._tell("simulator of Cobot and sevdesk")
        remote = self._start_simulator()
        self._valkey.wait_until_up()
        self.env = self._settings(remote)
        self._tell("database")
        try:
            self.supervisor.run_once(parts.migration(self.env))
        except ProcessFailed as err:
            raise StackFailed(f"{err}\n{self.log_of('migrate')[-3000:]}") from err
        self._tell("web server, workers and upkeep")
        for process in (
            parts.web(port, self.env),
            *parts.workers(self.env, drains=self._drains),
            parts.upkeep(self.env),
        ):
            self._run(process)
        self.wait_until(self._is_ready, "the portal to be ready", seconds=START_SECONDS)

    def make_empty(self) -> None:
        """Remove what an earlier stack left in the folder, a server that still runs included."""
        self._valkey.end_left_behind()
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def stop(self) -> None:
        """End everything and remove the database that was made for this stack."""
        self.supervisor.close()
        self._http.close()
        if self._made_database:
            with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as server:
                server.execute(f'DROP DATABASE "{self._made_database}" WITH (FORCE)')
            self._made_database = None

    def kill(self, name: str) -> None:
        """End one process as a crash would; it stays away until `start_again`."""
        self.supervisor.kill(name)

    def start_again(self, name: str) -> None:
        self.supervisor.start(self.processes[name])

    def pid(self, name: str) -> int:
        return self.supervisor.pid(name)

    def log_of(self, name: str) -> str:
        path = self.log_folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @contextmanager
    def another_web(self) -> Iterator[str]:
        """Run one more web server beside the first one; gives its address."""
        port = parts.free_port()
        url = f"http://{parts.LOOPBACK}:{port}"
        self._run(replace(parts.web(port, self.env), name="web-2"))
        try:
            self.wait_until(lambda: self._answers(url), "the second web server")
            yield url
        finally:
            del self.processes["web-2"]
            self.supervisor.stop("web-2")

    # --- the remote sides --------------------------------------------------------------------

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Make a call to the simulator's control, such as ("POST", "/faults", {...})."""
        answer = self._http.request(method, self.control_url + path, json=body, timeout=60)
        if not answer.ok:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def state(self) -> Json:
        """Return the state of both remote sides."""
        state: Json = self.control("GET", "/state")
        return state

    def space(self, subdomain: str) -> Json:
        """Return Cobot's side of a space."""
        return one(self.state()["spaces"], subdomain=subdomain)

    def sevdesk(self, token: str) -> Json:
        """Return sevdesk's side of a token."""
        return one(self.state()["sevdesk"], token=token)

    def calls(self, after: int = 0) -> list[Json]:
        found: list[Json] = self.control("GET", f"/calls?after={after}")["calls"]
        return found

    def last_call(self) -> int:
        return int(self.control("GET", f"/calls?after={2**40}")["last"])

    def create_invoice(self, subdomain: str, invoice: Json, *, webhook: bool = True) -> Json:
        suffix = "" if webhook else "?webhook=0"
        made: Json = self.control("POST", f"/cobot/spaces/{subdomain}/invoices{suffix}", invoice)
        return made

    def wait_until(
        self, is_so: Callable[[], object], what: str, *, seconds: float = 30, every: float = 0.1
    ) -> None:
        """Return when it is so. Raises StackFailed with what all processes said last."""
        until = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > until:
                raise StackFailed(f"waited {seconds} s for {what}\n{self._last_words()}")
            time.sleep(every)

    # --- inside ------------------------------------------------------------------------------

    def _run(self, process: Process) -> None:
        self.processes[process.name] = process
        self.supervisor.start(process)

    def _start_simulator(self) -> dict[str, str]:
        """Start it and return its ready line."""
        port = parts.free_port(self._simulator_port) if self._simulator_port else 0
        command = [parts.PYTHON, "-m", "tests.simulator", "--port", str(port), *self._simulator]
        if isinstance(self._world, Path):
            command += ["--world", str(self._world)]
        elif self._world is not None:
            path = self.folder / "world.json"
            path.write_text(json.dumps(self._world), encoding="utf-8")
            command += ["--world", str(path)]
        self._run(Process("simulator", command))
        self.wait_until(lambda: self._ready_line() is not None, "the simulator to be ready")
        remote = self._ready_line()
        assert remote is not None
        self.control_url = remote["control_url"]
        return {name: remote[name] for name in SIMULATOR_SETTINGS}

    def _ready_line(self) -> dict[str, str] | None:
        for line in self.log_of("simulator").splitlines():
            if line.startswith('{"ready"'):
                found: dict[str, str] = json.loads(line)
                return found
        if not self.supervisor.is_alive("simulator"):
            raise StackFailed(f"the simulator ended\n{self.log_of('simulator')[-3000:]}")
        return None

    def _settings(self, remote: Mapping[str, str]) -> dict[str, str]:
        """Return every setting, defaults too: a .env file in the folder must not change a test."""
        return {
            **default_settings(),
            "FLASK_SKIP_DOTENV": "1",
            **parts.kept_secrets(self.folder / "keys.json"),
            "DATABASE_URL": self._database_url(),
            "REDIS_URL": self._valkey.url,
            "PUBLIC_URL": self.portal_url,
            "COBOT_CLIENT_ID": CLIENT_ID,
            "COBOT_CLIENT_SECRET": CLIENT_SECRET,
            # Half a day away: the nightly comparison must not come in the middle of a test.
            "CATCH_UP_AT": f"{datetime.now(ZONE) + timedelta(hours=12):%H:%M}",
            **remote,
            **self._overrides,
        }

    def _database_url(self) -> str:
        server = os.environ.get("TEST_DATABASE_URL")
        if not server:
            return f"sqlite:///{self.folder / 'portal.db'}"
        name = f"portal_{secrets.token_hex(6)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        self._made_database = name
        address = urlsplit(server)
        if address.password is None:
            # A server that asks for none takes any: what runs has a password to keep for itself.
            before, at, host = address.netloc.rpartition("@")
            address = address._replace(netloc=f"{before}:{PASSWORD}{at}{host}" if at else host)
        return urlunsplit(address._replace(path=f"/{name}"))

    def _is_ready(self) -> bool:
        for name in self.processes:
            if not self.supervisor.is_alive(name):
                raise StackFailed(f"{name} ended\n{self.log_of(name)[-3000:]}")
        return self._answers(self.portal_url)

    def _answers(self, url: str) -> bool:
        try:
            return self._http.get(f"{url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def _last_words(self) -> str:
        return "\n".join(
            f"--- {name}\n{self.log_of(name)[-1500:]}" for name in ("migrate", *self.processes)
        )


def default_settings() -> dict[str, str]:
    """Return the default of every setting that has one, as the environment would say it."""
    return {
        name.upper(): _as_text(field.default)
        for name, field in Config.model_fields.items()
        if not field.is_required() and field.default is not None
    }


def _as_text(value: object) -> str:
    if isinstance(value, time_of_day):
        return value.strftime("%H:%M")
    if isinstance(value, (tuple, frozenset)):
        return ",".join(str(part) for part in value)
    return str(value)


def one(rows: Iterable[Json], **wanted: object) -> Json:
    """Return the row with these values; several or none is an error."""
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    assert len(found) == 1, f"{len(found)} rows with {wanted}"
    return found[0]
