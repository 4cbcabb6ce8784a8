"""Row 7: do more workers do more, as long as the other side's latency is what takes the time?"""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.figures import Figure, Goal
from tests.bench.places import Place
from tests.bench.run import Run

SPACES = 40
LATENCY = ("--latency-ms", "150", "--cobot-per-minute", "0")
COUNTS = (1, 2, 4)
SHARE = 0.9


def measure(run: Run) -> Iterator[Figure]:
    """Give every space one invoice, all at once, to one, two and four workers in turn."""
    spaces = [f"w{number:02}" for number in range(run.size(SPACES, 12))]
    rates: dict[int, list[float]] = {count: [] for count in COUNTS}
    database = run.main_database
    with run.folder() as folder, Place(folder, database, *spaces, simulator=LATENCY) as place:
        place.connect(*spaces)
        for number in range(run.rounds):
            for count in COUNTS:
                names = place.start_drains(count)
                # One for each first, so that all workers are up, connected and warm.
                _book(place, spaces, f"warm-{number}-{count}")
                rates[count].append(_book(place, spaces, f"{number}-{count}"))
                place.end_drains(names)
    note = f"{len(spaces)} spaces, 150 ms latency"
    yield Figure(7, "invoices a second, 1 worker", "/s", rates[1], note=note)
    for count in COUNTS[1:]:
        goal = Goal(at_least=SHARE * count, is_ratio=True)
        what = f"invoices a second, {count} workers"
        yield Figure(7, what, "/s", rates[count], "1 worker (/s)", rates[1], goal)


def _book(place: Place, spaces: list[str], prefix: str) -> float:
    """Return how many invoices a second were booked, by the simulator's own clock."""
    for one in spaces:
        place.announce(one, place.issue(one, 1, prefix))
    mark, done = place.last_call(), place.finished()
    place.wake(*spaces)
    place.wait_until(
        lambda: place.finished() >= done + len(spaces), "all to be booked", seconds=180, every=0.1
    )
    calls = place.calls(mark)
    end = max(call["at"] + call["ms"] / 1000 for call in calls)
    return len(spaces) / (end - min(call["at"] for call in calls))
