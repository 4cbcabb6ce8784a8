"""What a rehearsal found, added up by how invoices would end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from portal.models import State
from portal.money import ZERO
from portal.services.groups import group_params
from portal.sync.contacts import NO_NUMBER

KNOWN = "known"
"""The verdict for an invoice that this portal has a row of: it runs, or ran, by itself."""
LACKS: Mapping[str, str] = {
    "account_missing": "accounts",
    "account_ambiguous": "accounts",
    "code_empty": "codes",
    "contact_missing": "contacts",
    "contact_ambiguous": "contacts",
    "contact_of_stranger": "contacts",
    "tax_rule_needed": "choices",
    "correction_choice_needed": "choices",
    "cost_centre_missing": "cost_centres",
}
"""What a cause means is missing; any other cause is one of the "others"."""
_GROUPS = ("groups", "beside")
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
    lacks: Mapping[str, int] = field(default_factory=dict)
    """What is missing, each thing counted once however many invoices need it, by LACKS."""
    beside: tuple[Group, ...] = ()
    """Causes that only stand beside another one on invoices of `groups`."""

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in _SUMS:
            plain[name] = str(plain[name])
        for name in _GROUPS:
            plain[name] = [{**vars(one), "gross": str(one.gross)} for one in plain[name]]
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Outcome:
        changed = dict(plain)
        for name in _SUMS:
            changed[name] = Decimal(plain[name])
        for name in _GROUPS:
            changed[name] = tuple(
                Group(**{**group, "gross": Decimal(group["gross"])})
                for group in plain.get(name, ())
            )
        return cls(**{name: changed[name] for name in cls.__dataclass_fields__ if name in changed})


def summed_up(rows: Sequence[dict[str, Any]]) -> Outcome:
    """Add the items up by how they would end."""
    groups = _Groups()
    beside = _Groups()
    counts: dict[str, int] = {}
    sums: dict[str, Decimal] = {}
    was_there = unreadable = 0
    for row in rows:
        is_euro = row["facts"].get("currency", "EUR") == "EUR"
        verdict, gross = row["verdict"], (row["gross"] if is_euro else None) or ZERO
        counts[verdict] = counts.get(verdict, 0) + 1
        sums[verdict] = sums.get(verdict, ZERO) + gross
        was_there += bool(row["facts"].get("was_there"))
        unreadable += bool(row["facts"].get("unreadable"))
        groups.add(verdict, row["cause_code"], row["cause_params"], gross)
        for cause in row["facts"].get("causes", ())[1:]:
            beside.add(verdict, cause["code"], cause["params"], gross)
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
        groups=groups.sorted(),
        unreadable=unreadable,
        lacks=_lacks(rows),
        beside=beside.sorted(but=groups),
    )


class _Groups:
    """Groups under way, by verdict, cause and key."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None, str], Group] = {}

    def add(
        self, verdict: str, cause: str | None, params: Mapping[str, Any], gross: Decimal
    ) -> None:
        key, shown = group_params(cause, params)
        before = self._found.get((verdict, cause, key)) or Group(verdict, cause, shown, 0, ZERO)
        self._found[verdict, cause, key] = replace(
            before, count=before.count + 1, gross=before.gross + gross
        )

    def sorted(self, *, but: _Groups | None = None) -> tuple[Group, ...]:
        """Return what fails first, most invoices first; `but` names what stands elsewhere."""
        left_out = but._found if but else {}
        found = [group for key, group in self._found.items() if key not in left_out]
        return tuple(sorted(found, key=lambda one: (one.verdict != State.FAILED, -one.count)))


def _lacks(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Count what is missing: an invoice may lack several things, and many the same one."""
    things: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if row["verdict"] not in (State.FAILED, State.MISMATCHED):
            continue
        causes = row["facts"].get("causes") or [
            {"code": row["cause_code"], "params": row["cause_params"]}
        ]
        for cause in causes:
            code = cause["code"]
            key, _ = group_params(code, cause["params"])
            if key in ("", NO_NUMBER) and LACKS.get(code) != "choices":
                key = str(row["remote_id"])  # nothing tells it from others: it lacks its own
            things.setdefault(LACKS.get(code, "others"), set()).add((code, key))
    return {name: len(found) for name, found in things.items()}
