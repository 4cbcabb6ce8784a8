"""What Prometheus reads: figures of all spaces together, never of one; no name, no secret.

What stands in the database is counted there, what processes do is summed in Redis
(portal.counters). So every web server tells the same, and it is enough to ask one of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from portal.cobot.webhooks import EVENTS
from portal.core import core, portal_version
from portal.counters import BUCKETS, Field
from portal.database import db, utcnow
from portal.models import Budget, InboxEvent, Space, State, StateCount
from portal.services import budgets, health, queues
from portal.tenancy import all_spaces

COUNTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "portal_hooks": ("Messages of Cobot that arrived.", ("event", "status")),
    "portal_pages": ("Requests that were answered, without hooks and checks.", ("status",)),
    "portal_remote_calls": (
        "Calls to a remote side; status is none where no answer came.",
        ("side", "status"),
    ),
    "portal_faults": (
        "Faults of our own: pages, hooks, rows, looks and upkeep that failed.",
        ("where",),
    ),
}
AT_NOUGHT: Mapping[str, tuple[Field, ...]] = {
    "portal_faults": (("page",), ("hook",), ("sync",), ("look",), ("upkeep",)),
    "portal_hooks": tuple((event, status) for event in EVENTS for status in ("202", "503")),
}
"""Told before the first of them: Prometheus sees a rise only from a value that it saw before."""
TIMED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "portal_remote_call_seconds": ("How long calls to a remote side took.", ("side",)),
    "portal_drain_seconds": ("How long one drain of a space took.", ()),
}


class _Figures(Collector):
    def collect(self) -> Iterator[Metric]:
        yield _gauge("portal_build", "The running version.", ("version",), {(portal_version(),): 1})
        yield from _database()
        yield from _queue()
        sums = core().counters.read()
        if sums is not None:
            nought = {(name, *values): 0.0 for name, kinds in AT_NOUGHT.items() for values in kinds}
            yield from _counted({**nought, **sums})


def exposition() -> bytes:
    """Return all figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return generate_latest(registry)


def _database() -> Iterator[Metric]:
    try:
        metrics = _of_all_spaces()
    except SQLAlchemyError:
        db.session.rollback()
        metrics = []
    finally:
        db.session.rollback()
    yield _gauge("portal_database_up", "1 while the database answers.", (), {(): bool(metrics)})
    yield from metrics


@all_spaces("figures of all spaces together")
def _of_all_spaces() -> list[Metric]:
    return [*_invoices(), *_spaces(), *_due(), *_all_budgets()]


def _invoices() -> Iterator[Metric]:
    counts = db.session.execute(
        select(StateCount.state, func.sum(StateCount.invoices)).group_by(StateCount.state)
    )
    found: dict[tuple[str, ...], float] = {(state.value,): 0 for state in State}
    found |= {(str(state),): int(count) for state, count in counts}
    yield _gauge("portal_invoices", "Invoices by state.", ("state",), found)


def _spaces() -> Iterator[Metric]:
    connected = Space.connected_at.is_not(None)
    total, with_sync, paused = db.session.execute(
        select(
            func.count(),
            func.count().filter(connected),
            func.count().filter(connected, Space.paused_at.is_not(None)),
        ).select_from(Space)
    ).one()
    found = {
        ("connected",): with_sync - paused,
        ("paused",): paused,
        ("not_connected",): total - with_sync,
    }
    yield _gauge("portal_spaces", "Spaces by what they do.", ("state",), found)


def _due() -> Iterator[Metric]:
    state = queues.all_spaces_queue_state()
    rows = {("invoices",): state.due_invoices, ("members",): state.due_members}
    yield _gauge("portal_due", "Rows that wait for a worker.", ("kind",), rows)
    yield _gauge(
        "portal_oldest_due_seconds",
        "For how long the first of them has been due.",
        (),
        {(): _age(state.oldest_due_at)},
    )
    waiting, first = db.session.execute(
        select(func.count(), func.min(InboxEvent.first_seen_at)).where(
            InboxEvent.handled_at.is_(None)
        )
    ).one()
    yield _gauge("portal_inbox", "Messages of Cobot not yet taken in.", (), {(): waiting})
    yield _gauge(
        "portal_inbox_oldest_seconds", "How old the first of them is.", (), {(): _age(first)}
    )


def _all_budgets() -> Iterator[Metric]:
    left: dict[tuple[str, ...], float] = {}
    blocked: dict[tuple[str, ...], float] = {("cobot",): 0, ("sevdesk",): 0}
    for key, calls, until in db.session.execute(
        select(Budget.key, Budget.calls, Budget.blocked_until)
    ):
        side = (key.partition("|")[0],)
        free = budgets.free_calls(key, calls)
        if free is not None:
            left[side] = min(free, left.get(side, free))
        blocked[side] = blocked.get(side, 0) + ((until or 0) > time.time())
    yield _gauge("portal_budget_left", "Calls left in the tightest budget.", ("side",), left)
    yield _gauge(
        "portal_budget_blocked", "Budgets that a remote side asked to rest.", ("side",), blocked
    )


def _queue() -> Iterator[Metric]:
    lines = queues.lines()
    yield _gauge("portal_queue_up", "1 while the queue answers.", (), {(): lines is not None})
    if lines is not None:
        for name, text, found in (
            ("portal_queue_jobs", "Wake-ups that wait.", {(q.name,): q.length for q in lines}),
            (
                "portal_queue_oldest_seconds",
                "How long the first wake-up has waited.",
                {(q.name,): _age(q.oldest_at) for q in lines},
            ),
            ("portal_workers", "Workers that listen.", {(q.name,): q.workers for q in lines}),
        ):
            yield _gauge(name, text, ("queue",), found)
    beats = {(who,): age for who, age in health.heartbeats().items() if age is not None}
    yield _gauge("portal_heartbeat_seconds", "Since the newest sign of life.", ("process",), beats)


def _counted(sums: Mapping[Field, float]) -> Iterator[Metric]:
    for name, (text, labels) in COUNTED.items():
        counter = CounterMetricFamily(name, text, labels=labels)
        for values, value in _of(sums, name, len(labels)):
            counter.add_metric(values, value)
        yield counter
    for name, (text, labels) in TIMED.items():
        histogram = HistogramMetricFamily(name, text, labels=labels)
        found: dict[Field, dict[str, float]] = {}
        for field, value in _of(sums, name, len(labels) + 1):
            found.setdefault(field[:-1], {})[field[-1]] = value
        for series, parts in found.items():
            histogram.add_metric(series, _buckets(parts), parts.get("sum", 0.0))
        yield histogram


def _of(sums: Mapping[Field, float], name: str, labels: int) -> Iterator[tuple[Field, float]]:
    for field, value in sorted(sums.items()):
        # A release may change the labels: what an older one counted is left out.
        if field[0] == name and len(field) == labels + 1:
            yield field[1:], value


def _buckets(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus wants them: each with all that is below it."""
    total, found = 0.0, []
    for bound in (*map(str, BUCKETS), "+Inf"):
        total += parts.get(bound, 0.0)
        found.append((bound, total))
    return found


def _gauge(name: str, text: str, labels: Iterable[str], found: Mapping[Any, float]) -> Metric:
    """Return one figure; `found` has the labels' values as a tuple."""
    gauge = GaugeMetricFamily(name, text, labels=list(labels))
    for values, value in found.items():
        gauge.add_metric(values, float(value))
    return gauge


def _age(at: datetime | None) -> float:
    return max(0.0, (utcnow() - at).total_seconds()) if at is not None else 0.0
