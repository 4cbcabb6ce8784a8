"""Commands: `flask <noun> <verb>`. Each calls one service and prints one line per result."""

from __future__ import annotations

import signal
from types import FrameType

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from flask_migrate.cli import db as migrations_group
from redis import Redis
from rq.utils import import_attribute
from sqlalchemy import select

from portal import cli_checks, cli_privacy
from portal.cli_doctor import doctor_command
from portal.cli_migrations import upgrade_command
from portal.cli_spaces import enter
from portal.cli_up import up_command
from portal.core import core
from portal.crypto import new_key
from portal.database import db, reading_only
from portal.jobqueue import QUEUES
from portal.models import HistoryLine, InvoiceSync, Space
from portal.services import (
    directory,
    drain,
    history,
    housekeeping,
    resealing,
    retention,
    retry,
    upkeep,
)

WORKER_CLASS = "jobs.worker.StayingWorker"
"""Named by its path: portal never imports jobs."""

rq = AppGroup("rq", help="Workers of the queues.")
upkeep_group = AppGroup("upkeep", help="Keeping everything going.")
spaces = AppGroup("spaces", help="The spaces of this portal.")
invoice_group = AppGroup("invoice", help="One invoice of a space.")
sync_group = AppGroup("sync", help="Working in the foreground.")
space_group = AppGroup("space", help="One space.")
space_group.add_command(cli_privacy.export_space)
history_group = AppGroup("history", help="The chains of history lines.")
keys = AppGroup("keys", help="Keys that seal the tokens.")


GROUPS = (
    rq,
    upkeep_group,
    spaces,
    space_group,
    invoice_group,
    history_group,
    sync_group,
    keys,
    *cli_checks.GROUPS,
    *cli_privacy.GROUPS,
)


def register_commands(app: Flask) -> None:
    """Add all commands to the application's command line."""
    for group in GROUPS:
        app.cli.add_command(group)
    migrations_group.add_command(upgrade_command)
    app.cli.add_command(up_command)
    app.cli.add_command(doctor_command)
    app.cli.add_command(prune_command)
    for command in cli_checks.COMMANDS:
        app.cli.add_command(command)


@rq.command("worker")
@click.argument("queue", type=click.Choice(QUEUES))
@click.option("--burst", is_flag=True, help="End when the queue is empty.")
def run_worker(queue: str, burst: bool) -> None:
    """Work on exactly one queue until told to stop (SIGTERM ends after the job at hand)."""
    worker_class = import_attribute(WORKER_CLASS)
    # A connection of its own: a worker waits on it for longer than a web request may.
    connection = Redis.from_url(core().config.redis_url.get_secret_value())
    worker = worker_class(
        [core().queue.queue(queue).name],
        connection=connection,
        serializer="json",
        worker_ttl=30,
        maintenance_interval=30,
    )
    worker.work(burst=burst, logging_level="WARNING")


@upkeep_group.command("run")
def run_upkeep() -> None:
    """Wake what is due and tidy up, until told to stop."""
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    upkeep.run(lambda: stopping)


@spaces.command("list")
def list_spaces() -> None:
    """Print every space, its state and its pause."""
    with reading_only():
        for space in directory.all_spaces_by_name():
            state = "connected" if space.is_connected else "not connected"
            if space.is_paused:
                state = f"paused: {space.pause_code}"
            click.echo(f"{space.subdomain}\t{state}\t{space.name}")


@invoice_group.command("show")
@click.argument("space")
@click.argument("number")
def show_invoice(space: str, number: str) -> None:
    """Print an invoice's state and its history."""
    with reading_only():
        for invoice in _invoices(enter(space), number):
            _print_invoice(invoice)


@invoice_group.command("retry")
@click.argument("space")
@click.argument("number")
def retry_invoice(space: str, number: str) -> None:
    """Make an invoice due now."""
    found = enter(space)
    for invoice in _invoices(found, number):
        done = retry.retry_invoice(found, invoice.cobot_invoice_id, actor="support:cli")
        click.echo(f"{number}\t{'due now' if done else f'nothing to retry: {invoice.state}'}")


@sync_group.command("run")
@click.argument("space")
def run_sync(space: str) -> None:
    """Work through what is due in a space, in the foreground."""
    found = enter(space)
    space_id = found.id
    # A drain takes its lock on a connection of its own; on SQLite it would wait for this one.
    db.session.commit()
    while drain.drain(space_id):
        pass
    db.session.refresh(found)
    when = found.wake_at.isoformat(timespec="seconds") if found.wake_at else "nothing is due"
    click.echo(f"{found.subdomain}\tnext: {when}")


@history_group.command("verify")
@click.argument("space")
def verify_history(space: str) -> None:
    """Check that no history line of a space was changed, added between, or taken away."""
    lines, breaks = history.verify(enter(space))
    for broken in breaks:
        click.echo(f"{broken.chain}\tline {broken.number}\t{broken.reason}")
    if breaks:
        raise click.ClickException(f"{len(breaks)} of {lines} lines do not fit their chain.")
    click.echo(f"{space}\t{lines} lines, all chains are whole")


@space_group.command("delete")
@click.argument("space")
@click.confirmation_option(prompt="Delete all invoices and names of this space here?")
def delete_space(space: str) -> None:
    """Delete all that is known of a disconnected space; receipts in sevdesk stay."""
    try:
        gone = retention.delete_space(enter(space))
    except ValueError as err:
        raise click.ClickException(str(err)) from err
    click.echo(f"{space}\t{gone} invoices deleted")


@click.command("prune")
@with_appcontext
def prune_command() -> None:
    """Let go what is older than the settings RETENTION_* allow, in all spaces.

    Ends with 1 where that failed in some space; the log says where.
    """
    gone = housekeeping.let_old_things_of_all_spaces_go()
    for kind, rows in gone.items():
        click.echo(f"{kind}\t{rows}")
    if not gone:
        click.echo("nothing is old enough")
    if housekeeping.FAILED in gone:
        raise SystemExit(1)


@keys.command("new")
def make_key() -> None:
    """Print a new key for TOKEN_KEYS."""
    click.echo(new_key())


@keys.command("rotate")
def rotate_keys() -> None:
    """Seal everything with the first of TOKEN_KEYS; afterwards the others may be taken away.

    May be stopped and run again at any time, beside everything else.
    """
    broken = 0
    for result in resealing.reseal_all_spaces():
        broken += result.broken
        click.echo(
            f"{result.name}\t{result.done} sealed anew, {result.newest} were already, "
            f"{result.broken} do not open"
        )
    if broken:
        raise click.ClickException(
            f"{broken} values open with none of TOKEN_KEYS: give the key that sealed them too, or "
            "connect those spaces again. Keep the other keys until then."
        )


def _invoices(space: Space, number: str) -> list[InvoiceSync]:
    found = db.session.scalars(
        select(InvoiceSync)
        .where(InvoiceSync.space_id == space.id, InvoiceSync.number == number)
        .order_by(InvoiceSync.id)
    ).all()
    if not found:
        raise click.ClickException(f"{space.subdomain} has no invoice {number} here.")
    return list(found)


def _print_invoice(invoice: InvoiceSync) -> None:
    amount = "-" if invoice.gross is None else f"{invoice.gross:.2f} {invoice.currency}"
    click.echo(
        f"{invoice.number}\t{invoice.state}\t{invoice.cause_code or '-'}\t"
        f"{amount}\treceipt {invoice.sevdesk_voucher_id or '-'}"
    )
    lines = db.session.scalars(
        select(HistoryLine)
        .where(HistoryLine.space_id == invoice.space_id, HistoryLine.invoice_id == invoice.id)
        .order_by(HistoryLine.id)
    )
    for line in lines:
        facts = " ".join(f"{name}={value}" for name, value in line.facts.items())
        when = line.at.isoformat(timespec="seconds")
        click.echo(f"  {when}\t{line.actor}\t{line.step}\t{line.outcome}\t{facts}")
