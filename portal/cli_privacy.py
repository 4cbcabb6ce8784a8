"""Commands for those who ask what is held of them: export, erasure."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select

from portal.cli_spaces import enter
from portal.database import db
from portal.models import Admin, PersonName, Space
from portal.services import exports, people, signin
from portal.services.sentences import language_of
from portal.views.tables import csv_lines

person_group = AppGroup("person", help="People in the data of a space.")
admin_group = AppGroup("admin", help="People who sign in.")

as_csv = click.option("--csv", "plain", is_flag=True, help="Print a list instead of JSON.")


@click.command("export")
@click.argument("space")
@click.option("--table", help="Print only this table, as CSV.")
@with_appcontext
def export_space(space: str, table: str | None) -> None:
    """Print everything of a space as JSON."""
    found = enter(space)
    if table is None:
        _print(exports.as_json(f"space {space}", exports.space_parts(found)))
        return
    tables = exports.tables_of_a_space()
    if table not in tables:
        raise click.ClickException(f"There is no table {table}, but: {', '.join(tables)}")
    columns = exports.columns_of(tables[table])
    with language_of(found):
        _print(csv_lines(exports.as_table(columns, exports.rows_of(found.id, tables[table]))))


@person_group.command("find")
@click.argument("space")
@click.argument("name")
def find_person(space: str, name: str) -> None:
    """Print the people whose name begins so, with the numbers that the other commands take."""
    for person in people.find(enter(space), name):
        click.echo(f"{person.id}\t{person.name or people.pseudonym(person)}\t{person.kind}")


@person_group.command("export")
@click.argument("space")
@click.argument("person", type=int)
@as_csv
def export_person(space: str, person: int, plain: bool) -> None:
    """Print what a space holds of one person."""
    found = enter(space)
    parts = exports.person_parts(found, _person(found, person))
    with language_of(found):
        _print_parts(f"person {person} of space {space}", parts, plain)


@person_group.command("erase")
@click.argument("space")
@click.argument("person", type=int)
@click.confirmation_option(prompt="Erase this name for good?")
def erase_person(space: str, person: int) -> None:
    """Erase the name of a person; figures and chains stay."""
    found = enter(space)
    row = _person(found, person)
    people.erase(found, row)
    click.echo(f"{space}\t{people.pseudonym(row)}")


@admin_group.command("export")
@click.argument("user")
@as_csv
def export_admin(user: str, plain: bool) -> None:
    """Print what is held of somebody who signs in, by Cobot's user id."""
    _print_parts(f"admin {user}", exports.all_spaces_admin_parts(_admin(user)), plain)


@admin_group.command("forget")
@click.argument("user")
@click.confirmation_option(prompt="Forget this person?")
def forget_admin(user: str) -> None:
    """Forget e-mail, language, sessions and rights of somebody who signs in."""
    signin.forget_in_all_spaces(_admin(user))
    click.echo(f"{user}\tforgotten")


GROUPS = (person_group, admin_group)


def _print_parts(about: str, parts: Iterable[exports.Part], plain: bool) -> None:
    _print(csv_lines(exports.as_list(parts)) if plain else exports.as_json(about, parts))


def _print(pieces: Iterable[str]) -> None:
    for piece in pieces:
        click.echo(piece, nl=False, file=sys.stdout)


def _person(space: Space, person_id: int) -> PersonName:
    person = people.person_of(space, person_id)
    if person is None:
        raise click.ClickException(f"{space.subdomain} has no person {person_id}.")
    return person


def _admin(user_id: str) -> Admin:
    admin = db.session.scalar(select(Admin).where(Admin.cobot_user_id == user_id))
    if admin is None:
        raise click.ClickException(f"Nobody with Cobot's user id {user_id} ever signed in.")
    return admin
