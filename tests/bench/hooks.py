"""Row 1: webhooks taken in, beside the same done by hand, and beside doing nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from portal.stack import LOOPBACK, PYTHON, free_port
from portal.supervisor import Process
from tests.bench.figures import Figure, Goal, quantile
from tests.bench.load import Load, post_for
from tests.bench.places import Place
from tests.bench.run import Run

SPACE = "anklopfen"
BY_HAND = "tests.bench.baselines.hook_by_hand:app"
BY_HAND_LEAST = 0.7
P99_MS = 100
WARM_UP_SECONDS = 0.5


def measure(run: Run) -> Iterator[Figure]:
    """Send a burst to the portal and to the server by hand, one after the other, round by round."""
    for database in run.databases:
        with run.folder() as folder, Place(folder, database, SPACE) as place:
            place.connect(SPACE)
            yield from _measure(run, place, database)


def _measure(run: Run, place: Place, database: str) -> Iterator[Figure]:
    ours = place.hook_address(SPACE)
    other = _start_by_hand(place)
    by_hand = f"{other}/by-hand{ours.partition('/hooks/cobot')[2]}"
    seconds = 3.0 if not run.is_small else 1.0
    numbers = count()

    def burst(url: str, seconds: float) -> Load:
        return post_for(url, (_body(place, number) for number in numbers), seconds)

    loads: dict[str, list[Load]] = {ours: [], by_hand: [], f"{other}/nothing": []}
    warm_up = {url: burst(url, WARM_UP_SECONDS) for url in loads}[ours]
    for _ in range(run.rounds):
        for url, found in loads.items():
            found.append(burst(url, seconds))
    answers = [load.statuses for load in (warm_up, *loads[ours])]
    accepted = sum(found.get(202, 0) for found in answers)
    refused = sum(sum(found.values()) for found in answers) - accepted
    rates, at_hand, idle = ([load.per_second for load in found] for found in loads.values())
    name = f"webhooks a second, {database}"
    goal = Goal(at_least=BY_HAND_LEAST, is_ratio=True)
    yield Figure(1, name, "/s", rates, "by hand (/s)", at_hand, goal)
    yield Figure(1, name, "/s", rates, "a route that does nothing (/s)", idle)
    for share, limit in ((0.5, None), (0.99, Goal(P99_MS))):
        found = [1000 * quantile(load.latencies, share) for load in loads[ours]]
        base = [1000 * quantile(load.latencies, share) for load in loads[by_hand]]
        what = f"webhook answered, p{share * 100:.0f}, {database}"
        yield Figure(1, what, "ms", found, "by hand (ms)", base, limit)
    kept = place.database.one("SELECT count(*) AS n FROM inbox_event WHERE remote_id LIKE 'n-%'")
    missing = max(0, accepted - int(kept["n"]))
    what = f"2xx without a row, {database}"
    yield Figure(1, what, "", [missing], goal=Goal(0), is_count=True)
    yield Figure(1, f"webhooks refused, {database}", "", [refused], goal=Goal(0), is_count=True)


def _body(place: Place, number: int) -> dict[str, str]:
    return place.hook_body(SPACE, f"n-{number}")


def _start_by_hand(place: Place) -> str:
    """Start the server by hand with the portal's own settings of gunicorn; return its address."""
    port = free_port()
    command = [PYTHON, "-m", "gunicorn", "--bind", f"{LOOPBACK}:{port}", BY_HAND]
    place.run(Process("by-hand", command, place.env))
    address = f"http://{LOOPBACK}:{port}"
    place.wait_until(lambda: place.answers(f"{address}/nothing"), "the server by hand")
    return address
