"""What is held of people: every table is asked when somebody wants to know, or to be forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import time_machine
from sqlalchemy import func, select

from portal.database import Base, db, utcnow
from portal.models import (
    Batch,
    InvoiceSync,
    LostRight,
    MemberSync,
    PersonName,
    Space,
    Task,
    TaskItem,
)
from portal.services import (
    batches,
    connection,
    exports,
    history,
    housekeeping,
    member_import,
    people,
    rehearsal,
    retention,
    signin,
    support,
    tasks,
    upkeep,
)
from portal.services.pauses import count_refusal
from tests.services.conftest import TOKEN, Remote, admin_named, announce, sync, work
from tests.services.looking import ended

NEW = {"type": "memberships", "id": "mem-new"}
NAME = "Jörg von Müller"


def standing() -> str:
    """Return all that stands in the database."""
    rows = [db.session.execute(select(table)).all() for table in Base.metadata.sorted_tables]
    db.session.rollback()
    return str(rows)


def person() -> PersonName:
    return db.session.scalars(select(PersonName).where(PersonName.remote_id == "mem-new")).one()


def count(model: type[Base]) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def given(parts: Iterable[exports.Part]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: rows
        for name, rows in json.loads("".join(exports.as_json("a test", parts))).items()
        if isinstance(rows, list) and rows
    }


def test_an_erased_name_stands_nowhere_and_does_not_come_back_with_a_list(
    remote: Remote, alpha: Space
) -> None:
    """The same name at a contact of sevdesk is a candidate for others too."""
    contact = {"surename": "Jörg von", "familyname": "Müller", "id": "701", "customerNumber": "8"}
    remote.control("POST", f"/sevdesk/{TOKEN}/contacts", contact)
    twin = {"id": "twin", "name": NAME, "address": {"name": NAME, "post_code": "20457"}}
    remote.control("POST", "/cobot/spaces/alpha/memberships?webhook=0", twin)
    sync(remote, alpha, debitor=NEW)
    task = ended(member_import.prepare(alpha, actor="admin:owner"))
    assert standing().count(NAME) >= 3, "the name itself, and the list of members"
    people.erase(alpha, person())
    said = standing()
    # The twin is another member, whose own name stays until they ask for it.
    assert said.count(NAME) == 1
    assert f"Person {person().id}" in said
    assert "von müller" not in said.replace(NAME, "")
    assert sum(member_import.counts_of(task).values()) == 4, "no row of the list is lost"
    tasks.cancel(task, alpha, actor="admin:owner")
    ended(member_import.prepare(alpha, actor="admin:owner"))
    sync(remote, alpha, debitor=NEW)
    again = standing()
    assert again.count(f"'name': 'Person {person().id}'") >= 2
    assert "'remote_id': 'mem-new', 'name': 'Jörg" not in again
    assert person().name is None
    assert history.verify(alpha)[1] == []


def test_a_person_is_told_of_messages_lists_and_batches_too(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=NEW, items=[])
    sync(remote, alpha, debitor={"type": "memberships", "id": "mem-lost"})
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    ended(member_import.prepare(alpha, actor="admin:owner"))
    row = db.session.scalars(select(InvoiceSync).where(InvoiceSync.person_id == person().id)).one()
    batches.draft(alpha, actor="admin:owner", kind=batches.RETRY, ids=[row.id])
    found = given(exports.person_parts(alpha, person()))
    assert {one["remote_id"] for one in found["inbox_event"]} == {"mem-new", made["data"]["id"]}
    assert [one["remote_id"] for one in found["task_item"]] == ["mem-new"]
    assert len(found["invoice_sync"]) == len(found["person_name"]) == 1
    assert len(found["member_sync"]) == 1
    assert "Petersen" not in str(found)


def test_a_person_is_not_told_who_else_they_might_have_been(remote: Remote, alpha: Space) -> None:
    """A list offers contacts of the same number or mail: other people, whose names are theirs."""
    sync(remote, alpha, debitor=NEW)
    ended(member_import.prepare(alpha, actor="admin:owner"))
    item = db.session.scalars(select(TaskItem).where(TaskItem.remote_id == "mem-new")).one()
    others = [{"id": "9", "number": "9", "name": "Lars Petersen"}]
    item.facts = {**item.facts, "candidates": others}
    db.session.commit()
    found = given(exports.person_parts(alpha, person()))
    assert found["task_item"][0]["facts"]["name"] == NAME
    assert "Petersen" not in str(found)


def test_an_admin_is_told_of_their_work_and_of_the_token_they_made(
    remote: Remote, alpha: Space
) -> None:
    sync(remote, alpha, debitor=NEW)
    ended(member_import.prepare(alpha, actor="admin:owner"))
    batches.draft(alpha, actor="admin:owner", kind=batches.RETRY, ids=[])
    found = given(exports.all_spaces_admin_parts(admin_named("owner")))
    assert [one["kind"] for one in found["task"]] == ["members"]
    assert [one["kind"] for one in found["batch"]] == ["retry"]
    assert [one["subdomain"] for one in found["space_token"]] == ["alpha"]
    signin.sign_in(remote.user_token("second"))
    other = given(exports.all_spaces_admin_parts(admin_named("second")))
    assert not {"task", "batch", "space_token"} & set(other)


def test_what_came_out_for_a_space_is_not_given_to_whom_started_it(
    remote: Remote, alpha: Space
) -> None:
    """They may have lost their right there long ago: that they started it is theirs, no more."""
    ended(rehearsal.start(alpha, actor="admin:owner"))
    found = given(exports.all_spaces_admin_parts(admin_named("owner")))["task"]
    assert [one["kind"] for one in found] == ["rehearsal"]
    assert "result" not in found[0]
    kept = given(exports.space_parts(alpha))["task"]
    assert kept[0]["result"]


def test_an_erased_name_stays_erased_when_all_else_of_the_person_went(
    remote: Remote, alpha: Space
) -> None:
    """Who comes back after ten years is not named again: erased is for good."""
    sync(remote, alpha, debitor=NEW, invoiceDate="2025-02-28")
    people.erase(alpha, person())
    with time_machine.travel(utcnow().replace(year=2037, day=1), tick=True):
        gone = housekeeping.let_old_things_of_all_spaces_go()
    assert (gone["invoices"], count(InvoiceSync)) == (1, 0)
    sync(remote, alpha, debitor=NEW)
    assert person().name is None
    assert NAME not in standing()


def test_members_go_when_nothing_happened_with_them_for_ten_full_years(
    remote: Remote, alpha: Space
) -> None:
    announce(alpha, "confirmed_membership", "mem-new")
    announce(alpha, "confirmed_membership", "mem-lost")
    work(alpha)
    sync(remote, alpha, debitor=NEW, invoiceDate=f"{utcnow().year}-02-28")
    assert count(MemberSync) == 2
    with time_machine.travel(utcnow().replace(month=6, day=1) + timedelta(days=3653), tick=True):
        assert housekeeping.let_old_things_of_all_spaces_go().get("members") is None
    next_year = utcnow().replace(year=utcnow().year + 11, month=6, day=1)
    sync(remote, alpha, debitor=NEW, invoiceDate=f"{utcnow().year + 1}-02-28")
    with time_machine.travel(next_year, tick=True):
        gone = housekeeping.let_old_things_of_all_spaces_go()
    assert gone["members"] == 1
    left = db.session.scalars(select(MemberSync.cobot_membership_id)).all()
    assert left == ["mem-new"], "an invoice of theirs is still kept"
    assert "Lars Petersen" not in standing()
    assert history.verify(alpha)[1] == []


def test_work_that_a_person_started_goes_with_the_invoices_of_its_year(
    remote: Remote, alpha: Space
) -> None:
    ended(member_import.prepare(alpha, actor="admin:owner"))
    task = db.session.scalars(select(Task)).one()
    tasks.cancel(task, alpha, actor="admin:owner")
    batches.draft(alpha, actor="admin:owner", kind=batches.RETRY, ids=[])
    with time_machine.travel(utcnow().replace(year=utcnow().year + 10), tick=True):
        housekeeping.let_old_things_of_all_spaces_go()
    assert (count(Task), count(Batch)) == (1, 1)
    with time_machine.travel(utcnow().replace(year=utcnow().year + 11), tick=True):
        housekeeping.let_old_things_of_all_spaces_go()
    assert (count(Task), count(Batch)) == (0, 0)


def test_a_list_of_members_that_nobody_went_on_with_goes_after_a_month(
    remote: Remote, alpha: Space
) -> None:
    task = ended(member_import.prepare(alpha, actor="admin:owner"))
    for days, left in ((29, "ready"), (31, "cancelled")):
        with time_machine.travel(utcnow() + timedelta(days=days), tick=True):
            upkeep.sweep_all_spaces()
        db.session.refresh(task)
        assert task.state == left
        assert bool(count(TaskItem)) is (left == "ready")
    assert "Lars Petersen" not in standing()
    assert member_import.prepare(alpha, actor="admin:owner").id != task.id


def test_a_right_that_was_lost_is_forgotten_without_another_sign_in(
    remote: Remote, alpha: Space
) -> None:
    admin = admin_named("owner")
    db.session.add(LostRight(space_id=alpha.id, admin_id=admin.id))
    db.session.commit()
    for days, left in ((29, 1), (31, 0)):
        with time_machine.travel(utcnow() + timedelta(days=days), tick=True):
            housekeeping.let_old_things_of_all_spaces_go()
        assert count(LostRight) == left


def test_a_deleted_space_keeps_no_words_of_anybody(remote: Remote, alpha: Space) -> None:
    """Its own chain stays for ever: what people or sevdesk said must not be in it."""
    sync(remote, alpha, debitor=NEW)
    support.begin_visit(admin_named("owner"), alpha, "Ticket of Otto Groß")
    for _ in range(5):
        count_refusal(alpha, "no receipt for Otto Groß")
    db.session.commit()
    connection.disconnect(alpha, admin=admin_named("owner"))
    retention.delete_space(alpha)
    said = standing()
    assert "Otto" not in said
    assert NAME not in said
    assert db.session.scalars(select(Space.cobot_user_id)).all() == [None]
    assert history.verify(alpha)[1] == []
