"""Members from before the connection become contacts, or are found to be some already."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from portal.database import db
from portal.models import MemberSync, Space, State, Task, TaskItem
from portal.services import budgets, member_import, tasks
from portal.services.drain import drain
from tests.services.conftest import TOKEN, Remote, member_row
from tests.services.looking import drain_all, ended, methods


def members(remote: Remote, *rows: dict[str, Any]) -> None:
    for row in rows:
        remote.control("POST", "/cobot/spaces/alpha/memberships?webhook=0", row)


def contacts(remote: Remote, *rows: dict[str, Any]) -> None:
    for row in rows:
        remote.control("POST", f"/sevdesk/{TOKEN}/contacts", row)


def preview(space: Space) -> Task:
    return ended(member_import.prepare(space, actor="admin:owner"))


def actions(task: Task) -> dict[str, tuple[str, str | None]]:
    items = db.session.scalars(select(TaskItem).where(TaskItem.task_id == task.id)).all()
    db.session.commit()
    return {item.remote_id: (item.verdict, item.facts.get("why")) for item in items}


@pytest.fixture
def people(remote: Remote, alpha: Space) -> None:
    """Besides mem-xyz (a contact by its number), mem-new and mem-lost (no contacts)."""
    members(
        remote,
        {"id": "mail", "name": "Mia Mail", "email": "mia@example.org", "customer_number": "900"},
        {"id": "stranger", "name": "Someone", "email": "s@example.org", "customer_number": "1006"},
        {
            "id": "hint",
            "name": "Nina Name",
            "email": "n@example.org",
            "address": {"name": "Nina Name", "post_code": "20099", "city": "Hamburg"},
        },
    )
    contacts(
        remote,
        {"id": "601", "customerNumber": "2001", "name": "Mail GmbH", "email": "Mia@example.org"},
        {"id": "602", "customerNumber": "1006", "name": "Ganz anders"},
        {"id": "603", "customerNumber": "2003", "surename": "Nina", "familyname": "Name"},
    )


def test_the_preview_matches_by_number_then_by_email_and_writes_nothing(
    remote: Remote, alpha: Space, people: None
) -> None:
    before = remote.mark()
    task = preview(alpha)
    assert methods(remote, before) == {"GET"}
    assert actions(task) == {
        "mem-xyz": ("link", "number"),
        "mem-new": ("create", None),
        "mem-lost": ("create", None),
        "mail": ("link", "email"),
        "stranger": ("ambiguous", "number_of_stranger"),
        "hint": ("create", None),
    }
    assert task.result["counts"] == {"link": 2, "create": 3, "ambiguous": 1}
    assert db.session.scalars(select(MemberSync)).all() == []
    db.session.commit()


def test_the_run_links_creates_and_writes_numbers_back_and_can_run_twice(
    remote: Remote, alpha: Space, people: None
) -> None:
    task = preview(alpha)
    assert member_import.decide(alpha, task, {"stranger": "999", "mail": "601"}) == 0
    chosen = {"stranger": "602", "hint": "leave", "nobody": "create", "mem-new": "create"}
    assert member_import.decide(alpha, task, chosen) == 2
    assert member_import.WORK.start(alpha, task)
    assert member_import.decide(alpha, task, {"hint": "create"}) == 0
    drain_all(alpha)
    seen = member_import.WORK.progress(alpha, task)
    db.session.commit()
    assert (seen.synced, seen.failed, seen.working) == (5, 0, 0)
    assert tasks.current(alpha, "members").state == "done"  # type: ignore[union-attr]
    db.session.commit()
    assert member_row("mail").contact_id == "601"
    assert member_row("stranger").contact_id == "602"
    in_cobot = {one["id"]: one["customer_number"] for one in remote.space()["memberships"]}
    assert (in_cobot["mail"], in_cobot["mem-xyz"], in_cobot["stranger"]) == (
        "2001",
        "1005",
        "1006",
    )
    made = len(remote.sevdesk()["contacts"])
    assert made == 4 + 2
    assert remote.space()["activities"] == []
    again = preview(alpha)
    assert {action for action, _ in actions(again).values()} == {"nothing", "create"}
    assert actions(again)["hint"] == ("create", None)
    assert member_import.decide(alpha, again, {"hint": "leave"}) == 1
    member_import.WORK.start(alpha, again)
    drain_all(alpha)
    assert len(remote.sevdesk()["contacts"]) == made


def test_pause_and_cancel_leave_the_others_alone(remote: Remote, alpha: Space) -> None:
    members(
        remote,
        *({"id": f"m-{number}", "name": f"Mitglied {number}"} for number in range(12)),
    )
    task = preview(alpha)
    member_import.WORK.start(alpha, task)
    while not db.session.scalars(select(MemberSync)).all():
        db.session.commit()
        drain(alpha.id, seconds=0.02)
    db.session.commit()
    assert tasks.pause(task, alpha, actor="admin:owner")
    drain_all(alpha)
    taken = db.session.scalars(select(MemberSync)).all()
    db.session.commit()
    assert len(taken) == member_import.WORK.chunk
    assert {row.state for row in taken} == {State.SYNCED}
    assert tasks.cancel(task, alpha, actor="admin:owner")
    drain_all(alpha)
    assert len(remote.sevdesk()["contacts"]) <= 1 + member_import.WORK.chunk


@pytest.mark.parametrize("settings", [{"cobot_calls_per_minute": 55}])
def test_the_list_of_members_has_a_tenth_of_the_budget(
    core_app: object, settings: dict[str, object]
) -> None:
    assert budgets.cobot_limit("GET /api/memberships").calls == 5
    assert budgets.cobot_limit("GET /api/memberships/{id}").calls == 55


def test_two_members_who_seem_to_be_one_person_are_a_persons_to_decide(
    remote: Remote, alpha: Space
) -> None:
    for number in ("p1", "p2"):
        body = {"id": number, "name": "Petra Doppel", "email": "petra@example.org"}
        remote.control("POST", "/cobot/spaces/alpha/memberships?webhook=0", body)
    task = ended(member_import.prepare(alpha, actor="admin:owner"))
    found = {one.remote_id: (one.verdict, one.facts.get("why")) for one in tasks.items(task)}
    assert found["p1"] == found["p2"] == ("ambiguous", "same_person")
