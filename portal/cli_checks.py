"""Commands for what an admin does before go-live and after trouble; each with --json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from portal.cli_spaces import enter
from portal.database import db
from portal.models import Space, Task
from portal.services import backfill, mapping, member_import, month, rehearsal, task_runs, tasks
from portal.services.drain import drain
from portal.services.month_csv import CSV_HEAD, csv_rows
from portal.services.rehearsal_outcome import Outcome

ACTOR = "support:cli"

mapping_group = AppGroup("mapping", help="Accounting codes beside booking accounts.")
members_group = AppGroup("members", help="The members of a space.")
month_group = AppGroup("month", help="A month on both sides.")

as_json = click.option("--json", "plain", is_flag=True, help="Print JSON.")
a_day = click.DateTime(["%Y-%m-%d"])


@mapping_group.command("check")
@click.argument("space")
@as_json
def check_mapping(space: str, plain: bool) -> None:
    """Read both sides and print every code, unmatched ones first."""
    found = _space(space)
    _run(mapping.start(found, actor=ACTOR))
    result = mapping.check(found)
    assert result is not None
    if plain:
        _print(asdict(result))
        return
    for row in result.rows:
        account = f"{row.account_number} {row.account_name}" if row.how else f"- {row.cause}"
        hints = ", ".join(f"{one.account.number} ({one.reason})" for one in row.suggestions)
        plans = ", ".join(f"{plan.name} ({plan.members})" for plan in row.plans)
        click.echo(
            f"{row.code}\t{account}\t{row.how or hints}\t{row.lines} lines\t{row.net}\t{plans}"
        )
    for plan in result.plans_without_code:
        click.echo(f"-\tno code\t\t\t\t{plan.name} ({plan.members})")
    if result.plans_read_at is None:
        click.echo("The plans are not known yet: Cobot's members were not read.", err=True)
    click.echo(f"{result.matched} of {result.total} codes match")


@click.command("rehearse")
@click.argument("space")
@click.option("--days", type=click.IntRange(1, 3660), default=rehearsal.DAYS, show_default=True)
@as_json
@with_appcontext
def rehearse_command(space: str, days: int, plain: bool) -> None:
    """Run the last invoices through all rules; nothing is written anywhere."""
    found = _space(space)
    task = _run(rehearsal.start(found, actor=ACTOR, days=days))
    if plain:
        _print(_outcome_of(task))
    else:
        _tell_outcome(task)


@members_group.command("import")
@click.argument("space")
@click.option("--preview", is_flag=True, help="Only say what would be done.")
@as_json
def import_members(space: str, preview: bool, plain: bool) -> None:
    """Link members to their contacts, or make them contacts; unclear ones are left out."""
    found = _space(space)
    try:
        task = _run(member_import.prepare(found, actor=ACTOR))
    except tasks.TaskOpen as err:
        raise click.ClickException("An import is under way in this space already.") from err
    result: dict[str, Any] = {"counts": member_import.counts_of(task)}
    if preview:
        result["members"] = [
            {"id": item.remote_id, "number": item.number, "action": item.verdict, **item.facts}
            for item in tasks.items(task, limit=100_000)
        ]
        if task.finished_at is None:
            tasks.cancel(task, found, actor=ACTOR)
    elif member_import.WORK.start(found, task):
        _work(found, task)
        done = member_import.WORK.progress(found, task)
        result |= {"linked": done.synced, "failed": done.failed, "waiting": done.working}
    if plain:
        _print(result)
        return
    for member in result.get("members", []):
        click.echo(f"{member['id']}\t{member['action']}\t{member.get('why') or ''}")
    for name, count in result.items():
        if name != "members":
            click.echo(f"{name}\t{count}")


@click.command("backfill")
@click.argument("space")
@click.option("--from", "first", type=a_day, required=True)
@click.option("--to", "last", type=a_day, required=True)
@click.option("--yes", is_flag=True, help="Begin without asking.")
@as_json
@with_appcontext
def backfill_command(space: str, first: datetime, last: datetime, yes: bool, plain: bool) -> None:
    """Rehearse a window with sums, then take it over; may be broken off and goes on by itself."""
    found = _space(space)
    try:
        task = _run(backfill.prepare(found, first.date(), last.date(), actor=ACTOR))
    except tasks.TaskOpen as err:
        raise click.ClickException("A backfill is under way in this space already.") from err
    if not (plain and yes):
        _tell_outcome(task, err=plain)  # standard output holds one JSON document and nothing else
    if task.state != "ready":
        if not plain:
            click.echo("Nothing to do.", err=True)
    elif yes or click.confirm("Begin?", err=True):
        backfill.WORK.start(found, task)
        _work(found, task)
    else:
        tasks.cancel(task, found, actor=ACTOR)
    done = backfill.WORK.progress(found, task)
    result: dict[str, Any] = {
        "state": done.task.state,
        "total": done.task.total if task.phase == "work" else 0,
        "synced": done.synced,
        "mismatched": done.mismatched,
        "failed": done.failed,
        "skipped": done.skipped,
        "waiting": done.working,
    }
    if plain:
        _print(result | {"rehearsal": _outcome_of(task)})
    elif task.phase == "work":
        click.echo("\n".join(f"{name}\t{value}" for name, value in result.items()))


@month_group.command("check")
@click.argument("space")
@click.argument("month_name", metavar="MONTH", type=click.DateTime(["%Y-%m"]))
@as_json
def check_month(space: str, month_name: datetime, plain: bool) -> None:
    """Compare a month (2026-10) in Cobot and in sevdesk; exits with 1 unless they are equal."""
    found = _space(space)
    task = _run(month.start(found, month_name.year, month_name.month, actor=ACTOR))
    report = month.report_of(task)
    assert report is not None
    if plain:
        _print(asdict(report))
    else:
        click.echo("\t".join(CSV_HEAD))
        for row in csv_rows(report):
            click.echo("\t".join(row))
    if not report.is_equal:
        raise click.exceptions.Exit(1)


GROUPS = (mapping_group, members_group, month_group)
COMMANDS = (rehearse_command, backfill_command)


def _run(task: Task) -> Task:
    """Carry a look on to its end; raises ClickException when it fails."""
    ended = task_runs.run_to_end(task)
    if ended.state not in ("done", "ready"):
        raise click.ClickException(f"{ended.kind}: {ended.state} ({ended.cause_code or '-'})")
    return ended


def _work(space: Space, task: Task) -> None:
    """Work until nothing more can be done now; workers go on with what waits."""
    while drain(space.id):
        pass
    db.session.refresh(task)
    db.session.refresh(space)


def _outcome_of(task: Task) -> dict[str, Any]:
    outcome = rehearsal.outcome_of(task)
    assert outcome is not None
    named = [item for item in tasks.items(task, limit=100_000) if item.cause_code]
    return {
        **outcome.to_json(),
        "invoices": [
            {
                "number": item.number,
                "date": item.day,
                "gross": item.gross,
                "state": item.verdict,
                "cause": item.cause_code,
                "params": item.cause_params,
            }
            for item in named
        ],
    }


def _tell_outcome(task: Task, *, err: bool = False) -> None:
    outcome = rehearsal.outcome_of(task)
    assert outcome is not None
    click.echo(_headline(outcome), err=err)
    for group in outcome.groups:
        params = " ".join(f"{name}={value}" for name, value in group.params.items())
        cause = group.cause or "-"
        click.echo(f"{group.verdict}\t{cause}\t{params}\t{group.count}\t{group.gross}", err=err)


def _headline(outcome: Outcome) -> str:
    return (
        f"{outcome.ok} of {outcome.total} would be transferred ({outcome.ok_gross} of "
        f"{outcome.gross} EUR), {outcome.without_contact} without contact, {outcome.failed} not, "
        f"{outcome.skipped} skipped, {outcome.known} known already"
    )


def _print(found: Mapping[str, Any]) -> None:
    click.echo(json.dumps(found, ensure_ascii=False, indent=1, default=_text))


def _text(value: object) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(type(value).__name__)


def _space(subdomain: str) -> Space:
    space = enter(subdomain)
    db.session.commit()
    if not space.is_connected:
        raise click.ClickException(f"{subdomain} is not connected.")
    return space
