"""Row 9: what a page weighs, how many requests it takes, how long the server needs; the demo."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from statistics import median
from urllib.parse import urljoin

import requests

from portal.stack import PYTHON, ROOT
from tests.bench.figures import Figure, Goal
from tests.bench.fill import Filler
from tests.bench.places import Place
from tests.bench.run import Run

SPACE = "seitenweise"
INVOICES = 200
LARGEST_KB, MOST_REQUESTS, START_SECONDS = 60, 6, 15
VISITS = 10


def measure(run: Run) -> Iterator[Figure]:
    """Visit every kind of page of a space with a full log."""
    with run.folder() as folder, Place(folder, run.main_database, SPACE) as place:
        place.connect(SPACE)
        filler = Filler(place, SPACE)
        filler.add_spaces(10)
        filler.grow_to(INVOICES)
        shown = place.database.one(
            "SELECT max(cobot_invoice_id) AS id FROM invoice_sync WHERE space_id = :id",
            id=place.space_id(SPACE),
        )["id"]
        below = f"/spaces/{SPACE}"
        paths = {
            "sign-in": "/login",
            "spaces": "/spaces",
            "overview": "/overview",
            "log": f"{below}/log",
            "invoice": f"{below}/invoices/{shown}",
            "sevdesk data": f"{below}/sevdesk",
            "settings": f"{below}/settings",
            "help": "/help",
        }
        person = place.person()
        weights, counts = {}, {}
        for what, path in paths.items():
            visitor = requests.Session() if what == "sign-in" else person.http
            url = place.portal_url + path
            times = [
                1000 * median(_seconds(visitor, url) for _ in range(VISITS))
                for _ in range(run.rounds)
            ]
            weights[what], counts[what] = _weigh(visitor, url)
            yield Figure(9, f"server time of the page: {what}", "ms", times)
        person.http.close()
    heaviest = max(weights, key=lambda what: weights[what])
    most = max(counts, key=lambda what: counts[what])
    yield Figure(
        9,
        "weight of the heaviest page with all it loads, compressed",
        "kB",
        [weights[heaviest]],
        goal=Goal(LARGEST_KB),
        is_count=True,
        note=", ".join(f"{what} {weight:.0f}" for what, weight in weights.items()),
    )
    note = f"{most}; the first visit, nothing kept by the browser"
    goal = Goal(MOST_REQUESTS)
    yield Figure(9, "requests of a page", "", [counts[most]], goal=goal, is_count=True, note=note)
    starts = [_start_of_demo() for _ in range(run.rounds)]
    yield Figure(9, "start of `make demo` (installed)", "s", starts, goal=Goal(START_SECONDS))


def _seconds(visitor: requests.Session, url: str) -> float:
    began = time.perf_counter()
    answer = visitor.get(url, timeout=60)
    took = time.perf_counter() - began
    assert answer.ok, f"{url}: {answer.status_code}"
    return took


def _weigh(visitor: requests.Session, url: str) -> tuple[float, int]:
    """Return kilobytes and requests of a first visit, every body compressed as gzip does it."""
    page = visitor.get(url, timeout=60)
    bodies = {url: page.content}
    icons = 0
    for tag in re.finditer(r"<(?:script|link|img)\b[^>]*>", page.text):
        address = re.search(r'(?:src|href)="([^"]+)"', tag[0])
        is_icon = 'rel="icon"' in tag[0]
        # A browser takes one of several icons.
        if address is None or (is_icon and icons):
            continue
        icons += is_icon
        whole = urljoin(url, address[1].replace("&amp;", "&"))
        bodies[whole] = visitor.get(whole, timeout=60).content
    return sum(len(gzip.compress(body, 6)) for body in bodies.values()) / 1000, len(bodies)


def _start_of_demo() -> float:
    """Return the seconds until the demo says that it is ready."""
    began = time.monotonic()
    env = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
    demo = subprocess.Popen(
        [PYTHON, "-u", "-m", "tests.demo"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            if line.startswith("ready after"):
                return time.monotonic() - began
        raise AssertionError("the demo ended before it was ready")
    finally:
        demo.send_signal(signal.SIGTERM)  # SIGINT is ignored where the bench runs in the background
        demo.stdout.read()
        demo.stdout.close()
        demo.wait(timeout=60)
