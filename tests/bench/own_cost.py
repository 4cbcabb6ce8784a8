"""Row 3: what the portal adds to the remote calls of an invoice."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from tests.bench.baselines.replay import replay
from tests.bench.figures import Figure, Goal
from tests.bench.places import Place
from tests.bench.run import Run
from tests.bench.timed import TimedWorker

OWN_MS = 15
WARM_UP = 30
SPACE = "eigenzeit"


def measure(run: Run) -> Iterator[Figure]:
    """Let one worker book invoices without any latency; then send the same calls by hand."""
    count = run.size(1000, 100) // run.rounds
    for database in run.databases:
        own, asking, whole = [], [], []
        with run.folder() as folder, Place(folder, database, SPACE) as place:
            place.connect(SPACE)
            worker = TimedWorker(place)
            worker.start()
            worker.book(SPACE, WARM_UP, "W")
            for number in range(run.rounds):
                taken = worker.book(SPACE, count, f"R{number}")
                own.append(median(one.own_ms for one in taken))
                asking.append(median(1000 * one.database for one in taken))
                whole.append(median(1000 * one.seconds for one in taken))
            worker.end()
            calls = worker.calls()
            alone = [1000 * median(replay(calls)) for _ in range(run.rounds)]
        yield Figure(3, f"own time of an invoice, {database}", "ms", own, goal=Goal(OWN_MS))
        yield Figure(3, f"of it until the database had answered, {database}", "ms", asking)
        base = "the same calls in a bare loop (ms)"
        yield Figure(3, f"an invoice as a whole, {database}", "ms", whole, base, alone)
