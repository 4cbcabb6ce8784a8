"""Row 10: the portal's worker beside the way it is usually done."""

from __future__ import annotations

import time
from collections.abc import Iterator

from redis import Redis
from rq import Queue

from portal.stack import PYTHON
from portal.supervisor import Process
from tests.bench.figures import Figure
from tests.bench.places import Place
from tests.bench.run import Run
from tests.bench.timed import TimedWorker

SPACE = "vergleich"
QUEUE = "one-job-each"
JOB = "tests.bench.baselines.job_per_invoice.book"
OURS, THEIRS = "invoices a second, this portal", "a job each, no reuse (/s)"


def measure(run: Run) -> Iterator[Figure]:
    """Let both book the same number of invoices, in turn, against the same simulator."""
    count = run.size(60, 20)
    with run.folder() as folder, Place(folder, run.main_database, SPACE) as place:
        place.connect(SPACE)
        worker = TimedWorker(place)
        worker.start()
        worker.book(SPACE, 20, "W")
        others = Others(place, worker.calls())
        others.book(3, "WO")
        ours, theirs, our_calls, their_calls = [], [], [], []
        for number in range(run.rounds):
            mark = place.last_call()
            taken = worker.book(SPACE, count, f"R{number}")
            ours.append(len(taken) / sum(one.seconds for one in taken))
            our_calls.append(len(place.calls(mark)) / count)
            mark = place.last_call()
            theirs.append(others.book(count, f"O{number}"))
            their_calls.append(len(place.calls(mark)) / count)
    note = "one worker each, no latency, plain HTTP"
    yield Figure(10, OURS, "/s", ours, THEIRS, theirs, note=note)
    yield Figure(10, "calls per invoice", "", our_calls, "a job each", their_calls)


class Others:
    """A forking worker on a queue of its own, and a table for what it booked."""

    def __init__(self, place: Place, calls: list[dict[str, object]]) -> None:
        self._place = place
        self._redis = Redis.from_url(place.env["REDIS_URL"])
        place.database.change("CREATE TABLE booked (invoice VARCHAR(64), voucher VARCHAR(64))")
        headers = {str(call["url"]): call["headers"] for call in calls}
        cobot = next(found for url, found in headers.items() if "/cobot-api/" in url)
        sevdesk = next(found for url, found in headers.items() if "/sevdesk/" in url)
        url = place.env["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
        env = {
            **place.env,
            "BENCH_COBOT_TOKEN": cobot["Authorization"],  # type: ignore[index]
            "BENCH_SEVDESK_TOKEN": sevdesk["Authorization"],  # type: ignore[index]
            "BENCH_DATABASE": url,
        }
        command = [PYTHON, "-m", "rq.cli", "worker", QUEUE, "--url", place.env["REDIS_URL"]]
        place.run(Process("others", command, env))

    def book(self, count: int, prefix: str) -> float:
        """Return how many a second were booked, from the first job on."""
        ids = self._place.issue(SPACE, count, prefix)
        queue = Queue(QUEUE, connection=self._redis)
        done = self._booked()
        began = time.monotonic()
        for one in ids:
            queue.enqueue(JOB, one)
        self._place.wait_until(
            lambda: self._booked() >= done + count, "the jobs to be done", seconds=300, every=0.05
        )
        return count / (time.monotonic() - began)

    def _booked(self) -> int:
        return int(self._place.database.one("SELECT count(*) AS n FROM booked")["n"])
