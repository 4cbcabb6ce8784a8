"""The people whose invoices a space has: found by name, told what we hold, their names erased."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import String, case, cast, delete, literal, or_, select

from portal.database import db, utcnow
from portal.models import Admin, PersonName, Space, TaskItem
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

    The rows of imports and checks that show the name go too. Safe to run twice.
    """
    if person.erased_at is not None:
        return
    person.name = person.folded = person.folded_last = None
    person.erased_at = utcnow()
    db.session.execute(
        delete(TaskItem)
        .where(TaskItem.space_id == space.id, TaskItem.remote_id == person.remote_id)
        .execution_options(synchronize_session=False)
    )
    record.note(
        space.id,
        "person_erased",
        "done",
        actor=actor_of(admin) if admin else "support:cli",
        number=str(person.id),
    )
    db.session.commit()
