"""What a rehearsal found, added up by how invoices would end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portal.models import State
from portal.money import ZERO
from portal.services.groups import group_params

KNOWN = "known"
"""The verdict for an invoice that this portal has a row of: it runs, or ran, by itself."""
_SUMS = ("gross", "ok_gross", "without_contact_gross", "failed_gross")


@dataclass(frozen=True)
class Group:
    """Invoices that would end alike."""

    verdict: str
    cause: str | None
    params: dict[str, str]
    count: int
    gross: Decimal


@dataclass(frozen=True)
class Outcome:
    """What a rehearsal found: "41 of 44 would be transferred", and what is in the way."""

    total: int
    gross: Decimal
    ok: int
    """Would have a receipt with its contact."""
    ok_gross: Decimal
    without_contact: int
    without_contact_gross: Decimal
    failed: int
    failed_gross: Decimal
    skipped: int
    known: int
    was_there: int
    groups: tuple[Group, ...]
    unreadable: int = 0

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in _SUMS:
            plain[name] = str(plain[name])
        plain["groups"] = [
            {
                "verdict": group.verdict,
                "cause": group.cause,
                "params": group.params,
                "count": group.count,
                "gross": str(group.gross),
            }
            for group in self.groups
        ]
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Outcome:
        changed = dict(plain)
        for name in _SUMS:
            changed[name] = Decimal(plain[name])
        changed["groups"] = tuple(
            Group(**{**group, "gross": Decimal(group["gross"])}) for group in plain["groups"]
        )
        return cls(**{name: changed[name] for name in cls.__dataclass_fields__ if name in changed})


def summed_up(rows: Iterable[dict[str, Any]]) -> Outcome:
    """Add the items up by how they would end."""
    groups: dict[tuple[str, str | None, str], list[Any]] = {}
    counts: dict[str, int] = {}
    sums: dict[str, Decimal] = {}
    was_there = unreadable = 0
    for row in rows:
        verdict, gross = row["verdict"], row["gross"] or ZERO
        counts[verdict] = counts.get(verdict, 0) + 1
        sums[verdict] = sums.get(verdict, ZERO) + gross
        was_there += bool(row["facts"].get("was_there"))
        unreadable += bool(row["facts"].get("unreadable"))
        key, params = group_params(row["cause_code"], row["cause_params"])
        group = groups.setdefault((verdict, row["cause_code"], key), [params, 0, ZERO])
        group[1] += 1
        group[2] += gross
    return Outcome(
        total=sum(counts.values()),
        gross=sum(sums.values(), ZERO),
        ok=counts.get(State.SYNCED, 0),
        ok_gross=sums.get(State.SYNCED, ZERO),
        without_contact=counts.get(State.MISMATCHED, 0),
        without_contact_gross=sums.get(State.MISMATCHED, ZERO),
        failed=counts.get(State.FAILED, 0),
        failed_gross=sums.get(State.FAILED, ZERO),
        skipped=counts.get(State.SKIPPED, 0),
        known=counts.get(KNOWN, 0),
        was_there=was_there,
        groups=tuple(
            Group(verdict, cause, params, count, gross)
            for (verdict, cause, _), (params, count, gross) in sorted(
                groups.items(), key=lambda item: (item[0][0] != State.FAILED, -item[1][1])
            )
        ),
        unreadable=unreadable,
    )
