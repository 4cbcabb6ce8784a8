"""Row 40: everything at once, at random, then heal, then look: `python -m tests.faults.storm`.

The same seed does the same things in the same order; when they hit is up to the machine. With
TEST_DATABASE_URL it runs on PostgreSQL, otherwise on SQLite.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import requests
from redis.exceptions import RedisError

from tests.browserless import PageFault
from tests.calendar_day import today
from tests.e2e.worlds import ACCOUNT, line, member, token_of, unknown
from tests.faults.ground import Ground
from tests.stack import StackFailed

SPACES = ("sturm-a", "sturm-b")
KILLED = (
    *("drain-1", "drain-2", "drain-1", "drain-2"),
    *("web", "upkeep", "interactive", "backfill", "valkey"),
)
SAVE = "/Voucher/Factory/saveVoucher"
CALLS = (
    ("sevdesk", SAVE),
    ("sevdesk", SAVE),
    ("sevdesk", "/Voucher"),
    ("sevdesk", "/Voucher/Factory/uploadTempFile"),
    ("sevdesk", "/Tag/Factory/create"),
    ("sevdesk", "/Contact*"),
    ("sevdesk", "/ReceiptGuidance/*"),
    ("cobot-api", "/invoices/*"),
    ("cobot-api", "/invoices/*.pdf"),
    ("cobot-space", "/api/memberships/*"),
    ("cobot-space", "/api/activities"),
)
EFFECTS = (
    *("reset_before", "reset_after_commit", "status_after_commit:500", "status_after_commit:502"),
    *("no_id_after_commit", "status:500", "status:503", "status:429", "status:429:retry-after=1"),
    *("status:401", "status:403", "status:402", "hang:1", "hang_after_commit:2", "slow_body:2"),
    *("status:422", "status:404", "garbage"),
)
HEAL_SECONDS = 240
MOST_BLACKOUTS = 3


class Storm:
    """One storm with one seed over one stack."""

    def __init__(self, ground: Ground, seed: int, invoices: int) -> None:
        self.ground = ground
        self.dice = random.Random(seed)
        self.left = invoices
        self.made: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()
        self._later: list[tuple[float, Callable[[], object]]] = []

    def rage(self, seconds: float | None) -> None:
        """Make invoices and trouble until all are made, or for so long."""
        begun, all_of_them = time.monotonic(), self.left
        acts = (
            *6 * [self._invoices],
            *4 * [self._fault],
            *3 * [self._kill],
            *2 * [self._edit],
            *(self._member, self._delete, self._flush, self._stop, self._cut, self._repair),
            *(self._retry, self._hooks, self._lag, self._deploy, self._blackout, self._token),
        )
        while self.left > 0 or (seconds and time.monotonic() - begun < seconds):
            share = (time.monotonic() - begun) / seconds if seconds else 1.0
            act = self.dice.choice(acts)
            if act == self._invoices and all_of_them - self.left > share * all_of_them:
                continue
            # The portal is in pieces: what a person does may fail, and is done again or not.
            with suppress(requests.RequestException, PageFault, RedisError):
                act()
            self._do_what_is_due()
            time.sleep(self.dice.uniform(0.02, 0.3))

    def heal(self) -> None:
        """End all trouble and wait until nothing is in work. Raises StackFailed."""
        for way in self.ground.ways.values():
            way.heal()
        self._do_what_is_due(everything=True)
        self.ground.no_faults()
        self._settle()
        for space in SPACES:
            self.ground.catch_up_again(space)
        self._settle()

    def _settle(self) -> None:
        def is_quiet() -> bool:
            self.ground.revive()
            for space in SPACES:
                if self.ground.space_row(space)["paused_at"]:
                    self.ground.probe_now(space)
            self.ground.a_minute_passes()
            return not (self._open_deliveries() or self._open_rows())

        self.ground.wait_until(is_quiet, "everything to end", seconds=HEAL_SECONDS, every=0.5)

    def _open_rows(self) -> int:
        return int(
            self.ground.database.one(
                "SELECT (SELECT count(*) FROM invoice_sync WHERE next_try_at IS NOT NULL"
                " OR state IN ('waiting', 'sending', 'unknown'))"
                " + (SELECT count(*) FROM member_sync WHERE next_try_at IS NOT NULL)"
                " + (SELECT count(*) FROM inbox_event WHERE handled_at IS NULL) AS open"
            )["open"]
        )

    def _open_deliveries(self) -> bool:
        return any(
            delivery["next_at"] is not None
            for space in self.ground.state()["spaces"]
            for delivery in space["deliveries"]
        )

    # --- what happens ------------------------------------------------------------------------

    def _invoices(self) -> None:
        for _ in range(min(self.left, self.dice.randint(1, 8))):
            space, number = self.dice.choice(SPACES), f"S-{self.left}"
            given: dict[str, object] = {"invoiceDate": today().isoformat()}
            kind = self.dice.random()
            if kind < 0.15:
                given["debitor"] = unknown(space)
            elif kind < 0.25:
                given["items"] = [line("Parkplatz")]
            elif kind < 0.28:
                given["items"] = [line(net="0.0")]
            elif kind < 0.4:
                given["items"] = [line(net=f"{self.dice.randint(1, 999)}.0"), line(net="3.33")]
            made = self.ground.invoice(space, number, **given)
            self.left -= 1
            self.made.append((space, made))

    def _member(self) -> None:
        self.counts["members"] += 1
        name = f"mem-sturm-{self.counts['members']}"
        space = self.dice.choice(SPACES)
        body = member(name, f"Mia Sturm{self.counts['members']}", None)
        self.ground.control("POST", f"/cobot/spaces/{space}/memberships", body)
        debtor = {"type": "memberships", "id": name}
        made = self.ground.invoice(
            space, f"M-{name}", debitor=debtor, invoiceDate=today().isoformat()
        )
        self.made.append((space, made))

    def _fault(self) -> None:
        side, path = self.dice.choice(CALLS)
        self.ground.fault(side, self.dice.choice(EFFECTS), path=path, times=self.dice.randint(1, 3))
        self.counts["faults"] += 1

    def _lag(self) -> None:
        self.ground.fault("sevdesk", "search_lag:2", path="/Voucher", times=self.dice.randint(1, 6))
        self.counts["faults"] += 1

    def _hooks(self) -> None:
        effect = self.dice.choice(("drop_webhook", "duplicate_webhook:3", "reorder_webhooks"))
        self.ground.fault("webhook", effect, path="created_invoice", times=self.dice.randint(1, 4))
        self.counts["faults"] += 1

    def _kill(self) -> None:
        name = self.dice.choice(KILLED)
        if self.ground.supervisor.is_alive(name):
            self.ground.kill(name)
            self.counts["kills"] += 1
            self._after(self.dice.uniform(0, 2), lambda: self.ground.revive(name))

    def _stop(self) -> None:
        name = self.dice.choice(("drain-1", "drain-2"))
        if self.ground.supervisor.is_alive(name):
            pid = self.ground.pid(name)
            os.kill(pid, signal.SIGSTOP)
            self.counts["stops"] += 1
            self._after(self.dice.uniform(0.5, 3), lambda: _go_on(pid))

    def _cut(self) -> None:
        way = self.ground.ways[self.dice.choice(sorted(self.ground.ways))]
        self.dice.choice((way.cut, way.refuse, way.stall))()
        self.counts["cuts"] += 1
        self._after(self.dice.uniform(0.3, 2), way.heal)

    def _deploy(self) -> None:
        """Tell a process to end in its own time, as a deploy does; another takes its place."""
        name = self.dice.choice(("drain-1", "drain-2", "interactive", "backfill", "web"))
        if self.ground.supervisor.is_alive(name):
            os.kill(self.ground.pid(name), signal.SIGTERM)
            self.counts["deploys"] += 1
            self._after(self.dice.uniform(2, 6), lambda: self.ground.revive(name))

    def _blackout(self) -> None:
        """kill -9 of everything of the portal, its queue server included."""
        if self.counts["blackouts"] >= MOST_BLACKOUTS:
            return
        for name in self.ground.processes:
            if name != "simulator" and self.ground.supervisor.is_alive(name):
                self.ground.kill(name)
                self.counts["kills"] += 1
        self.counts["blackouts"] += 1
        self.ground.revive()

    def _token(self) -> None:
        """sevdesk's token is revoked for a while; the space is paused and probed."""
        path = f"/sevdesk/{token_of(self.dice.choice(SPACES))}"
        self.ground.control("PATCH", path, {"revoked": True})
        self.counts["revocations"] += 1
        self._after(
            self.dice.uniform(0.5, 3),
            lambda: self.ground.control("PATCH", path, {"revoked": False}),
        )

    def _flush(self) -> None:
        self.ground.redis.flushall()
        self.counts["flushes"] += 1

    def _edit(self) -> None:
        space, made = self.dice.choice(self.made or [(SPACES[0], "none")])
        change = {"items": [line(net=f"{self.dice.randint(1, 500)}.0")]}
        with suppress(AssertionError):  # deleted in the meantime
            self.ground.control("PATCH", f"/cobot/spaces/{space}/invoices/{made}", change)
            self.counts["edits"] += 1

    def _delete(self) -> None:
        space, made = self.dice.choice(self.made or [(SPACES[0], "none")])
        with suppress(AssertionError):
            self.ground.control("DELETE", f"/cobot/spaces/{space}/invoices/{made}")
            self.counts["deletions"] += 1

    def _repair(self) -> None:
        """Make the account that was missing; later it is deleted again."""
        space = self.dice.choice(SPACES)
        path = f"/sevdesk/{token_of(space)}/accounts"
        account = {"id": "3700", "number": ACCOUNT[:2] + "77", "name": "Parkplatz"}
        rules = {"1": [0, 7, 19]}
        with suppress(AssertionError):
            self.ground.control("POST", path, {**account, "types": ["REVENUE"], "rules": rules})
            self.counts["repairs"] += 1

    def _retry(self) -> None:
        space, made = self.dice.choice(self.made or [(SPACES[0], "none")])
        self.ground.person.retry(space, made)
        self.counts["retries"] += 1

    def _after(self, seconds: float, act: Callable[[], object]) -> None:
        self._later.append((time.monotonic() + seconds, act))

    def _do_what_is_due(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        due = [one for one in self._later if everything or one[0] <= now]
        self._later = [one for one in self._later if one not in due]
        for _, act in due:
            act()


def _go_on(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def run(seed: int, invoices: int, seconds: float | None, folder: Path) -> list[str]:
    """Run one storm; print a line and return what does not hold."""
    begun = time.monotonic()
    with Ground(folder, *SPACES) as ground:
        ground.connect(*SPACES)
        storm = Storm(ground, seed, invoices)
        storm.rage(seconds)
        try:
            storm.heal()
            found = ground.broken(*SPACES, kills=storm.counts["kills"] + storm.counts["cuts"])
        except StackFailed as err:
            found = [f"it did not heal: {str(err).splitlines()[0]}", *_left(ground)]
        kind = "SQLite" if ground.is_sqlite else "PostgreSQL"
    what = ", ".join(f"{count} {name}" for name, count in sorted(storm.counts.items()))
    result = "no loss, no double" if not found else f"{len(found)} FINDINGS"
    took = time.monotonic() - begun
    print(f"storm seed={seed} invoices={invoices} {kind}: {result} ({took:.0f} s; {what})")
    for one in found:
        print(f"  {one}")
    sys.stdout.flush()
    return found


def _left(ground: Ground) -> list[str]:
    return [
        f"{one['number']} is {one['state']} {one['cause_code']}, next {one['next_try_at']}"
        for space in SPACES
        for one in ground.rows(space)
        if one["state"] in {"waiting", "sending", "unknown"} or one["next_try_at"]
    ][:10]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds, from --seed on")
    parser.add_argument("--invoices", type=int, default=1000)
    parser.add_argument("--seconds", type=float, help="spread the invoices over so long")
    parser.add_argument("--keep", type=Path, help="keep logs and database in this folder")
    given = parser.parse_args()
    failed = 0
    for seed in range(given.seed, given.seed + given.seeds):
        with tempfile.TemporaryDirectory(prefix="storm-") as temporary:
            folder = (given.keep or Path(temporary)) / str(seed)
            folder.mkdir(parents=True, exist_ok=True)
            failed += bool(run(seed, given.invoices, given.seconds, folder))
    print(f"{given.seeds - failed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
