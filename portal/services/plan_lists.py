"""Which plans carry which accounting code: what Cobot's list of members tells beside the members.

A plan's code stands nowhere else, and Cobot gives that list out six times a minute only. So whoever
reads it for another reason leaves its plans here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.cobot.records import Membership
from portal.database import db, insert_or_update, utcnow
from portal.models import PlanList, Space
from portal.sync.accounts import fold_name


@dataclass(frozen=True)
class PlanUse:
    """A plan, so many current members have it; `code` is None where it carries none."""

    name: str
    members: int
    code: str | None = None


@dataclass(frozen=True)
class Plans:
    """All plans that a member has, those with most members first."""

    plans: tuple[PlanUse, ...]
    read_at: datetime

    def by_code(self) -> dict[str, tuple[PlanUse, ...]]:
        """Return the plans of each code by its folded form."""
        found: dict[str, tuple[PlanUse, ...]] = {}
        for plan in self.plans:
            if plan.code is not None:
                folded = fold_name(plan.code)
                found[folded] = (*found.get(folded, ()), plan)
        return found

    @property
    def without_code(self) -> tuple[PlanUse, ...]:
        return tuple(plan for plan in self.plans if plan.code is None)


def counted(members: Iterable[Membership]) -> list[dict[str, Any]]:
    """Return the plans of these members as they are kept.

    Spellings of a code that find the same account are one. A code of invisible signs is none.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for plan in (one.plan for one in members if one.plan):
        code = (plan.accounting_code or "").strip()
        folded = fold_name(code)
        kept = {"name": plan.name, "code": code if folded else None, "members": 0}
        found.setdefault((plan.name, folded), kept)["members"] += 1
    return sorted(found.values(), key=lambda one: (-one["members"], one["name"], one["code"] or ""))


def keep(space_id: int, plans: list[dict[str, Any]]) -> None:
    """Keep what was counted in place of what was known. No commit."""
    values = {"plans": plans, "read_at": utcnow()}
    db.session.execute(
        insert_or_update(
            PlanList, {"space_id": space_id, **values}, unique=("space_id",), change=values
        )
    )


def last(space: Space) -> Plans | None:
    """Return the plans as last read, however long ago; None when nobody has read them yet."""
    kept = db.session.get(PlanList, space.id, populate_existing=True)
    if kept is None:
        return None
    plans = tuple(PlanUse(one["name"], one["members"], one["code"]) for one in kept.plans)
    return Plans(plans, kept.read_at)
