"""Lets the timed worker book invoices, and reads what it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from portal.stack import PYTHON
from portal.supervisor import Process
from tests.bench.places import Place

NAME = "timed"
LONGEST_SECONDS = 900


@dataclass(frozen=True)
class Taken:
    """One invoice: all of its time, the part inside remote calls, and that until the database had
    answered."""

    seconds: float
    inside: float
    database: float
    resident_mb: float

    @property
    def own_ms(self) -> float:
        return (self.seconds - self.inside) * 1000


class TimedWorker:
    """One drain worker of a place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._said = place.folder / "timed.jsonl"
        self._calls = place.folder / "calls.jsonl"

    def start(self) -> None:
        command = [PYTHON, "-m", "tests.bench.timed_worker", str(self._said)]
        env = {**self._place.env, "RECORD": str(self._calls)}
        self._place.run(Process(NAME, command, env))

    def end(self) -> None:
        self._place.end_drains([NAME])

    def book(self, subdomain: str, count: int, prefix: str, **given: object) -> list[Taken]:
        """Have so many invoices booked that stand ready all at once.

        The first is left out: its time begins before there was work.
        """
        ids = self._place.issue(subdomain, count, prefix, **given)
        before = len(self._lines())
        self._place.announce(subdomain, ids)
        self._place.wake(subdomain)
        self._place.wait_until(
            lambda: len(self._lines()) >= before + count,
            f"{count} invoices to be booked",
            seconds=LONGEST_SECONDS,
            every=0.25,
        )
        return [
            Taken(end - begin, inside, database, resident)
            for (begin, *_), (end, inside, database, resident) in pairwise(self._lines()[before:])
        ]

    def calls(self) -> list[dict[str, object]]:
        """Return the calls that were written down."""
        return [json.loads(line) for line in self._calls.read_text().splitlines()]

    def _lines(self) -> Sequence[tuple[float, float, float, float]]:
        if not self._said.exists():
            return []
        whole = self._said.read_text().rpartition("\n")[0]
        return [tuple(json.loads(line)) for line in whole.splitlines()]
