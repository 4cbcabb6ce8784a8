"""Hooks of a space that this process knows: kept in one statement, and never by an old memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from flask import current_app
from sqlalchemy import func, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from portal.core import core
from portal.crypto import digest
from portal.database import db, utcnow
from portal.logs import tracing
from portal.models import InboxEvent, Space
from portal.services import vault, webhooks
from tests.services.conftest import Remote, announce
from tests.services.test_cost import statements


def kept(space: Space) -> list[str]:
    """Return what stands in the space's inbox."""
    query = select(InboxEvent.remote_id).where(InboxEvent.space_id == space.id)
    found = list(db.session.scalars(query.order_by(InboxEvent.id)))
    db.session.commit()
    return found


def hook(
    space: Space, remote_id: str, event: str = "created_invoice", *, subdomain: str | None = None
) -> Callable[[], int]:
    """Return what delivers a hook to the space's address, its secret read before; with `subdomain`
    it names an invoice of that one."""
    secret = vault.get(space, "hook_secret")
    assert secret is not None
    db.session.commit()
    base = core().config.cobot_space_url.format(subdomain=subdomain or space.subdomain)
    body = f'{{"url": "{base}/api/invoices/{remote_id}"}}'.encode()
    return lambda: webhooks.receive(secret, event, body=body, content_type="application/json")


def change(space: Space, **values: Any) -> None:
    db.session.execute(update(Space).where(Space.id == space.id).values(**values))
    db.session.commit()
    db.session.refresh(space)
    db.session.commit()


def test_in_a_burst_a_hook_takes_one_statement(remote: Remote, alpha: Space) -> None:
    assert announce(alpha, "created_invoice", "inv-1") == 202
    with statements() as sent:
        assert announce(alpha, "created_invoice", "inv-2") == 202
    assert [one.split()[0] for one in sent if "inbox_event" in one or "space" in one] == ["INSERT"]
    assert kept(alpha) == ["inv-1", "inv-2"]


def test_a_space_that_sleeps_is_woken_by_every_hook(remote: Remote, alpha: Space) -> None:
    assert announce(alpha, "created_invoice", "inv-1") == 202
    for asleep in (None, utcnow() + timedelta(minutes=1)):
        change(alpha, wake_at=asleep)
        assert announce(alpha, "created_invoice", "inv-2") == 202
        db.session.refresh(alpha)
        assert alpha.wake_at is not None
        assert alpha.wake_at <= utcnow()
        db.session.commit()


def test_an_alarm_that_went_off_long_ago_stays(remote: Remote, alpha: Space) -> None:
    before = utcnow() - timedelta(minutes=5)
    change(alpha, wake_at=before)
    core().hook_spaces.clear()
    assert announce(alpha, "created_invoice", "inv-1") == 202
    db.session.refresh(alpha)
    assert alpha.wake_at == before
    db.session.commit()


def test_after_disconnecting_nothing_is_kept(remote: Remote, alpha: Space) -> None:
    assert announce(alpha, "created_invoice", "inv-1") == 202
    change(alpha, connected_at=None)
    assert announce(alpha, "created_invoice", "inv-2") == 410
    assert kept(alpha) == ["inv-1"]


def test_an_address_of_before_is_unknown(remote: Remote, alpha: Space) -> None:
    assert announce(alpha, "created_invoice", "inv-1") == 202
    change(alpha, hook_digest=digest("another secret"))
    assert announce(alpha, "created_invoice", "inv-2") == 404
    assert kept(alpha) == ["inv-1"]


def test_a_space_that_was_renamed_is_known_by_its_new_name(remote: Remote, alpha: Space) -> None:
    assert announce(alpha, "created_invoice", "inv-1") == 202
    change(alpha, subdomain="anders")
    assert announce(alpha, "created_invoice", "inv-2") == 202
    assert announce(alpha, "created_invoice", "inv-3") == 202
    assert kept(alpha) == ["inv-1", "inv-2", "inv-3"]
    change(alpha, subdomain="nochmal anders")
    assert hook(alpha, "inv-9", subdomain="anders")() == 400, "its old name is nobody's"


def test_a_body_of_another_space_is_refused_by_a_known_address_too(
    remote: Remote, alpha: Space
) -> None:
    assert announce(alpha, "created_invoice", "inv-1") == 202
    assert hook(alpha, "inv-9", subdomain="foreign")() == 400
    db.session.refresh(alpha)
    assert alpha.hook_rejected_count == 1
    db.session.commit()
    assert kept(alpha) == ["inv-1"]


def test_what_is_remembered_stays_bounded(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_REMEMBERED", 3)
    core().hook_spaces.update({f"other {number}": number for number in range(5)})
    assert announce(alpha, "created_invoice", "inv-1") == 202
    assert list(core().hook_spaces.values()) == [webhooks._Known(alpha.id, "alpha")]


@pytest.mark.parametrize(
    "away",
    [
        OperationalError("INSERT", {}, Exception("server closed the connection")),
        InterfaceError("INSERT", {}, Exception("connection already closed")),
        PoolTimeout("QueuePool limit reached"),
    ],
)
def test_cobot_comes_again_while_the_database_is_away(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch, away: Exception
) -> None:
    for is_known in (False, True):
        with monkeypatch.context() as patched:
            patched.setattr(webhooks, "_insert", Mock(side_effect=away))
            assert announce(alpha, "created_invoice", "inv-1") == 503
        assert kept(alpha) == ["inv-0"] * is_known
        assert announce(alpha, "created_invoice", "inv-0") == 202


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="SQLite has one writer at a time")
def test_upkeep_that_wakes_the_space_meanwhile_costs_no_hook(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """410 would make Cobot switch the subscription off."""
    before: Callable[..., bool] = webhooks._insert
    woken = []

    def insert(*given: Any, **more: Any) -> Any:
        with db.engine.connect() as other:
            other.exec_driver_sql("SET lock_timeout = '200ms'")
            again = utcnow() + timedelta(minutes=1)
            try:
                other.execute(update(Space).where(Space.id == space_id).values(wake_at=again))
                other.commit()
                woken.append(True)
            except OperationalError:
                woken.append(False)  # it waits until the hook is kept
                other.rollback()
            other.exec_driver_sql("RESET lock_timeout")
            other.commit()
        return before(*given, **more)

    space_id = alpha.id
    change(alpha, wake_at=utcnow() - timedelta(seconds=1))
    core().hook_spaces.clear()
    monkeypatch.setattr(webhooks, "_insert", insert)
    assert announce(alpha, "created_invoice", "inv-1") == 202
    assert woken
    assert db.session.scalar(
        select(func.count(InboxEvent.id)).where(InboxEvent.space_id == space_id)
    )
    db.session.commit()


class AtOnce:
    """Delivers hooks from several threads, so that all but the first are kept together."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept: list[list[str]] = []
        """What each transaction was to keep."""
        self._before = webhooks._insert_all
        self._go = threading.Event()
        monkeypatch.setattr(webhooks, "_insert_all", self._insert_all)

    def _insert_all(self, messages: Sequence[Any]) -> bool:
        self.kept.append([message.remote_id for message in messages])
        if len(self.kept) == 1:
            assert self._go.wait(30)
        return self._before(messages)

    def deliver(self, *hooks: Callable[[], int]) -> list[int]:
        """Return their answers; the first is under way until the others stand in line."""
        [line] = [known.line for known in core().hook_spaces.values()]
        with in_threads() as begin:
            answers = [begin(hooks[0])]
            wait_until(lambda: bool(self.kept))
            for place, hook in enumerate(hooks[1:], start=1):
                answers.append(begin(hook))
                wait_until(lambda place=place: len(line._waiting) == place)  # type: ignore[misc]
            self._go.set()
            return [answer.result(30) for answer in answers]


@contextmanager
def in_threads() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Return what begins something in a thread of this application."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def in_app(do: Callable[[], Any]) -> Any:
        with app.app_context():
            return do()

    with ThreadPoolExecutor(8) as threads:
        yield lambda do: threads.submit(in_app, do)


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_hooks_that_come_at_once_are_one_transaction(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert announce(alpha, "created_invoice", "inv-0") == 202
    woken = Mock()
    monkeypatch.setattr(core().queue, "wake", woken)
    at_once = AtOnce(monkeypatch)
    answers = at_once.deliver(*(hook(alpha, f"inv-{number}") for number in (1, 4, 2, 3)))
    assert answers == [202] * 4
    assert at_once.kept == [["inv-1"], ["inv-2", "inv-3", "inv-4"]]
    assert sorted(kept(alpha)) == ["inv-0", "inv-1", "inv-2", "inv-3", "inv-4"]
    assert woken.call_args_list == [((alpha.id,),)] * 2, "once for all of them"


def test_all_that_were_kept_at_once_stand_in_the_log(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its request, by which it is followed."""
    log, lines_at_wake = Mock(), []
    monkeypatch.setattr(webhooks, "log", log)
    monkeypatch.setattr(
        core().queue, "wake", lambda _space_id: lines_at_wake.append(log.info.call_count)
    )

    def asked_by(number: int) -> Callable[[], int]:
        deliver = hook(alpha, f"inv-{number}")

        def deliver_traced() -> int:
            with tracing(request_id=f"request-{number}"):
                return deliver()

        return deliver_traced

    assert asked_by(0)() == 202
    assert AtOnce(monkeypatch).deliver(*(asked_by(number) for number in (1, 3, 2))) == [202] * 3
    lines = [(one.args[0], one.kwargs["space"]) for one in log.info.call_args_list]
    assert lines == [("hooks kept", alpha.id)] * 3
    assert lines_at_wake == [1, 2, 3], "before the queue is asked, which may hang"
    assert [one.kwargs["hooks"] for one in log.info.call_args_list] == [
        [
            {
                "event_name": "created_invoice",
                "remote_id": f"inv-{number}",
                "request_id": f"request-{number}",
            }
            for number in together
        ]
        for together in ((0,), (1,), (3, 2))
    ]


def test_one_that_cannot_be_kept_takes_none_along(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among those that come at once: a repeat, and an edit that was seen before."""
    for event in ("created_invoice", "updated_invoice"):
        assert announce(alpha, event, "inv-0") == 202
    db.session.execute(
        update(InboxEvent).where(InboxEvent.space_id == alpha.id).values(handled_at=utcnow())
    )
    db.session.commit()
    answers = AtOnce(monkeypatch).deliver(
        hook(alpha, "inv-1"),
        hook(alpha, "inv-0"),
        hook(alpha, "inv-0", "updated_invoice"),
        hook(alpha, "inv-3"),
    )
    assert answers == [202] * 4
    assert sorted(kept(alpha)) == ["inv-0", "inv-0", "inv-1", "inv-3"]
    again = {
        event.event: (event.seen_count, event.handled_at is None)
        for event in db.session.scalars(
            select(InboxEvent)
            .where(InboxEvent.space_id == alpha.id, InboxEvent.remote_id == "inv-0")
            .execution_options(populate_existing=True)
        )
    }
    db.session.commit()
    assert again == {"created_invoice": (2, False), "updated_invoice": (2, True)}


def test_none_is_kept_once_the_space_is_disconnected(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert announce(alpha, "created_invoice", "inv-0") == 202
    change(alpha, connected_at=None)
    answers = AtOnce(monkeypatch).deliver(*(hook(alpha, f"inv-{number}") for number in (1, 2, 3)))
    assert answers == [410] * 3
    assert kept(alpha) == ["inv-0"]


def test_a_space_that_fell_asleep_meanwhile_is_woken_by_them_together(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert announce(alpha, "created_invoice", "inv-0") == 202
    change(alpha, wake_at=None)
    alone = Mock(side_effect=webhooks._keep)
    monkeypatch.setattr(webhooks, "_keep", alone)
    assert AtOnce(monkeypatch).deliver(hook(alpha, "inv-1"), hook(alpha, "inv-2")) == [202, 202]
    assert not alone.called
    db.session.refresh(alpha)
    assert alpha.wake_at is not None
    assert alpha.wake_at <= utcnow()
    assert kept(alpha) == ["inv-0", "inv-1", "inv-2"]


def test_what_happens_to_one_invoice_is_kept_in_its_order(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert announce(alpha, "created_invoice", "inv-0") == 202
    deliveries = (
        ("created_invoice", "inv-2"),
        ("updated_invoice", "inv-1"),
        (
            "deleted_invoice",
            "inv-1",
        ),
    )
    AtOnce(monkeypatch).deliver(*(hook(alpha, remote_id, event) for event, remote_id in deliveries))
    query = select(InboxEvent.event).where(InboxEvent.space_id == alpha.id)
    events = list(db.session.scalars(query.order_by(InboxEvent.id)))
    db.session.commit()
    assert events[2:] == ["updated_invoice", "deleted_invoice"]


def test_all_that_came_at_once_are_told_that_the_database_is_away(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert announce(alpha, "created_invoice", "inv-0") == 202
    at_once = AtOnce(monkeypatch)
    before, away = at_once._before, OperationalError("INSERT", {}, Exception("server closed"))

    def insert(messages: Sequence[Any]) -> bool:
        if len(messages) > 1:
            raise away
        return before(messages)

    at_once._before = insert
    answers = at_once.deliver(*(hook(alpha, f"inv-{number}") for number in (1, 2, 3)))
    assert answers == [202, 503, 503]
    assert kept(alpha) == ["inv-0", "inv-1"]
    assert announce(alpha, "created_invoice", "inv-2") == 202


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="SQLite has one writer at a time")
def test_a_space_that_is_held_holds_up_no_other(remote: Remote, alpha: Space, beta: Space) -> None:
    for space in (alpha, beta):
        assert announce(space, "created_invoice", "inv-0") == 202
    change(alpha, wake_at=None)
    ours, theirs = hook(alpha, "inv-1"), hook(beta, "inv-1")
    with in_threads() as begin, db.engine.connect() as somebody:
        somebody.execute(update(Space).where(Space.id == alpha.id).values(cost_centre_number="7"))
        held = begin(ours)
        assert begin(theirs).result(10) == 202
        assert not held.done()
        somebody.rollback()
        assert held.result(30) == 202


def test_a_queue_that_hangs_holds_no_hook_longer_than_one_question(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert announce(alpha, "created_invoice", "inv-0") == 202
    asked, may_answer = threading.Semaphore(0), threading.Event()

    def hang(_space_id: int) -> None:
        asked.release()
        assert may_answer.wait(30)

    monkeypatch.setattr(core().queue, "wake", hang)
    first, *others = (hook(alpha, f"inv-{number}") for number in range(1, 6))
    with in_threads() as begin:
        answers = [begin(first)]
        assert asked.acquire(timeout=30)
        answers += [begin(other) for other in others]
        wait_until(lambda: len(kept(alpha)) == 6)  # all are kept while the first still asks
        may_answer.set()
        assert [answer.result(30) for answer in answers] == [202] * 5


def test_a_clock_that_goes_back_refuses_no_hook(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm and what depends on it go by one look at the clock."""
    times = iter(utcnow() - timedelta(milliseconds=number) for number in range(100))
    monkeypatch.setattr(webhooks, "utcnow", lambda: next(times))
    assert announce(alpha, "created_invoice", "inv-1") == 202
    assert kept(alpha) == ["inv-1"]
