"""Failures by cause: seen as groups, healed by one press, or by themselves."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from portal.core import core
from portal.database import db, utcnow
from portal.models import Chart, Space, State
from portal.services import backfill, connection, heal, skips
from portal.services.connection import Choices
from portal.services.log import LogFilter, matching
from tests.services.conftest import (
    TOKEN,
    Remote,
    admin_named,
    line,
    row_of,
    steps_of,
    sync,
    work,
)
from tests.services.looking import connected, drain_all, ended, generated
from tests.services.test_cost import statements

XYZ = {"type": "memberships", "id": "mem-xyz"}
MEETING = {"number": "4401", "name": "Meeting", "types": ["REVENUE"], "rules": {"1": [0, 7, 19]}}


def group(space: Space, cause: str, *, anew: bool = False) -> heal.CauseGroup:
    [found] = [one for one in heal.groups(space, anew=anew) if one.cause == cause]
    db.session.commit()
    return found


def test_failures_are_grouped_by_cause_and_code_with_their_sums(
    remote: Remote, alpha: Space
) -> None:
    for code in ("Meeting", "meeting ", "Bar"):
        sync(remote, alpha, debitor=XYZ, items=[line(code=code)])
    sync(remote, alpha, debitor={"type": "memberships", "id": "mem-lost"})
    found = heal.groups(alpha)
    assert [(one.state, one.cause, one.params, one.count, one.gross) for one in found] == [
        ("failed", "account_missing", {"code": "Meeting"}, 2, Decimal("523.60")),
        ("failed", "account_missing", {"code": "Bar"}, 1, Decimal("261.80")),
        ("mismatched", "contact_missing", {"number": "4711"}, 1, Decimal("261.80")),
    ]
    assert [one.is_gone for one in found] == [False, False, None]
    assert len(heal.ids_of(alpha, found[0].key)) == 2


def test_one_press_heals_the_group_once_the_account_is_there(remote: Remote, alpha: Space) -> None:
    made = [sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")]) for _ in range(3)]
    other = sync(remote, alpha, debitor=XYZ, items=[line(code="Bar")])
    remote.control("POST", f"/sevdesk/{TOKEN}/accounts", MEETING)
    before = remote.mark()
    heal.groups(alpha)
    db.session.commit()
    assert remote.calls(before) == []
    [gone] = [one for one in heal.groups(alpha, anew=True) if one.is_gone]
    db.session.commit()
    assert gone.params == {"code": "Meeting"}
    assert heal.retry_group(alpha, gone.key, actor="admin:owner") == 3
    work(alpha)
    assert {row_of(one).state for one in made} == {State.SYNCED}
    assert row_of(other).state == State.FAILED
    assert len(remote.sevdesk()["vouchers"]) == 3


def test_what_the_chart_heals_is_tried_again_by_itself_where_the_space_allows_it(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    remote.control("POST", f"/sevdesk/{TOKEN}/accounts", MEETING)
    assert heal.heal_itself(alpha.id) == 0  # the chart is younger than some minutes
    chart = db.session.get(Chart, alpha.id)
    assert chart is not None
    chart.read_at = utcnow() - timedelta(minutes=6)
    alpha.auto_retry = False
    db.session.commit()
    assert heal.heal_itself(alpha.id) == 0
    alpha.auto_retry = True
    db.session.commit()
    assert heal.heal_itself(alpha.id) == 1
    work(alpha)
    assert row_of(made).state == State.SYNCED


def test_whoever_reads_a_changed_chart_has_the_space_healed(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where invoices come all the time, their own reading keeps the chart too young for upkeep."""
    asked: list[int] = []
    monkeypatch.setattr(core().queue, "heal", asked.append)
    sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    age_the_chart(alpha)
    sync(remote, alpha, debitor=XYZ)
    assert asked == [], "nothing has changed"
    remote.control("POST", f"/sevdesk/{TOKEN}/accounts", MEETING)
    age_the_chart(alpha)
    sync(remote, alpha, debitor=XYZ)
    assert asked == [alpha.id]
    remote.control("DELETE", f"/sevdesk/{TOKEN}/cost_centres/9")
    age_the_chart(alpha)
    sync(remote, alpha, debitor=XYZ)
    remote.control(
        "POST", f"/sevdesk/{TOKEN}/cost_centres", {"id": "9", "number": "100", "name": "Alpha"}
    )
    age_the_chart(alpha)
    sync(remote, alpha, debitor=XYZ)
    assert asked == [alpha.id] * 2


def age_the_chart(space: Space) -> None:
    chart = db.session.get(Chart, space.id, populate_existing=True)
    assert chart is not None
    chart.read_at = chart.cost_centre_read_at = utcnow() - timedelta(minutes=6)
    db.session.commit()


def test_a_choice_heals_all_that_waited_for_it(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(rate="0")])
    assert group(alpha, "tax_rule_needed").is_gone is False
    connection.save_choices(alpha, Choices("4", "ask", False, 100), admin=admin_named("owner"))
    work(alpha)
    assert row_of(made).state == State.SYNCED


def test_a_choice_only_offers_where_nothing_is_retried_by_itself(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(rate="0")])
    alpha.auto_retry = False
    db.session.commit()
    admin = admin_named("owner")
    assert connection.save_choices(alpha, Choices("4", "ask", False, 100), admin=admin) == 0
    work(alpha)
    assert row_of(made).state == State.FAILED
    [group] = heal.groups(alpha)
    assert (group.is_gone, group.can_retry) == (True, True)
    assert heal.retry_group(alpha, group.key, actor="admin:owner") == 1
    work(alpha)
    assert row_of(made).state == State.SYNCED


def test_left_out_with_a_reason_and_taken_up_again(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    booked = sync(remote, alpha, debitor=XYZ)
    ids = [row_of(one).cobot_invoice_id for one in (made, booked)]
    with pytest.raises(ValueError, match="reason"):
        skips.skip(alpha, ids, "  ", actor="admin:owner")
    result = skips.skip(alpha, ids, "bar  bezahlt", actor="admin:owner")
    assert (result.changed, result.left) == (1, 1)
    row = row_of(made)
    assert (row.state, row.cause_code, row.cause_params) == (
        State.SKIPPED,
        "dismissed",
        {"reason": "bar bezahlt"},
    )
    assert list(matching(alpha, LogFilter(cause="dismissed")))
    assert skips.undo(alpha, ids, actor="admin:owner").changed == 1
    work(alpha)
    assert row_of(made).cause_code == "account_missing"
    assert {"skipped done", "skip_undone done"} <= set(steps_of(made))


def test_after_the_repairs_one_press_heals_each_group_of_a_made_up_world(
    remote: Remote, core_app: object
) -> None:
    world = generated(remote, invoices=70, seed=9)
    space = connected(remote, world)
    backfill.WORK.start(
        space,
        ended(backfill.prepare(space, date(2026, 1, 1), date(2026, 12, 31), actor="admin:usr-0")),
    )
    drain_all(space)
    groups = [one for one in heal.groups(space) if one.state == "failed"]
    db.session.commit()
    assert len(groups) > 5
    admin = admin_named("usr-0")
    connection.save_choices(space, Choices("4", "negative", True, 100), admin=admin)
    token = world["sevdesk"][0]["token"]
    for one in groups:
        if one.cause == "account_missing":
            account = {**MEETING, "number": f"49{len(one.params['code'])}", **named(one)}
            remote.control("POST", f"/sevdesk/{token}/accounts", account)
    drain_all(space)
    for _ in range(3):
        for one in heal.groups(space, anew=True):
            db.session.commit()
            if one.state == "failed" and one.is_gone:
                assert heal.retry_group(space, one.key, actor="admin:usr-0") > 0
        db.session.commit()
        drain_all(space)
    rest = [one for one in heal.groups(space) if one.state == "failed"]
    assert not [one for one in rest if one.cause == "account_missing"]
    for one in rest:
        ids = [row.cobot_invoice_id for row in rows_of(heal.ids_of(space, one.key))]
        skips.skip(space, ids, "von Hand gebucht", actor="admin:usr-0")
    assert {one.state for one in heal.groups(space)} <= {"mismatched"}
    ends = Counter(row.state for row in rows_of(None))
    assert set(ends) == {State.SYNCED, State.MISMATCHED, State.SKIPPED}
    assert sum(ends.values()) == 70
    booked = sum(row.gross for row in rows_of(None) if row.sevdesk_voucher_id)
    there = sum(Decimal(str(one["sumGross"])) for one in remote.sevdesk(token)["vouchers"])
    assert booked == there


def named(one: heal.CauseGroup) -> dict[str, str]:
    code = one.params["code"]
    return {"number": code} if code.isdigit() else {"name": code}


def rows_of(ids: list[int] | None) -> list[object]:
    from sqlalchemy import select

    from portal.models import InvoiceSync

    query = select(InvoiceSync).execution_options(populate_existing=True)
    if ids is not None:
        query = query.where(InvoiceSync.id.in_(ids))
    found = list(db.session.scalars(query))
    db.session.commit()
    return found


def test_who_may_heal_is_found_without_a_look_at_what_is_done(core_app: Flask) -> None:
    """By the index of failed ones, or by space and state: never by all invoices there are."""
    with statements() as said:
        heal.send_all_spaces_to_heal(utcnow())
    [asked] = [one for one in said if "invoice_sync" in one]
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            values: Any = (1,) * asked.count("?")
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", values).all()
            used = [step[3] for step in plan if "invoice_sync" in step[3]]
            assert used
            assert all("(space_id=? AND state=?)" in step for step in used)
        else:
            filled = re.sub(r"%\(\w+\)s::(\w[\w ]*)", r"NULL::\1", asked)
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            found = connection.exec_driver_sql(f"EXPLAIN {filled}").scalars()
            assert "ix_invoice_sync_failed" in "".join(found)


def test_a_number_without_a_code_is_not_repaired_by_an_account_of_that_name(
    remote: Remote, alpha: Space
) -> None:
    remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/accounts",
        {"number": "4401", "name": "8400", "types": ["REVENUE"], "rules": {"1": [0, 7, 19]}},
    )
    item = {**line(code=None), "revenueAccount": {"number": "8400"}}
    made = sync(remote, alpha, items=[item])
    assert row_of(made).cause_code == "account_missing"
    assert [group.is_gone for group in heal.groups(alpha)] == [False]
    assert heal.heal_itself(alpha.id) == 0
