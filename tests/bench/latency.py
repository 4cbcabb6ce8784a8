"""Row 8: from the webhook to the receipt while nothing else is going on."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.baselines.replay import replay
from tests.bench.figures import Figure, Goal, quantile
from tests.bench.places import Place
from tests.bench.run import Run
from tests.bench.timed import TimedWorker

SPACE = "eilbote"
OWN_P50_MS = 60
CALLS = 6
PATIENCE = 0.02


def measure(run: Run) -> Iterator[Figure]:
    """Send one webhook after the other; an invoice is done when its tag is set in sevdesk."""
    count = run.size(20, 5)
    whole, slowest, own = [], [], []
    with run.folder() as folder, Place(folder, run.main_database, SPACE) as place:
        place.connect(SPACE)
        worker = TimedWorker(place)
        worker.start()
        address = place.hook_address(SPACE)
        alone = []
        for number in range(run.rounds + 1):
            taken = [
                1000 * _one(place, address, one) for one in place.issue(SPACE, count, f"R{number}")
            ]
            calls = 1000 * quantile(replay(worker.calls()[: CALLS * count]), 0.5)
            if number == 0:
                continue  # everything is cold
            alone.append(calls)
            whole.append(quantile(taken, 0.5))
            slowest.append(quantile(taken, 0.99))
            own.append(whole[-1] - calls)
    base = "the remote calls alone (ms)"
    name = f"from webhook to receipt, {run.main_database}"
    yield Figure(8, f"{name}, p50", "ms", whole, base, alone)
    yield Figure(8, f"{name}, p99", "ms", slowest, base, alone)
    yield Figure(8, f"own share of it, p50, {run.main_database}", "ms", own, goal=Goal(OWN_P50_MS))


def _one(place: Place, address: str, invoice_id: str) -> float:
    """Return the seconds from sending the webhook to the end of the last call."""
    mark = place.last_call()
    began = time.time()
    place.send_hook(address, SPACE, invoice_id)
    until = time.monotonic() + 30
    while True:
        tags = [call for call in place.calls(mark) if call["path"] == "/Tag/Factory/create"]
        if tags:
            return float(tags[-1]["at"] + tags[-1]["ms"] / 1000 - began)
        assert time.monotonic() < until, "the invoice was not booked"
        time.sleep(PATIENCE)
