"""Tasks between database, queue and workers."""

from __future__ import annotations

from datetime import timedelta

from jobs.backfill import heal as heal_job
from jobs.backfill import work_on_tasks
from portal.core import core
from portal.database import db, utcnow
from portal.models import Chart, Space, State, Task, TaskItem
from portal.services import connection, heal, rehearsal, retention, task_runs, task_upkeep, tasks
from tests.conftest import by_id
from tests.services.conftest import TOKEN, Remote, admin_named, line, row_of, sync, work
from tests.services.looking import ended, items_of

XYZ = {"type": "memberships", "id": "mem-xyz"}


def again(task: Task) -> Task:
    """Read a task anew: a job ends its session."""
    found = by_id(Task, task.id)
    db.session.commit()
    return found


def test_a_begun_look_is_in_the_queue_and_a_lost_queue_loses_nothing(
    remote: Remote, alpha: Space
) -> None:
    remote.invoice("alpha", number="1", items=[line()], debitor=XYZ)
    queue = core().queue
    queue.redis.flushdb()
    task = rehearsal.start(alpha, actor="admin:owner")
    assert queue.queue("backfill").count == 1
    queue.redis.flushdb()
    assert task_upkeep.wake_due_in_all_spaces() == 1
    assert task_upkeep.wake_due_in_all_spaces() == 0
    assert queue.queue("backfill").count == 1
    space_id = alpha.id
    work_on_tasks(space_id, "backfill")
    task = again(task)
    assert task.state == "done"
    work_on_tasks(space_id, "backfill")
    assert items_of(task) == {"1": ("synced", None)}


def test_a_new_look_takes_the_place_of_one_that_runs(alpha: Space) -> None:
    first = rehearsal.start(alpha, actor="admin:owner")
    second = rehearsal.start(alpha, actor="admin:owner", days=7)
    db.session.refresh(first)
    db.session.commit()
    assert (first.state, second.state) == ("cancelled", "running")


def test_a_paused_look_waits_and_goes_on(remote: Remote, alpha: Space) -> None:
    task = rehearsal.start(alpha, actor="admin:owner")
    assert tasks.pause(task, alpha, actor="admin:owner")
    task_runs.work_on(alpha.id)
    task = again(task)
    assert task.state == "paused"
    assert tasks.go_on(task, alpha, actor="admin:owner")
    assert ended(task).state == "done"


def test_a_space_paused_by_hand_can_still_be_rehearsed(remote: Remote, alpha: Space) -> None:
    connection.hold(alpha, admin=admin_named("owner"))
    assert ended(rehearsal.start(alpha, actor="admin:owner")).state == "done"


def test_what_cannot_be_read_ends_the_task_with_a_word(remote: Remote, alpha: Space) -> None:
    remote.fault("cobot-api", "status:404", path="/spaces/*/invoices", times=1)
    task = rehearsal.start(alpha, actor="admin:owner")
    task_runs.work_on(alpha.id)
    task = again(task)
    assert (task.state, task.cause_code) == ("failed", "bad_answer")


def test_items_go_some_weeks_after_the_end_and_with_the_space(remote: Remote, alpha: Space) -> None:
    remote.invoice("alpha", number="1", items=[line()], debitor=XYZ)
    task = ended(rehearsal.start(alpha, actor="admin:owner"))
    task_upkeep.tidy_all_spaces()
    assert len(items_of(task)) == 1
    task.finished_at = utcnow() - timedelta(days=31)
    db.session.commit()
    task_upkeep.tidy_all_spaces()
    assert items_of(task) == {}
    connection.disconnect(alpha, admin=admin_named("owner"))
    retention.delete_space(alpha)
    assert db.session.query(Task).count() == db.session.query(TaskItem).count() == 0
    db.session.commit()


def test_spaces_with_something_to_heal_are_sent_to_it_every_few_minutes(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    queue = core().queue
    queue.redis.flushdb()
    heal.send_all_spaces_to_heal(utcnow())
    assert queue.queue("backfill").count == 0
    remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/accounts",
        {"number": "4401", "name": "Meeting", "types": ["REVENUE"], "rules": {"1": [19]}},
    )
    chart = db.session.get(Chart, alpha.id)
    assert chart is not None
    chart.read_at = utcnow() - timedelta(minutes=6)
    db.session.commit()
    heal.send_all_spaces_to_heal(utcnow())
    assert queue.queue("backfill").count == 1
    space_id = alpha.id
    heal_job(space_id, "backfill")
    space = db.session.get_one(Space, space_id)
    db.session.commit()
    work(space)
    assert row_of(made).state == State.SYNCED
