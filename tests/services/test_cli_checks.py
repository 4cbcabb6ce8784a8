"""The commands for checks and repairs print what the services found, and JSON on demand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from portal.cli import register_commands
from portal.models import Space
from portal.services import member_import, task_runs
from tests.services.conftest import Remote, line, sync

XYZ = {"type": "memberships", "id": "mem-xyz"}


@pytest.fixture
def run(core_app: Flask) -> Any:
    register_commands(core_app)

    def run(*arguments: str, code: int = 0, **more: Any) -> str:
        result = core_app.test_cli_runner().invoke(args=list(arguments), **more)
        assert result.exit_code == code, result.output
        return str(result.output)

    return run


def test_mapping_rehearsal_members_and_month(remote: Remote, alpha: Space, run: Any) -> None:
    sync(remote, alpha, number="R-1", debitor=XYZ, invoiceDate="2026-10-05")
    remote.invoice("alpha", number="R-2", items=[line(code="Neu")], debitor=XYZ)
    found = json.loads(run("mapping", "check", "alpha", "--json"))
    assert [(row["code"], row["how"]) for row in found["rows"]] == [
        ("Neu", None),
        ("Mitgliedschaft", "name"),
    ]
    assert "codes match" in run("mapping", "check", "alpha")
    found = json.loads(run("rehearse", "alpha", "--days", "400", "--json"))
    assert (found["total"], found["failed"], found["known"]) == (2, 1, 1)
    assert found["invoices"][0]["cause"] == "account_missing"
    assert "account_missing" in run("rehearse", "alpha")
    found = json.loads(run("members", "import", "alpha", "--preview", "--json"))
    assert found["counts"] == {"create": 2, "link": 1}
    assert json.loads(run("members", "import", "alpha", "--json"))["linked"] == 3
    found = json.loads(run("month", "check", "alpha", "2026-10", "--json"))
    assert found["is_equal"] is True
    assert "R-1" not in run("month", "check", "alpha", "2026-10")


def test_backfill_asks_first_and_a_month_with_open_ends_exits_with_1(
    remote: Remote, alpha: Space, run: Any
) -> None:
    for number in range(3):
        remote.invoice(
            "alpha", number=f"R-{number}", invoiceDate="2026-04-02", items=[line()], debitor=XYZ
        )
    window = ("backfill", "alpha", "--from", "2026-04-01", "--to", "2026-04-30")
    run("month", "check", "alpha", "2026-04", code=1)
    assert "3 of 3" in run(*window, input="n\n")
    assert remote.sevdesk()["vouchers"] == []
    found = json.loads(run(*window, "--yes", "--json"))
    assert (found["state"], found["synced"]) == ("done", 3)
    assert "Nothing to do" in run(*window, "--yes")
    found = run(*window, "--yes", "--json")
    nothing = json.loads(found)
    assert (nothing["state"], nothing["total"], nothing["synced"]) == ("done", 0, 0)
    run("month", "check", "alpha", "2026-04")


@pytest.mark.parametrize(
    ("answer", "state", "booked"), [("n\n", "cancelled", 0), ("y\n", "done", 2)]
)
def test_backfill_that_asks_prints_one_json_document(
    remote: Remote, alpha: Space, core_app: Flask, answer: str, state: str, booked: int
) -> None:
    register_commands(core_app)
    for number in range(2):
        remote.invoice(
            "alpha", number=f"R-{number}", invoiceDate="2026-04-02", items=[line()], debitor=XYZ
        )
    window = ["backfill", "alpha", "--from", "2026-04-01", "--to", "2026-04-30", "--json"]
    result = core_app.test_cli_runner().invoke(args=window, input=answer)
    found = json.loads(result.stdout)
    assert (found["state"], found["synced"]) == (state, booked)
    assert (found["rehearsal"]["total"], found["rehearsal"]["ok"]) == (2, 2)
    assert "2 of 2 would be transferred" in result.stderr


def test_what_is_under_way_is_said_and_left_alone(remote: Remote, alpha: Space, run: Any) -> None:
    members = member_import.prepare(alpha, actor="admin:owner")
    task_runs.run_to_end(members)
    assert member_import.WORK.start(alpha, members)
    assert "under way" in run("members", "import", "alpha", code=1)


def test_an_unknown_space_is_said(core_app: Flask, run: Any) -> None:
    assert "no space nowhere" in run("rehearse", "nowhere", code=1)
