"""The whole product between proxies: what a fault needs to be done, and to be looked at."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from redis import Redis
from redis.exceptions import RedisError

from portal.stack import PYTHON, free_port
from portal.supervisor import Process
from tests.browserless import Browserless
from tests.e2e.worlds import ADMIN, COST_CENTRE, invoice, token_of, world_of
from tests.faults.invariants import Expected, Outside, broken
from tests.faults.outside import Database, Row
from tests.faults.proxy import Proxy
from tests.receipts import Receipt, receipts_of
from tests.stack import CLIENT_SECRET, Json, Stack

QUICK = {
    "COBOT_CALLS_PER_MINUTE": "0",
    "SEVDESK_CALLS_PER_SECOND": "0",
    "UPKEEP_SECONDS": "1",
    "RETRY_FIRST_SECONDS": "0.5",
    "RETRY_MAX_SECONDS": "2",
    "LOOKS_SECONDS": "1,2,3",
}
"""Settings, all of them documented, that make the waiting short."""
PORTAL = ("web", "interactive", "drain-1", "drain-2", "backfill", "upkeep")
"""Its processes, without the queue."""
FREE = ("--cobot-per-minute", "0", "--webhook-backoff", "0.5,0.5,1,1,2,2,4,4,8,8")
MEANWHILE_SECONDS = 2
MANY = 50


class Ground(Stack):
    """A stack whose ways to the database, to sevdesk and to Cobot's API 2 can be broken."""

    def __init__(
        self,
        folder: Path,
        *subdomains: str,
        settings: Mapping[str, str] | None = None,
        simulator: Sequence[str] = FREE,
        drains: int = 2,
        world: Json | None = None,
    ) -> None:
        self._there = free_port()
        self.ways = {name: Proxy("127.0.0.1", self._there) for name in ("sevdesk", "cobot")}
        self.direct_database = ""
        self._database: Database | None = None
        self._person: Browserless | None = None
        self.before = 0
        """A mark in the log of calls that a test may set."""
        remote = {
            "SEVDESK_API_URL": f"http://127.0.0.1:{self.ways['sevdesk'].port}/sevdesk/api/v1",
            "COBOT_API_URL": f"http://127.0.0.1:{self.ways['cobot'].port}/cobot-api",
        }
        super().__init__(
            folder,
            world=world or world_of(*subdomains),
            simulator=simulator,
            settings={**QUICK, **remote, **(settings or {})},
            drains=drains,
            ports=(0, self._there),
        )

    def stop(self) -> None:
        for way in self.ways.values():
            way.heal()
        super().stop()
        for way in self.ways.values():
            way.close()

    def _database_url(self) -> str:
        self.direct_database = super()._database_url()
        parts = urlsplit(self.direct_database)
        if parts.scheme == "sqlite":
            return self.direct_database
        way = self.ways["database"] = Proxy(parts.hostname or "", parts.port or 5432)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{way.port}"))

    # --- people ------------------------------------------------------------------------------

    @property
    def person(self) -> Browserless:
        """The admin of all spaces, signed in."""
        if self._person is None:
            self._person = Browserless(self.portal_url)
            self._person.sign_in(ADMIN)
        return self._person

    def connect(self, *subdomains: str) -> None:
        """Connect spaces through the pages and wait for the catch-up that follows."""
        for one in subdomains:
            self.person.connect(one, token_of(one), cost_centre=COST_CENTRE)
        for one in subdomains:
            self.wait_until(
                lambda one=one: self.space_row(one)["caught_up_on"], f"{one} to be caught up"
            )

    def invoice(self, subdomain: str, number: str, *, webhook: bool = True, **given: object) -> str:
        """Create an invoice in Cobot and return its id."""
        body = invoice(subdomain, number, **given)
        return str(self.create_invoice(subdomain, body, webhook=webhook)["data"]["id"])

    def invoices(self, subdomain: str, count: int, prefix: str, **given: object) -> list[str]:
        """Create many; return their numbers."""
        numbers = [f"{prefix}-{place}" for place in range(1, count + 1)]
        for number in numbers:
            self.invoice(subdomain, number, **given)
        return numbers

    # --- what is there -----------------------------------------------------------------------

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = Database(self.direct_database)
        return self._database

    @property
    def redis(self) -> Redis:
        return Redis.from_url(self._valkey.url, socket_timeout=5)

    @property
    def is_sqlite(self) -> bool:
        return self.database.is_sqlite

    def space_row(self, subdomain: str) -> Row:
        return self.database.one("SELECT * FROM space WHERE subdomain = :name", name=subdomain)

    def rows(self, subdomain: str) -> list[Row]:
        return self.database.rows(
            "SELECT i.* FROM invoice_sync i JOIN space s ON s.id = i.space_id"
            " WHERE s.subdomain = :name ORDER BY i.id",
            name=subdomain,
        )

    def row(self, subdomain: str, number: str) -> Row | None:
        return next((one for one in self.rows(subdomain) if one["number"] == number), None)

    def members(self, subdomain: str) -> list[Row]:
        return self.database.rows(
            "SELECT m.* FROM member_sync m JOIN space s ON s.id = m.space_id"
            " WHERE s.subdomain = :name ORDER BY m.id",
            name=subdomain,
        )

    def receipts(self, subdomain: str, number: str) -> list[Receipt]:
        return receipts_of(self.sevdesk(token_of(subdomain))).get(number, [])

    def writes(
        self, subdomain: str, after: int, path: str = "/Voucher/Factory/saveVoucher"
    ) -> list[Json]:
        """Return the writes that a space's token made at this path since a mark."""
        mark = sha256(token_of(subdomain).encode()).hexdigest()[:12]
        return [
            call
            for call in self.calls(after)
            if call["path"] == path and call["method"] in {"POST", "PUT"} and call["caller"] == mark
        ]

    def hook(self, subdomain: str, event: str = "created_invoice") -> str:
        """Return the address to which Cobot sends an event."""
        return next(
            str(one["callback_url"])
            for one in self.space(subdomain)["subscriptions"]
            if one["event"] == event
        )

    def send_hook(self, address: str, subdomain: str, invoice_id: str) -> int:
        """Deliver a webhook as Cobot would; return the status, 0 without an answer."""
        base = self.env["COBOT_SPACE_URL"].format(subdomain=subdomain)
        body = {"url": f"{base}/api/invoices/{invoice_id}"}
        try:
            return requests.post(address, json=body, timeout=60).status_code
        except requests.RequestException:
            return 0

    # --- waiting -----------------------------------------------------------------------------

    def ends(
        self,
        subdomain: str,
        numbers: Collection[str] | str,
        state: str = "synced",
        *,
        seconds: float = 60,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """Wait until these invoices have the state; `meanwhile` is called every few seconds."""
        wanted = {numbers} if isinstance(numbers, str) else set(numbers)
        last = time.monotonic()

        def is_so() -> bool:
            nonlocal last
            if time.monotonic() - last > MEANWHILE_SECONDS:
                meanwhile()
                last = time.monotonic()
            return wanted <= self._in_state(subdomain, state)

        what = f"{sorted(wanted)[:5]} to be {state}"
        try:
            every = 0.2 if len(wanted) < MANY else 1
            self.wait_until(is_so, what, seconds=seconds, every=every)
        except Exception as err:
            states = [
                (one["number"], one["state"], one["step"], one["cause_code"], one["next_try_at"])
                for one in self.rows(subdomain)
                if one["state"] != state
            ]
            raise AssertionError(f"{len(states)} are not {state}: {states[:5]}\n{err}") from err

    def _in_state(self, subdomain: str, state: str) -> set[str]:
        found = self.database.rows(
            "SELECT i.number FROM invoice_sync i JOIN space s ON s.id = i.space_id"
            " WHERE s.subdomain = :name AND i.state = :state",
            name=subdomain,
            state=state,
        )
        return {one["number"] for one in found}

    def a_minute_passes(self) -> None:
        """Let a woken space that no worker looked at be woken again now instead of in a minute."""
        self.database.change(
            "UPDATE space SET wake_at = :now WHERE wake_at IS NOT NULL AND probe_at IS NULL",
            now=self.database.moment(0),
        )
        self._forget_marks()

    def set_env(self, **settings: str) -> None:
        """Give every process of the portal other settings; they hold from its next start."""
        self.env |= settings
        for name, process in list(self.processes.items()):
            if process.env:
                self.processes[name] = replace(process, env={**process.env, **settings})

    def revive(self, *names: str) -> None:
        """Start what is dead, as the supervisor does: everything, or what is named."""
        for name in names or tuple(self.processes):
            if name != "simulator" and not self.supervisor.is_alive(name):
                self.drop(name)
                self.start_again(name)

    def restart(self, *names: str) -> None:
        for name in names or PORTAL:
            if name in self.processes:
                self.drop(name)
                self.start_again(name)
        self.wait_until(self._web_answers, "the portal to answer", seconds=60)

    def _web_answers(self) -> bool:
        try:
            return requests.get(f"{self.portal_url}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def _forget_marks(self) -> None:
        """Let the marks of queued wake-ups end, as they do after a minute."""
        with suppress(RedisError):
            for mark in self.redis.scan_iter("portal:wake:*"):
                self.redis.delete(mark)

    def probe_now(self, subdomain: str) -> None:
        """Let the time of the next probe of a paused space come."""
        now = self.database.moment(0)
        self.database.change(
            "UPDATE space SET probe_at = :now, wake_at = :now WHERE subdomain = :name",
            now=now,
            name=subdomain,
        )
        self._forget_marks()

    def catch_up_again(self, subdomain: str) -> None:
        """Let the next night come for a space, and wait until it is over."""
        self.database.change(
            "UPDATE space SET caught_up_on = NULL WHERE subdomain = :name", name=subdomain
        )
        self.wait_until(
            lambda: self.space_row(subdomain)["caught_up_on"], "the nightly comparison", seconds=90
        )

    # --- faults ------------------------------------------------------------------------------

    def fault(self, side: str, effect: str, **more: Any) -> str:
        body = {"side": side, "effect": effect, **more}
        return str(self.control("POST", "/faults", body)["id"])

    def no_faults(self) -> None:
        self.control("DELETE", "/faults")

    def sevdesk_fault(self, effect: str, path: str, subdomain: str, **more: Any) -> str:
        return self.fault("sevdesk", effect, path=path, token=token_of(subdomain), **more)

    def stop_process(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGCONT)

    def run_dying(self, name: str, edge: str, how: str = "kill") -> None:
        """Start a drain worker that something happens to at an edge (tests.faults.dying_worker)."""
        command = [PYTHON, "-m", "tests.faults.dying_worker", edge, how]
        self._run(Process(name, command, self.env))

    def only(self, *names: str) -> None:
        """Take away the drain workers and run none but these."""
        for name in ("drain-1", "drain-2"):
            if name in names and not self.supervisor.is_alive(name):
                self.drop(name)
                self.start_again(name)
            elif name not in names:
                self.drop(name)

    def drop(self, name: str) -> None:
        """Forget a process that is dead, or kill it."""
        if name in self.supervisor._running:
            self.kill(name)

    # --- the checker -------------------------------------------------------------------------

    def check(self, *subdomains: str, **expected: Any) -> None:
        """Assert that every invariant holds for these spaces."""
        found = self.broken(*subdomains, **expected)
        assert found == [], "\n".join(found)

    def broken(self, *subdomains: str, **expected: Any) -> list[str]:
        state = self.state()
        hooks = {one["callback_url"] for space in state["spaces"] for one in space["subscriptions"]}
        secrets = {found[1] for hook in hooks if (found := re.search(r"/cobot/([^/]+)/", hook))}
        known = {CLIENT_SECRET, *secrets, *(one["token"] for one in state["sevdesk"])}
        seen = Outside(state, self.calls(), self.database, subdomains, self._texts(), known)
        return broken(seen, Expected(**expected))

    def _texts(self) -> Iterator[tuple[str, bytes]]:
        """Yield the logs and the queue's files."""
        own = {"keys.json", "world.json", "simulator.log"}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name not in own and not path.name.startswith("portal.db"):
                yield path.name, path.read_bytes()


def wait_for(is_so: Callable[[], object], what: str, *, seconds: float = 30) -> None:
    """Return when it is so; bounded."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.05)
