"""Row 6: ten thousand spaces and a million invoices: what upkeep costs, and what memory grows."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from portal.services import upkeep
from tests.bench.figures import Figure, Goal
from tests.bench.fill import Filler
from tests.bench.inside import portal_of
from tests.bench.load import post_for
from tests.bench.places import Place
from tests.bench.run import Run
from tests.bench.timed import TimedWorker

SPACE = "vielraum"
DUE = 200
PASS_MS = 1000
GROWTH = 1.1
PAST = 1.3
EARLY = 100
VISITS = 300


def measure(run: Run) -> Iterator[Figure]:
    """Fill, make 200 spaces due, sweep; then let invoices pass through and weigh the processes."""
    for database in run.databases:
        with run.folder() as folder, Place(folder, database, SPACE) as place:
            place.connect(SPACE)
            yield from _passes(run, place, database)
    with run.folder() as folder, Place(folder, run.main_database, SPACE) as place:
        place.connect(SPACE)
        yield from _memory(run, place)


def _passes(run: Run, place: Place, database: str) -> Iterator[Figure]:
    place.kill("upkeep")
    filler = Filler(place, SPACE)
    spaces, invoices = run.size(10_000, 500), run.size(1_000_000, 20_000)
    filler.add_spaces(spaces)
    taken: dict[int, list[float]] = {}
    for size in (invoices // 10, invoices):
        filler.grow_to(size)
        with portal_of(place):
            upkeep.sweep_all_spaces()  # the first finds everything new
            taken[size] = [_pass(place) for _ in range(run.rounds)]
    bare = [_bare(place) for _ in range(run.rounds)]
    where = f"{spaces:,} spaces, {invoices:,} invoices, {DUE} due, {database}"
    base = "a bare indexed SELECT (ms)"
    now, before = taken[invoices], taken[invoices // 10]
    yield Figure(6, f"a pass of upkeep, {where}", "ms", now, base, bare, Goal(PASS_MS))
    past = Goal(at_most=PAST, is_ratio=True)
    base = f"with {invoices // 10:,} (ms)"
    what = f"the same with ten times as many past invoices, {database}"
    yield Figure(6, what, "ms", now, base, before, past)


def _pass(place: Place) -> float:
    """Return the milliseconds of one tick and one sweep with so many spaces due."""
    redis = Redis.from_url(place.env["REDIS_URL"])
    redis.flushall()
    redis.close()
    place.database.change("UPDATE space SET wake_at = NULL")
    place.database.change(
        "UPDATE space SET wake_at = :now WHERE id IN"
        " (SELECT id FROM space WHERE cobot_id LIKE 'f-%' LIMIT :count)",
        now=place.database.moment(-1),
        count=DUE,
    )
    began = time.perf_counter()
    upkeep.sweep_all_spaces()
    woken = upkeep.tick_all_spaces()
    took = time.perf_counter() - began
    assert woken == DUE, woken
    return 1000 * took


def _bare(place: Place) -> float:
    url = place.env["DATABASE_URL"]
    is_sqlite = url.startswith("sqlite")
    connection: Any = (
        sqlite3.connect(url.removeprefix("sqlite:///")) if is_sqlite else psycopg.connect(url)
    )
    statement = f"SELECT id FROM space WHERE wake_at <= {'?' if is_sqlite else '%s'}"
    connection.execute(statement, (place.database.moment(0),)).fetchall()
    began = time.perf_counter()
    connection.execute(statement, (place.database.moment(120),)).fetchall()
    took = time.perf_counter() - began
    connection.close()
    return 1000 * took


def _memory(run: Run, place: Place) -> Iterator[Figure]:
    """Book many invoices in one worker and send as many webhooks to the web process."""
    count = run.size(10_000, 600)
    worker = TimedWorker(place)
    worker.start()
    early = worker.book(SPACE, EARLY + 1, "E")[-1].resident_mb
    web, sweeper = place.pid("web"), place.pid("upkeep")
    _use(place, EARLY)
    web_early, sweeper_early = _resident_mb(web), _resident_mb(sweeper)
    late = worker.book(SPACE, count - EARLY, "L")[-1].resident_mb
    _use(place, count)
    where = f"resident after {count:,} invoices"
    goal = Goal(at_most=GROWTH, is_ratio=True)
    base = f"after {EARLY} (MB)"
    yield Figure(6, f"worker, {where}", "MB", [late], base, [early], goal)
    yield Figure(6, f"web, {where}", "MB", [_resident_mb(web)], base, [web_early], goal)
    now = _resident_mb(sweeper)
    yield Figure(6, f"upkeep, {where}", "MB", [now], base, [sweeper_early], goal)


def _use(place: Place, count: int) -> None:
    """Send so many webhooks and look at the log as often as people would."""
    person = place.person()
    for _ in range(min(count, VISITS)):
        person.http.get(f"{place.portal_url}/spaces/{SPACE}/log", timeout=60)
    person.http.close()
    # Webhooks of things that are known already: they make no work, and use every part of the way.
    bodies = iter([place.hook_body(SPACE, f"inv-{n:06}") for n in range(1, count + 1)])

    def until_done() -> Iterator[dict[str, str]]:
        yield from bodies
        while True:
            yield place.hook_body(SPACE, "inv-000001")

    address = place.hook_address(SPACE).replace("created_invoice", "sent_invoice")
    post_for(address, until_done(), seconds=max(1.0, count / 200))


def _resident_mb(pid: int) -> float:
    """Return the memory of a process and of those it started (gunicorn answers in a child)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return own + sum(_resident_mb(int(child)) for child in children)
