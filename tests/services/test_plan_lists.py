"""Plans in the mapping check: their codes are known before the first invoice uses them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from portal.cli import register_commands
from portal.cobot.records import Membership, Plan
from portal.database import db, utcnow
from portal.models import Space
from portal.services import budgets, catchup, exports, mapping, member_import, plan_lists
from portal.services.plan_lists import PlanUse
from tests.services.conftest import Remote, line
from tests.services.looking import ended


def plan(remote: Remote, member: str, name: str, code: str | None) -> None:
    path = f"/cobot/spaces/alpha/memberships/{member}"
    remote.control("PATCH", path, {"plan": {"name": name, "accounting_code": code}})


@pytest.fixture
def planned(remote: Remote) -> None:
    """Two members on a plan whose code no invoice has, one on a plan without a code."""
    plan(remote, "mem-xyz", "Fix Desk", "Schreibtisch")
    plan(remote, "mem-new", "Fix Desk", " schreibtisch")
    plan(remote, "mem-lost", "Postadresse", None)


def check(space: Space) -> mapping.MappingCheck:
    ended(mapping.start(space, actor="admin:owner"))
    found = mapping.check(space)
    assert found is not None
    return found


def test_a_plans_code_is_checked_before_an_invoice_uses_it(
    remote: Remote, alpha: Space, planned: None
) -> None:
    remote.invoice("alpha", items=[line()])
    found = check(alpha)
    assert [(row.code, row.cause, row.lines, row.in_list) for row in found.rows] == [
        ("Schreibtisch", "account_missing", 0, False),
        ("Mitgliedschaft", None, 1, False),
    ]
    assert found.rows[0].plans == (PlanUse("Fix Desk", 2, "Schreibtisch"),)
    assert found.plans_without_code == (PlanUse("Postadresse", 1),)
    assert found.plans_read_at is not None
    plan(remote, "mem-lost", "Postadresse", "Mitgliedschaft")
    again = check(alpha)
    assert again.plans_without_code == ()
    assert again.rows[1].plans == (PlanUse("Postadresse", 1, "Mitgliedschaft"),)
    assert again.changes == ()


def test_whoever_reads_the_members_leaves_their_plans(
    remote: Remote, alpha: Space, planned: None
) -> None:
    assert plan_lists.last(alpha) is None
    alpha.connected_at = utcnow() - timedelta(days=2)
    db.session.commit()
    catchup.catch_up(alpha.id)
    nightly = plan_lists.last(alpha)
    assert nightly is not None
    assert [(one.name, one.members) for one in nightly.plans] == [
        ("Fix Desk", 2),
        ("Postadresse", 1),
    ]
    plan(remote, "mem-lost", "Fix Desk", "Schreibtisch")
    ended(member_import.prepare(alpha, actor="admin:owner"))
    imported = plan_lists.last(alpha)
    assert imported is not None
    assert imported.plans == (PlanUse("Fix Desk", 3, "Schreibtisch"),)


def test_a_code_that_only_the_night_found_is_shown_and_counts_as_new(
    remote: Remote, alpha: Space
) -> None:
    check(alpha)
    members = [Membership("m-1", "Mia", plan=Plan("Flex", "Neu"))]
    plan_lists.keep(alpha.id, plan_lists.counted(members))
    db.session.commit()
    found = mapping.check(alpha)
    assert found is not None
    assert [(row.code, row.plans[0].name) for row in found.rows] == [("Neu", "Flex")]
    assert found.before_at == found.checked_at
    assert [(one.code, one.what) for one in found.changes] == [("Neu", "new")]


@pytest.mark.parametrize("settings", [{"cobot_calls_per_minute": 55}])
def test_without_a_call_left_the_check_goes_on_and_plans_stay_unknown(
    remote: Remote, alpha: Space, planned: None
) -> None:
    key = f"cobot|{alpha.cobot_user_id}|{budgets.MEMBER_LIST}"
    limit = budgets.cobot_limit(budgets.MEMBER_LIST)
    for _ in range(limit.calls):
        budgets.take(key, limit)
    before = remote.mark()
    found = check(alpha)
    assert not [call for call in remote.calls(before) if call.endswith("/memberships")]
    assert (found.plans_read_at, found.plans_without_code) == (None, ())
    assert found.checked_at is not None


@pytest.mark.parametrize("effect", ["status:429:retry-after=30", "status:403", "garbage"])
def test_members_that_cobot_does_not_list_keep_nothing_else_from_being_checked(
    remote: Remote, alpha: Space, effect: str
) -> None:
    remote.invoice("alpha", items=[line()])
    remote.fault("cobot-space", effect, path="/api/memberships", times=0)
    found = check(alpha)
    assert [row.code for row in found.rows] == ["Mitgliedschaft"]
    assert found.plans_read_at is None


def test_plans_are_given_out_with_the_space_and_name_no_member(
    remote: Remote, alpha: Space, planned: None
) -> None:
    check(alpha)
    [given] = exports.rows_of(alpha.id, exports.tables_of_a_space()["plan_list"])
    assert [sorted(one) for one in given["plans"]] == 2 * [["code", "members", "name"]]


def test_the_command_names_the_plans(
    core_app: Flask, remote: Remote, alpha: Space, planned: None
) -> None:
    register_commands(core_app)
    said = core_app.test_cli_runner().invoke(args=["mapping", "check", "alpha"]).output
    assert "Schreibtisch\t- account_missing\t\t0 lines\t0.00\tFix Desk (2)" in said
    assert "no code\t\t\t\tPostadresse (1)" in said
    plain = core_app.test_cli_runner().invoke(args=["mapping", "check", "alpha", "--json"]).output
    assert '"plans_without_code"' in plain
