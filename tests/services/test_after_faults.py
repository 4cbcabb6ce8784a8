"""What the forty faults found, each held here in the small; the faults stand in tests/faults."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from portal.database import db, utcnow
from portal.errors import BudgetExhausted
from portal.models import Budget, Space, State
from portal.services import budgets
from tests.services.conftest import (
    Remote,
    announce,
    id_of,
    line,
    row_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}
ANOTHER_KEY = base64.b64encode(b"another key of thirty-two bytes.").decode()


def test_an_invoice_repaired_in_cobot_right_after_it_failed_is_read_anew(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Parkplatz")])
    assert row_of(made).state == State.FAILED
    path = f"/cobot/spaces/alpha/invoices/{id_of(made)}?webhook=0"
    remote.control("PATCH", path, {"items": [line()]})
    announce(alpha, "updated_invoice", id_of(made))
    work(alpha)
    assert row_of(made).state == State.SYNCED


@pytest.mark.parametrize("settings", [{"cobot_calls_per_minute": 20}])
def test_a_read_that_is_repeated_takes_from_the_budget_each_time(
    remote: Remote, alpha: Space
) -> None:
    before = remote.mark()
    remote.fault("cobot-api", "status:502", path="/invoices/*", times=2)
    made = sync(remote, alpha, debitor=XYZ)
    assert row_of(made).state == State.SYNCED
    reads = [one for one in remote.calls(before) if one.endswith(f"/invoices/{id_of(made)}")]
    kept = db.session.scalars(select(Budget).where(Budget.key.like("%GET /invoices/{id}"))).one()
    assert len(reads) == len(kept.calls) == 3


def test_a_clock_that_was_set_back_blocks_no_budget(core_app: Flask) -> None:
    limit = budgets.Limit(2, 60.0)
    ahead = utcnow() + timedelta(hours=1)
    with time_machine.travel(ahead):
        budgets.take("key", limit)
        budgets.take("key", limit)
    budgets.take("key", limit)
    budgets.take("key", limit)
    with pytest.raises(BudgetExhausted):
        budgets.take("key", limit)
