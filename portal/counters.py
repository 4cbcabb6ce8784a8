"""Counts of what all processes do, summed in Redis so that any web server can tell them.

Each process counts in its memory and adds what is new to one hash from time to time. A Redis that
is away delays that; an emptied one begins at nought, which Prometheus takes for a restart.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping

import structlog
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

HASH = "portal:counters"
EVERY_SECONDS = 5.0
AGAIN_SECONDS = 30.0
"""A Redis that did not answer is asked again only after this: nobody shall wait for a counter."""
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0)
"""Upper bounds of durations, in seconds; all longer ones are in the last, which has none."""

Field = tuple[str, ...]
"""Name of the figure and its labels' values, in the order in which they were given."""


class Counters:
    """Counts up, never down. Safe for threads; no call of it raises."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._new: Counter[Field] = Counter()
        self._next_flush = 0.0

    def add(self, name: str, *labels: str, by: float = 1) -> None:
        """Count one more of this name and these labels."""
        with self._lock:
            self._new[(name, *labels)] += by  # type: ignore[assignment]

    def observe(self, name: str, *labels: str, seconds: float) -> None:
        """Count how long something took: into its bucket, and into the sum."""
        bound = next((str(bound) for bound in BUCKETS if seconds <= bound), "+Inf")
        self.add(name, *labels, bound)
        self.add(name, *labels, "sum", by=seconds)

    def flush_soon(self) -> None:
        """Add what is new to the sums, unless that was done a moment ago."""
        if time.monotonic() >= self._next_flush:
            self.flush()

    def flush(self) -> bool:
        """Add what is new to the sums now; nothing is lost when Redis is away (False)."""
        with self._lock:
            new, self._new = self._new, Counter()
            self._next_flush = time.monotonic() + EVERY_SECONDS
        if not new:
            return True
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                for field, by in new.items():
                    pipe.hincrbyfloat(HASH, json.dumps(field), by)
                pipe.execute()
        except RedisError as err:
            with self._lock:
                self._new.update(new)
                self._next_flush = time.monotonic() + AGAIN_SECONDS
            log.warning("counters are kept back, the queue is away", error=type(err).__name__)
            return False
        return True

    def read(self) -> Mapping[Field, float] | None:
        """Return the sums over all processes, None when Redis is away."""
        self.flush()
        try:
            kept = self._redis.hgetall(HASH)
        except RedisError:
            return None
        found: dict[Field, float] = {}
        for field, value in kept.items():  # type: ignore[union-attr]
            found[tuple(json.loads(field))] = float(value)
        return found
