"""Members from before the connection: who is a contact already, who becomes one.

The list of members is one call to Cobot, contacts, e-mails and post codes are lists of sevdesk.
What a person decided stands in the database; a worker takes some members up whenever nothing
else of the space is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select

from portal.cobot.records import Membership
from portal.database import db, insert_or_update, utcnow
from portal.models import MemberSync, Space, State, Task, TaskItem
from portal.models.task import LISTS_MEMBERS
from portal.services import contact_book, people, plan_lists, record, tasks
from portal.services.task_looks import Look
from portal.services.task_work import TaskWork
from portal.services.work import Work
from portal.sync.member_matching import ContactFacts, MemberMatch, match_members

KIND = LISTS_MEMBERS
DECIDABLE = ("ambiguous", "create", "link", "leave")
TO_DO = ("link", "create")
INSERT = 500
MOST_CHOICES = 500


def prepare(space: Space, *, actor: str) -> Task:
    """Begin with the preview. Commits. Raises TaskOpen while an import runs."""
    return tasks.begin(space, KIND, actor=actor)


def run(look: Look) -> None:
    """Match all members; then a person decides. Raises RemoteError, TaskStopped."""
    members, unreadable = look.once("members", look.remotes.cobot.memberships)
    plan_lists.keep(look.space.id, plan_lists.counted(members))
    look.tell(0, len(members))
    book = contact_book.read(look)
    emails = look.pages("emails", look.remotes.sevdesk.emails_page)
    post_codes = look.pages("post_codes", look.remotes.sevdesk.post_codes_page)
    facts = _contact_facts(book.contacts, emails, post_codes)
    linked = _linked(look.space)
    fresh = [member for member in members if member.id not in linked]
    taken = set(linked.values())
    matches = match_members(fresh, facts, taken)
    rows = [_item(look.task, member, matches.get(member.id)) for member in members]
    people.hide_erased(look.space, rows)
    rows.sort(key=lambda row: (_ORDER.index(row["verdict"]), row["facts"]["name"] or ""))
    for place, row in enumerate(rows, start=1):
        row["place"] = place
    db.session.execute(delete(TaskItem).where(*tasks.items_of(look.task)))
    for at in range(0, len(rows), INSERT):
        db.session.execute(insert(TaskItem), rows[at : at + INSERT])
    db.session.commit()
    counts = counts_of(look.task)
    result = {"counts": counts, "unreadable": len(unreadable)}
    look.finish(result, then_work=any(counts.get(one) for one in _OPEN))


def counts_of(task: Task) -> dict[str, int]:
    """Return how many members would be linked, created, are ambiguous, or have nothing to do."""
    rows = db.session.execute(
        select(TaskItem.verdict, func.count())
        .where(*tasks.items_of(task))
        .group_by(TaskItem.verdict)
    ).all()
    return {str(row[0]): int(row[1]) for row in rows}


def decide(space: Space, task: Task, choices: Mapping[str, str]) -> int:
    """Keep what a person decided: by membership a contact's id, "create" or "leave". Commits.

    Only before the work begins, and only contacts that were suggested; returns how many changed.
    """
    # The task's row first: what comes after a start is refused.
    locked = db.session.scalar(
        select(Task)
        .where(Task.id == task.id, Task.space_id == space.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if locked is None or locked.state != "ready":
        db.session.commit()
        return 0
    items = db.session.scalars(
        select(TaskItem).where(
            *tasks.items_of(task),
            TaskItem.remote_id.in_(list(choices)[:MOST_CHOICES]),
            TaskItem.verdict.in_(DECIDABLE),
        )
    ).all()
    count = sum(_decide(item, choices[item.remote_id]) for item in items)
    db.session.commit()
    return count


def _decide(item: TaskItem, choice: str) -> bool:
    """Change one item; False when it stays as it is."""
    contact = item.facts.get("contact") or {}
    if choice in (item.verdict, contact.get("id") if item.verdict == "link" else None):
        return False
    if choice in ("create", "leave"):
        item.verdict = choice
        return True
    chosen = [one for one in item.facts.get("candidates", []) if one["id"] == choice]
    if chosen:
        item.verdict = "link"
        item.facts = {**item.facts, "contact": chosen[0], "why": "chosen"}
    return bool(chosen)


def not_linked(task: Task) -> Sequence[tuple[TaskItem, MemberSync]]:
    """Return the members of a task that got no contact, or whose number was not written."""
    query = (
        select(TaskItem, MemberSync)
        .join(
            MemberSync,
            (MemberSync.cobot_membership_id == TaskItem.remote_id)
            & (MemberSync.space_id == task.space_id),
        )
        .where(
            *tasks.items_of(task),
            TaskItem.taken_at.is_not(None),
            WORK.meant,
            MemberSync.state.in_((State.FAILED, State.SKIPPED)),
        )
        .order_by(TaskItem.place)
        .limit(MOST_CHOICES)
    )
    return [(row[0], row[1]) for row in db.session.execute(query)]


def take_up(work: Work) -> bool:
    """Make the next members of the space's import due; False when there are none. Commits."""
    task = WORK.running(work.space, locked=True)
    if task is None:
        db.session.commit()
        return False
    coming = WORK.coming(task)
    for item in coming:
        _take(work.space, task, item)
    if not coming:
        tasks.finish_work(task)
    work.lock.confirm()
    db.session.commit()
    return bool(coming)


def _take(space: Space, task: Task, item: TaskItem) -> None:
    """Make one member due; one that got its contact meanwhile is left as it is."""
    item.taken_at = utcnow()
    db.session.execute(
        insert_or_update(
            MemberSync,
            {
                "space_id": space.id,
                "cobot_membership_id": item.remote_id,
                "state": State.WAITING,
                "created_at": utcnow(),
            },
            unique=("space_id", "cobot_membership_id"),
            change={},
        )
    )
    member = db.session.scalar(
        select(MemberSync)
        .where(MemberSync.space_id == space.id, MemberSync.cobot_membership_id == item.remote_id)
        .execution_options(populate_existing=True)
    )
    assert member is not None
    if member.contact_id is not None or member.state in (State.SENDING, State.UNKNOWN):
        return
    record.note(
        space.id, "announced", "done", member=member, actor=task.actor, event="import", task=task.id
    )
    # Hundreds of notes in Cobot's feed would bury what matters there.
    member.note_posted = True
    member.state = State.WAITING
    member.attempts = 0
    member.next_try_at = utcnow()
    contact = item.facts.get("contact")
    if item.verdict == "link" and contact:
        member.contact_id = contact["id"]
        member.contact_number = contact["number"]
        member.number_before = item.facts.get("number")
        member.contact_checked = member.was_adopted = True
        member.address_done = member.email_done = True
        record.note(
            space.id,
            "contact_linked",
            "done",
            member=member,
            actor=task.actor,
            contact=contact["id"],
            number=contact["number"],
            why=item.facts.get("why"),
        )


def _linked(space: Space) -> dict[str, str]:
    """Return the contacts of the members that have one already."""
    rows = db.session.execute(
        select(MemberSync.cobot_membership_id, MemberSync.contact_id).where(
            MemberSync.space_id == space.id, MemberSync.contact_id.is_not(None)
        )
    ).all()
    db.session.commit()
    return {row[0]: str(row[1]) for row in rows}


def _contact_facts(
    contacts: Sequence[Any], emails: Sequence[tuple[str, str]], codes: Sequence[tuple[str, str]]
) -> list[ContactFacts]:
    emails_of: dict[str, list[str]] = {}
    for owner, address in emails:
        emails_of.setdefault(owner, []).append(address)
    codes_of: dict[str, list[str]] = {}
    for owner, code in codes:
        codes_of.setdefault(owner, []).append(code)
    return [
        ContactFacts(
            contact=contact,
            emails=tuple(emails_of.get(contact.id, ())),
            post_codes=tuple(codes_of.get(contact.id, ())),
        )
        for contact in contacts
    ]


_ORDER = ("ambiguous", "create", "link", "nothing", "leave")
_OPEN = ("ambiguous", "create", "link")


def _item(task: Task, member: Membership, match: MemberMatch | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": member.address.company or member.name,
        "number": member.customer_number,
    }
    verdict = "nothing"
    if match is not None:
        verdict = match.action
        facts["why"] = match.why
        facts["candidates"] = [
            {"id": one.id, "number": one.customer_number, "name": one.name}
            for one in match.candidates
        ]
        if match.contact is not None:
            contact = match.contact
            facts["contact"] = {
                "id": contact.id,
                "number": contact.customer_number,
                "name": contact.name,
            }
    return {
        "space_id": task.space_id,
        "task_id": task.id,
        "remote_id": member.id,
        "number": member.customer_number,
        "day": None,
        "gross": None,
        "verdict": verdict,
        "cause_code": None,
        "cause_params": {},
        "facts": facts,
    }


WORK = TaskWork(
    kind=KIND,
    row=MemberSync,
    remote_id=MemberSync.cobot_membership_id,
    meant=TaskItem.verdict.in_(TO_DO),
    chunk=5,
)
