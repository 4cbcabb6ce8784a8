"""The mapping check: Cobot's accounting codes beside sevdesk's booking accounts.

What it shows is reckoned from what was last read; "check again" reads both sides as a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.cobot.records import AccountingCode, Invoice, Line
from portal.core import core
from portal.database import db, utcnow
from portal.models import Chart, Space, Task
from portal.money import ZERO, to_cents
from portal.services import charts, rehearsal, tasks
from portal.services.task_looks import Look
from portal.sync.accounts import AccountIndex, AccountMatch, fold_name, written_code
from portal.sync.suggestions import Suggester, Suggestion
from portal.sync.taxes import line_rate, percent

KIND = "mapping"
DAYS = 90


@dataclass(frozen=True)
class CodeRow:
    """One accounting code. `how`: "mapping", "number", "name", "name_folded" (case or blanks
    differ), "number_and_name", "revenue_account"; None where it does not match, and `cause` says
    why."""

    code: str
    in_list: bool
    lines: int
    net: Decimal
    rates: tuple[str, ...]
    account_number: str | None = None
    account_name: str | None = None
    account_id: int | None = None
    how: str | None = None
    cause: str | None = None
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True)
class Change:
    """What became of a code since the check before: "new", "gone", "matched", "lost", "moved"."""

    code: str
    what: str
    before: str | None
    now: str | None


@dataclass(frozen=True)
class MappingCheck:
    """The whole check, unmatched codes first."""

    rows: tuple[CodeRow, ...]
    matched: int
    without_code: int
    """Lines of the last 90 days that carry no accounting code at all."""
    changes: tuple[Change, ...]
    checked_at: datetime
    before_at: datetime | None
    chart_read_at: datetime | None

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
    invoices, _ = rehearsal.read_invoices(look, task.from_date, task.to_date)
    index = look.once(
        "chart",
        lambda: charts.index_of(space, look.remotes, younger_than=charts.READ_ANEW_AFTER),
    )
    seen, without_code = usage_of(codes, invoices)
    result = {
        "codes": list(seen.values()),
        "without_code": without_code,
        "matches": {key: _outcome(index, facts["code"]) for key, facts in seen.items()},
    }
    look.finish(result)


def usage_of(
    codes: tuple[AccountingCode, ...], invoices: list[Invoice]
) -> tuple[dict[str, dict[str, Any]], int]:
    """Return each code by its folded form, with count, net sum and rates of its lines."""
    seen: dict[str, dict[str, Any]] = {}

    def facts_of(code: str, *, in_list: bool) -> dict[str, Any]:
        facts = seen.setdefault(
            fold_name(code),
            {"code": code, "in_list": in_list, "lines": 0, "net": "0.00", "rates": []},
        )
        facts["in_list"] = facts["in_list"] or in_list
        return facts

    for code in codes:
        facts = facts_of(code.name, in_list=True)
        if code.tax_rate is not None and percent(code.tax_rate) not in facts["rates"]:
            facts["rates"].append(percent(code.tax_rate))
    without_code = 0
    for line in (line for invoice in invoices for line in invoice.lines):
        written = written_code(line)
        if written is None:
            without_code += 1
            continue
        facts = facts_of(written, in_list=False)
        facts["lines"] += 1
        facts["net"] = str(Decimal(facts["net"]) + to_cents(line.net))
        if (rate := percent(line_rate(line))) not in facts["rates"]:
            facts["rates"].append(rate)
    return seen, without_code


def check(space: Space) -> MappingCheck | None:
    """Return the last check, matched against accounts and rows as they are known now; no call.

    None before the first one.
    """
    done = db.session.scalars(
        select(Task)
        .where(Task.space_id == space.id, Task.kind == KIND, Task.state == "done")
        .order_by(Task.id.desc())
        .limit(2)
    ).all()
    if not done:
        return None
    newest = done[0]
    before = done[1] if len(done) > 1 else None
    chart = db.session.get(Chart, space.id)
    read_at = chart.read_at if chart else None
    finished_at = newest.finished_at or newest.created_at
    codes, matches = newest.result["codes"], newest.result["matches"]
    without_code = newest.result["without_code"]
    earlier: Mapping[str, Any] | None = before.result["matches"] if before else None
    before_at = before.finished_at if before else None
    index = charts.last_index(space) or AccountIndex([])
    suggester = Suggester(index.accounts)
    rows = [_row(index, suggester, facts) for facts in codes]
    rows.sort(key=lambda row: (row.how is not None, -abs(row.net), fold_name(row.code)))
    return MappingCheck(
        rows=tuple(rows),
        matched=sum(row.how is not None for row in rows),
        without_code=without_code,
        changes=_changes(earlier, matches) if earlier is not None else (),
        checked_at=finished_at,
        before_at=before_at,
        chart_read_at=read_at,
    )


def _row(index: AccountIndex, suggester: Suggester, facts: Mapping[str, Any]) -> CodeRow:
    code = facts["code"]
    row: dict[str, Any] = {
        "code": code,
        "in_list": facts["in_list"],
        "lines": facts["lines"],
        "net": Decimal(facts["net"]),
        "rates": tuple(facts["rates"]),
    }
    match = index.match(_line(code))
    if isinstance(match, AccountMatch):
        account = match.account
        how = match.how
        if how == "name" and account.name != code:
            how = "name_folded"
        return CodeRow(
            **row,
            account_number=account.number,
            account_name=account.name,
            account_id=account.id,
            how=how,
        )
    found = suggester.suggest(code, ambiguous=match.code == "account_ambiguous")
    return CodeRow(**row, cause=match.code, suggestions=found)


def _outcome(index: AccountIndex, code: str) -> str | None:
    """Return the account of a code as the next check compares it; None where it has none."""
    match = index.match(_line(code))
    if not isinstance(match, AccountMatch):
        return None
    return f"{match.account.number} {match.account.name}".strip()


def _line(code: str) -> Line:
    return Line("", ZERO, ZERO, "EUR", accounting_code=code)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Change, ...]:
    found = []
    for code in sorted({*before, *now}):
        was, is_ = before.get(code), now.get(code)
        if code not in before:
            what = "new"
        elif code not in now:
            what = "gone"
        elif was == is_:
            continue
        else:
            what = "lost" if is_ is None else "matched" if was is None else "moved"
        found.append(Change(code, what, was, is_))
    return tuple(found)
