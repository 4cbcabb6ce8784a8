"""`flask doctor`: is this deployment well? Missing settings are its first finding."""

from __future__ import annotations

import click

from portal.config import ConfigError
from portal.core import create_core
from portal.database import reading_only
from portal.services.doctor import Finding, Grade, examine

MARKS = {Grade.OK: "ok", Grade.WARNING: "WARNING", Grade.BROKEN: "BROKEN"}


@click.command("doctor")
def doctor_command() -> None:
    """Look at settings, database, keys, queue, workers, both remote sides and the clock.

    One line each. Ends with 1 when something is broken; warnings alone end with 0.
    """
    try:
        app = create_core()
    except ConfigError as err:
        _print(Finding(Grade.BROKEN, "settings", str(err)))
        raise click.exceptions.Exit(1) from None
    worst = Grade.OK
    with app.app_context(), reading_only():
        for finding in examine():
            _print(finding)
            if finding.grade is Grade.BROKEN or worst is Grade.OK:
                worst = finding.grade
    if worst is Grade.BROKEN:
        raise click.exceptions.Exit(1)


def _print(finding: Finding) -> None:
    click.echo(f"{MARKS[finding.grade]:<8}{finding.subject:<12}{finding.said}")
