"""Row 5: the log of a space that owns a third of all invoices, up to five million of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import psycopg

from portal.database import db
from portal.services import cause_bar
from portal.services import log as log_service
from portal.services.directory import all_spaces_named
from portal.services.log import LogFilter
from portal.tenancy import enter_space
from tests.bench.figures import Figure, Goal
from tests.bench.fill import Filler
from tests.bench.inside import Statements, portal_of
from tests.bench.places import Place
from tests.bench.run import Run

SPACE = "grossraum"
SIZES = (10_000, 1_000_000, 5_000_000)
SMALL_SIZES = (1_000, 20_000, 50_000)
PAGE = 50
FAR_PAGE = 1000
FIRST_PAGE_MS, POLL_MS = 25, 5
FAR_TIMES, GROWTH_TIMES = 1.2, 1.3
REQUESTS = 15
COLUMNS = (
    "i.id, i.number, i.invoice_date, i.gross, i.currency, i.state, i.cause_code, i.cause_params,"
    " i.sevdesk_voucher_id, i.changed_in_cobot, i.customer_number, i.sequence, p.name"
)


@dataclass
class Size:
    """What was measured with so many invoices: rounds of milliseconds by what was asked."""

    invoices: int
    whole: dict[str, list[float]]
    sql: dict[str, list[float]]
    bare: dict[str, list[float]]
    statements: int
    """The most that a page took."""


def measure(run: Run) -> Iterator[Figure]:
    """Grow the tables step by step and ask for the same pages at each size."""
    for database in run.databases:
        with run.folder() as folder, Place(folder, database, SPACE) as place:
            place.connect(SPACE)
            filler = Filler(place, SPACE)
            filler.add_spaces()
            sizes = []
            for invoices in SMALL_SIZES if run.is_small else SIZES:
                began = time.monotonic()
                filler.grow_to(invoices)
                run.tell(f"  filled to {invoices:,} ({time.monotonic() - began:.0f} s)")
                sizes.append(_measure(run, place, invoices))
        yield from _figures(database, sizes)


def _figures(database: str, sizes: list[Size]) -> Iterator[Figure]:
    least = sizes[0]
    for size in sizes:
        where = f"{_short(size.invoices)} invoices, {database}"
        for what, goal in (
            ("first page", Goal(FIRST_PAGE_MS)),
            ("page 1000", None),
            ("failed only", None),
            ("number prefix", None),
            ("empty poll", Goal(POLL_MS)),
        ):
            whole, base = size.whole[what], size.bare.get(what, ())
            name = "bare SQL (ms)" if base else ""
            yield Figure(5, f"{what}, whole answer, {where}", "ms", whole, name, base, goal)
        for what, sql in size.sql.items():
            base = size.bare.get(what, ())
            name = "bare SQL (ms)" if base else ""
            yield Figure(5, f"{what}, its SQL alone, {where}", "ms", sql, name, base)
        far, first = size.whole["page 1000"], size.whole["first page"]
        times = Goal(at_most=FAR_TIMES, is_ratio=True)
        yield Figure(5, f"page 1000, {where}", "ms", far, "first page (ms)", first, times)
        if size is not least:
            base = f"with {_short(least.invoices)} (ms)"
            times = Goal(at_most=GROWTH_TIMES, is_ratio=True)
            small = least.whole["first page"]
            yield Figure(5, f"first page, {where}", "ms", first, base, small, times)
    most = [size.statements for size in sizes]
    spread = max(most) - min(most)
    note = f"{max(most)} with any number of invoices"
    what = f"statements of a page more than with the fewest invoices, {database}"
    yield Figure(5, what, "", [spread], goal=Goal(0), is_count=True, note=note)


def _measure(run: Run, place: Place, invoices: int) -> Size:
    space_id = place.space_id(SPACE)
    far = _far_cursor(place, space_id)
    last = place.database.one("SELECT max(sequence) AS n FROM space")["n"]
    number = place.database.one(
        "SELECT max(number) AS n FROM invoice_sync WHERE space_id = :id", id=space_id
    )["n"]
    prefix = number[:-1]
    log = f"/spaces/{SPACE}/log"
    paths = {
        "first page": log,
        "page 1000": f"{log}?after={far}",
        "failed only": f"{log}?state=failed",
        "number prefix": f"{log}?q={prefix}",
        "empty poll": f"{log}/changes?after={last}",
    }
    size = Size(invoices, {what: [] for what in paths}, {}, {}, 0)
    person = place.person()
    for _ in range(run.rounds):
        for what, path in paths.items():
            url = place.portal_url + path
            size.whole[what].append(_median_ms(lambda url=url: person.http.get(url, timeout=60)))
    person.http.close()
    _sql_alone(run, place, size, {"first page": None, "page 1000": str(far)}, prefix)
    _bare(run, place, size, space_id, far, prefix)
    return size


def _sql_alone(
    run: Run, place: Place, size: Size, pages: dict[str, str | None], prefix: str
) -> None:
    """Time what the portal's own statements take, without making a page of what they find."""
    asked: dict[str, tuple[LogFilter, str | None]] = {
        what: (LogFilter(), after) for what, after in pages.items()
    }
    asked["failed only"] = (LogFilter(state="failed"), None)
    asked["number prefix"] = (LogFilter(q=prefix), None)
    with portal_of(place):
        space = all_spaces_named(SPACE)
        assert space is not None
        enter_space(space.id)
        for what, (filters, after) in asked.items():
            size.sql[what] = []
            for _ in range(run.rounds):
                taken = []
                for _ in range(REQUESTS):
                    statements = Statements()
                    with statements.counted(db.engine):
                        page = log_service.log_page(space, filters, after)
                        cause_bar.bar_of(space)
                        log_service.hits(space, filters, page.counts)
                    db.session.rollback()
                    taken.append(1000 * statements.seconds)
                    size.statements = max(size.statements, statements.count)
                size.sql[what].append(median(taken))
        size.sql["tab counts"] = []
        for _ in range(run.rounds):
            statements = Statements()
            with statements.counted(db.engine):
                log_service.counts_of(space)
            size.sql["tab counts"].append(1000 * statements.seconds)


def _bare(run: Run, place: Place, size: Size, space_id: int, far: int, prefix: str) -> None:
    """Time the same questions as bare SQL: a keyset, each by an index."""
    url = place.env["DATABASE_URL"]
    mark = "?" if url.startswith("sqlite") else "%s"
    joined = "FROM invoice_sync i LEFT JOIN person_name p ON p.id = i.person_id WHERE"
    end = f"ORDER BY i.id DESC LIMIT {PAGE + 1}"
    page = f"SELECT {COLUMNS} {joined} i.space_id = {mark}"
    asked: dict[str, tuple[str, tuple[Any, ...]]] = {
        "first page": (f"{page} {end}", (space_id,)),
        "page 1000": (f"{page} AND i.id < {mark} {end}", (space_id, far)),
        "failed only": (f"{page} AND i.state = 'failed' {end}", (space_id,)),
        "number prefix": (
            f"{page} AND i.number >= {mark} AND i.number < {mark} {end}",
            (space_id, prefix, f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}"),
        ),
        "empty poll": (f"SELECT sequence FROM space WHERE id = {mark}", (space_id,)),
        "tab counts": (
            f"SELECT state, invoices FROM state_count WHERE space_id = {mark}",
            (space_id,),
        ),
    }
    connection: Any = (
        sqlite3.connect(url.removeprefix("sqlite:///"))
        if url.startswith("sqlite")
        else psycopg.connect(url)
    )
    for what, (statement, values) in asked.items():
        size.bare[what] = [
            _median_ms(lambda s=statement, v=values: connection.execute(s, v).fetchall())
            for _ in range(run.rounds)
        ]
    connection.close()


def _median_ms(act: Callable[[], object]) -> float:
    taken = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return 1000 * median(taken)


def _far_cursor(place: Place, space_id: int) -> int:
    """Return the cursor of page 1000, or of the last page where there are not so many."""
    found = place.database.rows(
        "SELECT id FROM invoice_sync WHERE space_id = :id ORDER BY id DESC LIMIT :n",
        id=space_id,
        n=PAGE * (FAR_PAGE - 1),
    )
    return int(found[-PAGE]["id"] if len(found) < PAGE * (FAR_PAGE - 1) else found[-1]["id"])


def _short(invoices: int) -> str:
    return f"{invoices // 1_000_000} M" if invoices >= 1_000_000 else f"{invoices // 1000} k"
