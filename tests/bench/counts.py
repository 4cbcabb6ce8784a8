"""Row 2: calls to the remote sides for each kind of invoice and for a new member."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.figures import Figure, Goal
from tests.bench.places import Place
from tests.bench.run import Run
from tests.browserless import Form
from tests.e2e.worlds import line, member, unknown
from tests.stack import Json

SPACE = "zaehlwerk"
SEVERAL = 5
LISTS = ("/invoices", "/Contact", "/forRevenue", "/CostCenter")
"""Read once for many invoices."""
FRESH, MISMATCH, BLOCKED, BACKFILL, MEMBER = 6, 8, 2, 5, 10


def measure(run: Run) -> Iterator[Figure]:
    """Count what the simulator saw: caches warm, one thing after the other."""
    with run.folder() as folder, Place(folder, run.main_database, SPACE, drains=1) as place:
        place.connect(SPACE)
        counting = Counting(place)
        counting.member("mem-warm")
        counting.invoices("warm", 1)
        fresh = counting.invoices("fresh", SEVERAL)
        yield _figure("a fresh invoice", fresh, FRESH)
        mismatch = counting.invoices("mismatch", SEVERAL, debitor=unknown(SPACE))
        yield _figure("a mismatch", mismatch, MISMATCH)
        blocked, charts = counting.blocked("blocked", SEVERAL)
        yield _figure("a blocked invoice", blocked, BLOCKED)
        yield Figure(
            2,
            f"reads of the chart for {SEVERAL} blocked",
            "",
            [charts],
            goal=Goal(1),
            is_count=True,
        )
        yield _figure("an invoice of a backfill", [counting.backfill("old", SEVERAL)], BACKFILL)
        yield _figure("a new member", [counting.member("mem-new")], MEMBER)


def _figure(what: str, calls: list[float], floor: int) -> Figure:
    base = "the floor of the remote sides"
    return Figure(2, f"calls for {what}", "", calls, base, [floor], Goal(floor), is_count=True)


class Counting:
    """Makes one thing after the other and counts the calls each took."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._address = place.hook_address(SPACE)

    def invoices(self, prefix: str, count: int, **given: object) -> list[float]:
        found = []
        for one in self._place.issue(SPACE, count, prefix, **given):
            mark, done = self._place.last_call(), self._place.finished()
            self._place.send_hook(self._address, SPACE, one)
            self._wait(lambda done=done: self._place.finished() > done)
            found.append(float(len(self._calls(mark))))
        return found

    def blocked(self, prefix: str, count: int) -> tuple[list[float], int]:
        """Return the calls of each invoice apart from reads of the chart, and those reads."""
        # A chart younger than 30 s would not be read anew.
        self._place.database.change(
            "UPDATE chart SET read_at = :old", old=self._place.database.moment(-60)
        )
        found, charts = [], 0
        items = [line(code="Nirgends")]
        for one in self._place.issue(SPACE, count, prefix, items=items):
            mark, known = self._place.last_call(), self._told()
            self._place.send_hook(self._address, SPACE, one)
            self._wait(lambda known=known: self._told() > known)
            calls = self._calls(mark)
            reads = sum("ReceiptGuidance" in call["path"] for call in calls)
            charts += reads
            found.append(float(len(calls) - reads))
        return found, charts

    def backfill(self, prefix: str, count: int) -> float:
        """Return the calls for each invoice of a backfill, apart from the lists for all of them."""
        self._place.issue(SPACE, count, prefix, invoiceDate="2025-05-01")
        path, person = f"/spaces/{SPACE}/backfill", self._place.person()
        days = {"from_date": "2025-05-01", "to_date": "2025-05-01"}
        person.submit(person.get(path).form(path), **days)

        def start() -> list[Form]:
            return [one for one in person.get(path).forms() if one.action.endswith("/start")]

        self._wait(start)
        mark, done = self._place.last_call(), self._place.finished()
        person.submit(start()[0])
        self._wait(lambda: self._place.finished() >= done + count)
        calls = self._calls(mark)
        lists = [call for call in calls if call["path"].endswith(LISTS)]
        return (len(calls) - len(lists)) / count

    def member(self, member_id: str) -> float:
        """Return the calls of a member who becomes a contact with address and e-mail."""
        mark = self._place.last_call()
        new = member(member_id, "Nora Neu", f"9{member_id}")
        self._place.control("POST", f"/cobot/spaces/{SPACE}/memberships", new)
        self._wait(
            lambda: self._place.database.rows(
                "SELECT 1 FROM member_sync WHERE state = 'synced' AND cobot_membership_id = :id",
                id=member_id,
            )
        )
        return float(len(self._calls(mark)))

    def _calls(self, mark: int) -> list[Json]:
        return [call for call in self._place.calls(mark) if call["side"] != "webhook"]

    def _told(self) -> int:
        found = self._place.database.rows(
            "SELECT id FROM invoice_sync WHERE state = 'failed' AND next_try_at IS NULL"
        )
        return len(found)

    def _wait(self, is_so: object) -> None:
        self._place.wait_until(is_so, "it to be done", every=0.05)  # type: ignore[arg-type]
