"""The mapping check: Cobot's accounting codes beside sevdesk's booking accounts.

What it shows is reckoned from what was last read; "check again" reads both sides as a task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.cobot.records import Line
from portal.core import core
from portal.database import db, utcnow
from portal.models import Space, Task
from portal.money import ZERO
from portal.services import (
    charts,
    code_usage,
    heal,
    mapping_rows,
    plan_lists,
    rehearsal,
    tasks,
)
from portal.services.plan_lists import PlanUse
from portal.services.task_looks import Look
from portal.sync.accounts import AccountIndex, AccountMatch, fold_name
from portal.sync.suggestions import Suggester, Suggestion

KIND = "mapping"
DAYS = 90
AT_ONCE = timedelta(0)
"""A person asks because something was repaired: no chart is young enough."""


@dataclass(frozen=True)
class CodeRow:
    """One accounting code. `how`: "mapping", "number", "name", "name_folded" (case or blanks
    differ), "number_and_name", "revenue_account"; None where no account is found. `cause` says why
    its lines cannot be booked: there is no account, or it does not take a rate in use."""

    code: str
    in_list: bool
    lines: int
    net: Decimal
    rates: tuple[str, ...]
    is_fixed: bool = False
    """A person chose the account for this code."""
    plans: tuple[PlanUse, ...] = ()
    """The plans of Cobot's members that carry this code, those with most members first."""
    waits: int = 0
    """So many invoices are not booked for want of this account."""
    account_number: str | None = None
    account_name: str | None = None
    account_id: int | None = None
    how: str | None = None
    cause: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def fits(self) -> bool:
        return self.cause is None

    @property
    def key(self) -> str:
        """Return what names this row in a page."""
        return hashlib.sha256(fold_name(self.code).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Change:
    """What became of a code since the check before: "new", "gone", "matched", "lost", "moved"."""

    code: str
    what: str
    before: str | None
    now: str | None


@dataclass(frozen=True)
class MappingCheck:
    """The whole check: codes that do not fit first, then those that a person assigned."""

    rows: tuple[CodeRow, ...]
    matched: int
    """So many codes have an account that takes them."""
    without_code: int
    """Lines of the last 90 days that carry no accounting code at all."""
    changes: tuple[Change, ...]
    checked_at: datetime | None
    """None before the first check: then only what a person assigned is known."""
    before_at: datetime | None
    """Since when `changes` are counted."""
    chart_read_at: datetime | None
    plans_without_code: tuple[PlanUse, ...] = ()
    """Plans whose invoices will be refused: their lines will carry no accounting code."""
    plans_read_at: datetime | None = None
    """None while Cobot's members, and with them the plans, were never read."""

    @property
    def total(self) -> int:
        return len(self.rows)


def start(space: Space, *, actor: str) -> Task:
    """Check again: read both sides. Commits and wakes a worker."""
    today = utcnow().astimezone(core().config.zone).date()
    first = today - timedelta(days=DAYS - 1)
    return tasks.begin(space, KIND, actor=actor, from_date=first, to_date=today)


def run(look: Look) -> None:
    """Read codes, lines and accounts. Raises RemoteError, TaskStopped."""
    task, space = look.task, look.space
    assert task.from_date is not None
    assert task.to_date is not None
    codes = look.once("codes", look.remotes.cobot.accounting_codes)
    code_usage.read_plans(look)
    invoices, _ = rehearsal.read_invoices(look, task.from_date, task.to_date)
    index = look.once(
        "chart",
        lambda: charts.index_of(space, look.remotes, younger_than=AT_ONCE),
    )
    seen, without_code = code_usage.usage_of(codes, invoices)
    if (known := plan_lists.last(space)) is not None:
        code_usage.add_plans(seen, known)
    result = {
        "codes": list(seen.values()),
        "without_code": without_code,
        "matches": {key: _outcome(index, facts["code"]) for key, facts in seen.items()},
    }
    look.finish(result)


def check(space: Space, *, suggest: bool = True) -> MappingCheck | None:
    """Return the last check, matched against accounts and rows as they are known now; no call.

    Codes of explicit rows are among them, seen or not. None before the first check where no row
    exists. Without `suggest` the suggestions are left for `with_suggestions`.
    """
    done = db.session.scalars(
        select(Task)
        .where(Task.space_id == space.id, Task.kind == KIND, Task.state == "done")
        .order_by(Task.id.desc())
        .limit(2)
    ).all()
    fixed = {fold_name(code): code for code in mapping_rows.mappings(space)}
    if not done and not fixed:
        return None
    newest = done[0] if done else None
    before = done[-1] if done else None
    read_at = charts.read_at(space)
    facts_of = {fold_name(one["code"]): one for one in (newest.result["codes"] if newest else ())}
    for folded, code in fixed.items():
        facts_of.setdefault(folded, code_usage.facts_of_code(code, in_list=False))
    known = plan_lists.last(space)
    if known is not None:
        code_usage.add_plans(facts_of, known)
    plans_of = known.by_code() if known else {}
    waits = _waiting(space)
    index = charts.last_index(space) or AccountIndex([])
    rows = [
        replace(
            _row(space, index, facts),
            is_fixed=folded in fixed,
            plans=plans_of.get(folded, ()),
            waits=waits.get(folded, 0),
        )
        for folded, facts in facts_of.items()
    ]
    if suggest:
        rows = with_suggestions(space, rows)
    rows.sort(key=_urgency)
    now = {folded: _outcome(index, facts["code"]) for folded, facts in facts_of.items()}
    return MappingCheck(
        rows=tuple(rows),
        matched=sum(row.fits for row in rows),
        without_code=newest.result["without_code"] if newest else 0,
        changes=_changes(before.result, now, facts_of) if before else (),
        checked_at=newest.finished_at if newest else None,
        before_at=before.finished_at if before else None,
        chart_read_at=read_at,
        plans_without_code=known.without_code if known else (),
        plans_read_at=known.read_at if known else None,
    )


def _urgency(row: CodeRow) -> tuple[bool, bool, Decimal, int, str]:
    """Sort what does not fit first, then what a person assigned, then by money and members."""
    members = sum(plan.members for plan in row.plans)
    return (row.fits, not row.is_fixed, -abs(row.net), -members, fold_name(row.code))


def with_suggestions(space: Space, rows: Sequence[CodeRow]) -> list[CodeRow]:
    """Return the rows, those without an account with the accounts that they may mean."""
    if all(row.how is not None for row in rows):
        return list(rows)
    suggester = Suggester((charts.last_index(space) or AccountIndex([])).accounts)

    def found(row: CodeRow) -> tuple[Suggestion, ...]:
        return suggester.suggest(row.code, ambiguous=row.cause == "account_ambiguous")

    return [replace(row, suggestions=found(row)) if row.how is None else row for row in rows]


def row_of(space: Space, code: str) -> CodeRow:
    """Return one code as the check shows it, with suggestions; one that was never seen too."""
    known = check(space, suggest=False)
    same = [row for row in (known.rows if known else ()) if fold_name(row.code) == fold_name(code)]
    index = charts.last_index(space) or AccountIndex([])
    unseen = code_usage.facts_of_code(code.strip(), in_list=False)
    row = same[0] if same else _row(space, index, unseen)
    return with_suggestions(space, [row])[0]


def _waiting(space: Space) -> dict[str, int]:
    """Return by folded code how many invoices wait for its account."""
    found: dict[str, int] = {}
    for group in heal.groups_of([space.id]).get(space.id, []):
        if group.cause in ("account_missing", "account_ambiguous"):
            code = fold_name(group.params.get("code", ""))
            found[code] = found.get(code, 0) + group.count
    return found


def _row(space: Space, index: AccountIndex, facts: Mapping[str, Any]) -> CodeRow:
    code = facts["code"]
    row = CodeRow(
        code=code,
        in_list=facts["in_list"],
        lines=facts["lines"],
        net=Decimal(facts["net"]),
        rates=tuple(facts["rates"]),
    )
    match = index.match(_line(code))
    if not isinstance(match, AccountMatch):
        return replace(row, cause=match.code, params=match.params)
    account = match.account
    row = replace(
        row,
        account_number=account.number,
        account_name=account.name,
        account_id=account.id,
        how="name_folded" if match.how == "name" and account.name != code else match.how,
    )
    refused = mapping_rows.refused_rate(space, index, account, row.rates)
    if refused is None:
        return row
    params = {"number": account.number, "name": account.name, "rate": refused}
    return replace(row, cause="rule_not_allowed", params=params)


def _outcome(index: AccountIndex, code: str) -> str | None:
    """Return the account of a code as the next check compares it; None where it has none."""
    match = index.match(_line(code))
    if not isinstance(match, AccountMatch):
        return None
    return f"{match.account.number} {match.account.name}".strip()


def _line(code: str) -> Line:
    return Line("", ZERO, ZERO, "EUR", accounting_code=code)


def _changes(
    before: Mapping[str, Any], now: Mapping[str, str | None], facts: Mapping[str, Any]
) -> tuple[Change, ...]:
    was = before["matches"]
    written = {fold_name(one["code"]): one["code"] for one in before["codes"]}
    found = []
    for code in sorted({*was, *now}):
        old, new = was.get(code), now.get(code)
        if code not in was:
            what = "new"
        elif code not in now:
            what = "gone"
        elif old == new:
            continue
        else:
            what = "lost" if new is None else "matched" if old is None else "moved"
        spelled = facts[code]["code"] if code in facts else written.get(code, code)
        found.append(Change(spelled, what, old, new))
    return tuple(found)
