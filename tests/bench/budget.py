"""Row 4: is the budget of calls used to the full, and does a single invoice get through?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256

from tests.bench.figures import Figure, Goal
from tests.bench.places import Place
from tests.bench.run import Run
from tests.e2e.worlds import token_of

CALLS_PER_SECOND = 4
CALLS_PER_INVOICE = 4
"""To sevdesk: look, upload, save, tag."""
SETTINGS = {"SEVDESK_CALLS_PER_SECOND": str(CALLS_PER_SECOND), "COBOT_CALLS_PER_MINUTE": "600"}
SIMULATOR = ("--latency-ms", "100", "--cobot-per-minute", "600")
SINGLE = "nachbar"
USED = 95
SINGLE_SECONDS = 10
WORKERS = 6
"""More than there are spaces: each keeps one busy for two thirds of the time."""


def measure(run: Run) -> Iterator[Figure]:
    """Let as many spaces as there are rounds burst at once, each with a budget of its own."""
    count = run.size(120, 20)
    spaces = [f"stoss{number}" for number in range(run.rounds)]
    database = run.main_database
    with (
        run.folder() as folder,
        Place(folder, database, *spaces, SINGLE, settings=SETTINGS, simulator=SIMULATOR) as place,
    ):
        place.connect(*spaces, SINGLE)
        place.start_drains(WORKERS)
        ready = {one: place.issue(one, count, one) for one in spaces}
        singles = place.issue(SINGLE, run.rounds, SINGLE)
        address = place.hook_address(SINGLE)
        mark = place.last_call()
        for one, ids in ready.items():
            place.announce(one, ids)
        place.wake(*spaces)
        waits = []
        for done, one in enumerate(singles, start=1):
            time.sleep(2)  # somewhere in the middle of the burst
            began = time.monotonic()
            place.send_hook(address, SINGLE, one)
            place.wait_until(
                lambda done=done: place.finished(SINGLE) >= done, "the single one", seconds=120
            )
            waits.append(time.monotonic() - began)
        place.wait_until(
            lambda: place.finished("stoss%") >= count * len(spaces),
            "all to be booked",
            seconds=count * 5,
            every=0.5,
        )
        calls = place.calls(mark)
    used = []
    for one in spaces:
        caller = sha256(token_of(one).encode()).hexdigest()[:12]
        at = sorted(call["at"] for call in calls if call["caller"] == caller)
        used.append(100 * (len(at) - CALLS_PER_SECOND) / (at[-1] - at[0]) / CALLS_PER_SECOND)
    refused = sum(call["status"] == 429 for call in calls)
    what = f"of sevdesk's budget used in a burst of {count}"
    note = f"{len(spaces)} spaces at once, each a round; {WORKERS} workers"
    yield Figure(4, what, "%", used, "4 calls a second (%)", [100], Goal(at_least=USED), note=note)
    yield Figure(4, "a single invoice meanwhile", "s", waits, goal=Goal(SINGLE_SECONDS))
    yield Figure(4, "calls over the limit", "", [refused], goal=Goal(0), is_count=True)
