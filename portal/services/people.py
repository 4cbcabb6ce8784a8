"""The people whose invoices a space has: found by name, told what we hold, their names erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import String, case, cast, literal, or_, select

from portal.database import db, utcnow
from portal.models import Admin, PersonName, Space, Task, TaskItem
from portal.models.task import LISTS_MEMBERS
from portal.services import record
from portal.services.connection import actor_of
from portal.services.prefixes import folded, starts_with

MOST_PEOPLE = 50

shown_name = case(
    (PersonName.erased_at.is_not(None), literal("Person ") + cast(PersonName.id, String)),
    else_=PersonName.name,
)
"""The name as pages show it: once erased a pseudonym, which is the same word in all languages."""


def pseudonym(person: PersonName) -> str:
    """Return what is shown in place of an erased name."""
    return f"Person {person.id}"


def find(space: Space, q: str) -> Sequence[PersonName]:
    """Return the people whose name, or last word of the name, begins with `q`, or whose pseudonym
    it is."""
    name = folded(q)
    number = q.strip().casefold().removeprefix("person ").strip()
    ways = [starts_with(form, name) for form in (PersonName.folded, PersonName.folded_last)]
    if number.isascii() and number.isdigit() and len(number) < 19:
        ways.append((PersonName.id == int(number)) & PersonName.erased_at.is_not(None))
    if not name:
        return []
    return db.session.scalars(
        select(PersonName)
        .where(PersonName.space_id == space.id, or_(*ways))
        .order_by(PersonName.folded, PersonName.id)
        .limit(MOST_PEOPLE)
    ).all()


def person_of(space: Space, person_id: int) -> PersonName | None:
    """Return a person of this space, None for every other id."""
    return db.session.scalar(
        select(PersonName).where(PersonName.space_id == space.id, PersonName.id == person_id)
    )


def erase(space: Space, person: PersonName, *, admin: Admin | None = None) -> None:
    """Blank a person's name for good; figures, ids and every chain stay as they are. Commits.

    The lists of imports show the pseudonym from then on. Safe to run twice.
    """
    if person.erased_at is not None:
        return
    lists = select(Task.id).where(Task.space_id == space.id, Task.kind == LISTS_MEMBERS)
    for item in db.session.scalars(
        select(TaskItem).where(TaskItem.space_id == space.id, TaskItem.task_id.in_(lists))
    ):
        item.facts = _hidden(item.remote_id, item.facts, person)
    person.name = person.folded = person.folded_last = None
    person.erased_at = utcnow()
    record.note(
        space.id,
        "person_erased",
        "done",
        actor=actor_of(admin) if admin else "support:cli",
        number=str(person.id),
    )
    db.session.commit()


def hide_erased(space: Space, items: Sequence[dict[str, Any]]) -> None:
    """Put pseudonyms into a list of members that was just read: Cobot still tells the names."""
    erased = {
        person.remote_id: person
        for person in db.session.scalars(
            select(PersonName).where(
                PersonName.space_id == space.id, PersonName.erased_at.is_not(None)
            )
        )
    }
    for item in items:
        if person := erased.get(item["remote_id"]):
            item["facts"] = _hidden(item["remote_id"], item["facts"], person)


def _hidden(remote_id: str, facts: Mapping[str, Any], person: PersonName) -> dict[str, Any]:
    """Return what a list says of a member, with the pseudonym where it would name the person.

    In the person's own row that is everywhere; in another's, where the same name is a candidate.
    """
    shown = pseudonym(person)

    def hide(named: Any) -> Any:
        if not isinstance(named, Mapping) or not named.get("name"):
            return named
        is_theirs = remote_id == person.remote_id or folded(named["name"]) == person.folded
        return {**named, "name": shown} if is_theirs else named

    changed = {**facts, "contact": hide(facts.get("contact"))} if "contact" in facts else {**facts}
    if "candidates" in facts:
        changed["candidates"] = [hide(one) for one in facts["candidates"]]
    return changed if remote_id != person.remote_id else {**changed, "name": shown}
