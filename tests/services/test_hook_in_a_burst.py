"""Hooks of a space that this process knows: kept in one statement, and never by an old memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def naming(space: Space, subdomain: str) -> int:
    """Deliver a hook to the space's address that names an invoice of this subdomain."""
    secret = vault.get(space, "hook_secret")
    assert secret is not None
    db.session.commit()
    base = core().config.cobot_space_url.format(subdomain=subdomain)
    body = f'{{"url": "{base}/api/invoices/inv-9"}}'.encode()
    return webhooks.receive(secret, "created_invoice", body=body, content_type="application/json")


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
    assert naming(alpha, "anders") == 400, "its old name is nobody's"


def test_a_body_of_another_space_is_refused_by_a_known_address_too(
    remote: Remote, alpha: Space
) -> None:
    assert announce(alpha, "created_invoice", "inv-1") == 202
    assert naming(alpha, "foreign") == 400
    db.session.refresh(alpha)
    assert alpha.hook_rejected_count == 1
    db.session.commit()
    assert kept(alpha) == ["inv-1"]


def test_what_is_remembered_stays_bounded(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_REMEMBERED", 3)
    core().hook_spaces.update({f"other {number}": (number, "x") for number in range(5)})
    assert announce(alpha, "created_invoice", "inv-1") == 202
    assert list(core().hook_spaces.values()) == [(alpha.id, "alpha")]


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
        self.kept: list[int] = []
        """How many each transaction was to keep."""
        self._before = webhooks._insert_all
        self._go = threading.Event()
        monkeypatch.setattr(webhooks, "_insert_all", self._insert_all)

    def _insert_all(self, messages: Sequence[Any]) -> bool:
        self.kept.append(len(messages))
        if len(self.kept) == 1:
            assert self._go.wait(30)
        return self._before(messages)

    def deliver(self, *hooks: Callable[[], int]) -> list[int]:
        """Return their answers; the first is under way until the others stand in line."""
        app, line = current_app._get_current_object(), core().hooks_at_once  # type: ignore[attr-defined]

        def in_app(hook: Callable[[], int]) -> int:
            with app.app_context():
                return hook()

        with ThreadPoolExecutor(len(hooks)) as threads:
            answers = [threads.submit(in_app, hooks[0])]
            wait_until(lambda: bool(self.kept))
            for place, hook in enumerate(hooks[1:], start=1):
                answers.append(threads.submit(in_app, hook))
                wait_until(lambda place=place: len(line._waiting) == place)  # type: ignore[misc]
            self._go.set()
            return [answer.result(30) for answer in answers]


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def hook(space: Space, remote_id: str, event: str = "created_invoice") -> Callable[[], int]:
    """Return what delivers this hook, its secret read before."""
    secret = vault.get(space, "hook_secret")
    assert secret is not None
    db.session.commit()
    base = core().config.cobot_space_url.format(subdomain=space.subdomain)
    body = f'{{"url": "{base}/api/invoices/{remote_id}"}}'.encode()
    return lambda: webhooks.receive(secret, event, body=body, content_type="application/json")


def test_hooks_that_come_at_once_are_one_transaction(
    remote: Remote, alpha: Space, beta: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    for space in (alpha, beta):
        assert announce(space, "created_invoice", "inv-0") == 202
    woken = []
    monkeypatch.setattr(core().queue, "wake", woken.append)
    at_once = AtOnce(monkeypatch)
    answers = at_once.deliver(
        hook(alpha, "inv-1"), hook(beta, "inv-2"), hook(alpha, "inv-3"), hook(alpha, "inv-2")
    )
    assert answers == [202] * 4
    assert at_once.kept == [1, 3]
    assert kept(beta) == ["inv-0", "inv-2"]
    assert sorted(kept(alpha)) == ["inv-0", "inv-1", "inv-2", "inv-3"]
    assert sorted(woken) == sorted([alpha.id, alpha.id, beta.id])


def test_one_that_cannot_be_kept_takes_none_along(
    remote: Remote, alpha: Space, beta: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among those that come at once: a repeat, an edit that was seen before, and one of a space
    that was disconnected meanwhile."""
    for space in (alpha, beta):
        assert announce(space, "created_invoice", "inv-0") == 202
    assert announce(alpha, "updated_invoice", "inv-0") == 202
    db.session.execute(update(InboxEvent).values(handled_at=utcnow()))
    change(beta, connected_at=None)
    at_once = AtOnce(monkeypatch)
    answers = at_once.deliver(
        hook(alpha, "inv-1"),
        hook(alpha, "inv-0"),
        hook(alpha, "inv-0", "updated_invoice"),
        hook(beta, "inv-2"),
        hook(alpha, "inv-3"),
    )
    assert answers == [202, 202, 202, 410, 202]
    assert sorted(kept(alpha)) == ["inv-0", "inv-0", "inv-1", "inv-3"]
    assert kept(beta) == ["inv-0"]
    again = {
        event.event: (event.seen_count, event.handled_at is None)
        for event in db.session.scalars(
            select(InboxEvent).where(
                InboxEvent.space_id == alpha.id, InboxEvent.remote_id == "inv-0"
            )
        )
    }
    db.session.commit()
    assert again == {"created_invoice": (2, False), "updated_invoice": (2, True)}


def test_spaces_that_fell_asleep_meanwhile_are_woken_together(
    remote: Remote, alpha: Space, beta: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    for space in (alpha, beta):
        assert announce(space, "created_invoice", "inv-0") == 202
        change(space, wake_at=None)
    at_once = AtOnce(monkeypatch)
    alone = Mock(side_effect=webhooks._keep)
    monkeypatch.setattr(webhooks, "_keep", alone)
    assert at_once.deliver(*(hook(one, "inv-1") for one in (alpha, beta))) == [202, 202]
    assert not alone.called
    for space in (alpha, beta):
        db.session.refresh(space)
        assert space.wake_at is not None
        assert space.wake_at <= utcnow()
        assert kept(space) == ["inv-0", "inv-1"]


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
