"""The space that a command is for."""

from __future__ import annotations

import click

from portal.models import Space
from portal.services.directory import all_spaces_named
from portal.tenancy import enter_space


def enter(subdomain: str) -> Space:
    """Return the space and enter it for the rest of the command. Raises ClickException."""
    space = all_spaces_named(subdomain)
    if space is None:
        raise click.ClickException(f"There is no space {subdomain}; see: flask spaces list")
    enter_space(space.id)
    return space
