"""`flask up`: the whole portal on one machine, with nothing else to install."""

from __future__ import annotations

import os
from pathlib import Path

import click
from dotenv import dotenv_values

from portal.errors import PortalError
from portal.stack import LOOPBACK, ROOT, free_port, run_stack

NEEDED = ("COBOT_CLIENT_ID", "COBOT_CLIENT_SECRET")
"""What cannot be made up: Cobot gives them out when the app is registered."""


@click.command("up")
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "var", show_default="var")
@click.option("--port", type=int, default=8000, show_default=True)
def up_command(folder: Path, port: int) -> None:
    """Start queue, database, web server, workers and upkeep; Ctrl-C ends all of them.

    Without settings it uses SQLite and its own Valkey, with everything kept in --folder.
    """
    from_file = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value}
    given = {**from_file, **os.environ}
    missing = [name for name in NEEDED if not given.get(name)]
    if missing:
        raise click.ClickException(
            f"Set {' and '.join(missing)} in the environment or in .env; Cobot shows them under "
            "https://dev.cobot.me/oauth2_clients once the app is registered."
        )
    if free_port(port) != port:
        raise click.ClickException(f"{LOOPBACK}:{port} is taken; choose another one with --port.")
    try:
        run_stack(folder, port=port, given=given)
    except PortalError as err:
        raise click.ClickException(str(err)) from err


if __name__ == "__main__":
    up_command()
