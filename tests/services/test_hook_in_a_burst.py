"""Hooks of a space that this process knows: kept in one statement, and never by an old memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
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
