"""What must not hang on the machine: calls and statements, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, update
from sqlalchemy.engine.interfaces import CacheStats

from portal.database import db, utcnow
from portal.models import Chart, Space
from portal.services import charts, inbox, upkeep
from tests.services.conftest import Remote, announce, id_of, line, member_row, row_of, sync, work

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
KNOWN = {"type": "memberships", "id": "mem-new"}
FRESH = [
    "cobot-api GET /invoices/{id}",
    "sevdesk GET /Voucher",
    "cobot-api GET /invoices/{id}.pdf",
    "sevdesk POST /Voucher/Factory/uploadTempFile",
    "sevdesk POST /Voucher/Factory/saveVoucher",
    "sevdesk POST /Tag/Factory/create",
]
MOST_STATEMENTS = {"sqlite": 23, "postgresql": 5}
"""Of one invoice more in a drain, from the inbox to the last commit. SQLite's lock is a row, and
renewed."""
MOST_TRANSACTIONS = 4
"""One to see who pays and how it is booked; then one before and after each write that cannot be
undone. The last one asks what is due next as well."""


@pytest.fixture
def warm(remote: Remote, alpha: Space) -> Space:
    """A space whose member is a contact and whose accounts were just read."""
    assert announce(alpha, "confirmed_membership", "mem-new") == 202
    work(alpha)
    assert member_row("mem-new").contact_id is not None
    sync(remote, alpha, debitor=KNOWN)
    return alpha


@contextmanager
def statements() -> Iterator[list[str]]:
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            said.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


@contextmanager
def transactions() -> Iterator[list[str]]:
    begun: list[str] = []

    def note(_connection: Any) -> None:
        begun.append("begin")

    event.listen(db.engine, "begin", note)
    try:
        yield begun
    finally:
        event.remove(db.engine, "begin", note)


def named(calls: list[str], invoice_id: str) -> list[str]:
    return [call.replace(invoice_id, "{id}") for call in calls]


def test_fresh_invoice_costs_six_calls(remote: Remote, warm: Space) -> None:
    mark = remote.mark()
    made = sync(remote, warm, debitor=KNOWN)
    assert named(remote.calls(mark), id_of(made)) == FRESH


def test_mismatch_costs_eight_calls(remote: Remote, warm: Space) -> None:
    mark = remote.mark()
    made = sync(remote, warm, customerNumber="0815")
    calls = Counter(named(remote.calls(mark), id_of(made)))
    assert calls == Counter([*FRESH, "sevdesk GET /Contact", "sevdesk POST /Tag/Factory/create"])


def test_blocked_invoices_cost_two_calls_each_and_one_read_of_the_chart(
    remote: Remote, warm: Space
) -> None:
    db.session.execute(
        update(Chart).values(read_at=utcnow() - charts.READ_ANEW_AFTER - charts.READ_ANEW_AFTER)
    )
    db.session.commit()
    made = [remote.invoice("alpha", items=[line(code="Nirgends")]) for _ in range(3)]
    mark = remote.mark()
    for one in made:
        assert announce(warm, "created_invoice", id_of(one)) == 202
    work(warm)
    calls = Counter(call.partition(" ")[2].rpartition("/")[0] for call in remote.calls(mark))
    assert calls == {"GET /invoices": 3, "POST /api": 3, "GET /ReceiptGuidance": 1}


def test_new_member_costs_ten_calls(remote: Remote, warm: Space) -> None:
    mark = remote.mark()
    assert announce(warm, "confirmed_membership", "mem-lost") == 202
    work(warm)
    assert len(remote.calls(mark)) <= 10


def test_one_invoice_more_costs_few_statements(remote: Remote, warm: Space) -> None:
    def worked(count: int) -> tuple[int, int]:
        for _ in range(count):
            made = remote.invoice("alpha", debitor=KNOWN, items=[line()])
            announce(warm, "created_invoice", id_of(made))
        with statements() as said, transactions() as begun:
            work(warm)
        assert row_of(made).state == "synced"
        return len(said), len(begun)

    (most, longest), (least, shortest) = worked(3), worked(1)
    assert (most - least) / 2 <= MOST_STATEMENTS[db.engine.dialect.name]
    assert (longest - shortest) / 2 <= MOST_TRANSACTIONS


def test_burst_is_taken_in_with_as_many_statements_as_a_few(remote: Remote, warm: Space) -> None:
    def taken_in(count: int) -> list[str]:
        for _ in range(count):
            announce(warm, "created_invoice", id_of(remote.invoice("alpha", items=[line()])))
        with statements() as said:
            assert inbox.take_in(warm.id) == count
        # SQLite adds rows one by one, PostgreSQL all at once; lists of ids grow.
        heads = ["", *(one[:25] for one in said)]
        return [one for before, one in pairwise(heads) if one != before]

    one, some = taken_in(1), taken_in(5)
    if db.engine.dialect.name == "sqlite":
        assert one == some
    assert len(one) <= len(some), "one is written all at once on PostgreSQL"
    assert some == taken_in(20)


def test_pass_of_upkeep_asks_as_much_for_many_spaces_as_for_one(core_app: Flask) -> None:
    def passed(count: int) -> int:
        db.session.add_all(
            Space(cobot_id=name, subdomain=name, name=name, connected_at=NOON, wake_at=NOON)
            for name in (f"s-{count}-{number}" for number in range(count))
        )
        db.session.commit()
        with statements() as said:
            assert upkeep.tick_all_spaces() == count
        return len(said)

    assert passed(1) == passed(20)


def test_nothing_that_an_invoice_asks_is_compiled_again(remote: Remote, warm: Space) -> None:
    def worked() -> list[str]:
        for _ in range(2):
            made = remote.invoice("alpha", debitor=KNOWN, items=[line()])
            announce(warm, "created_invoice", id_of(made))
        anew: list[str] = []

        def note(*args: Any) -> None:
            context = args[4]
            if context.compiled is not None and context.cache_hit is not CacheStats.CACHE_HIT:
                anew.append(args[2])

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            work(warm)
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        return anew

    worked()
    assert worked() == []
