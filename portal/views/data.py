"""What we hold of a space: seen, taken along, kept longer; and the names of people in it."""

from __future__ import annotations

from collections.abc import Iterable

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import core
from portal.forms import LONGEST_SEARCH, row_id
from portal.models import PersonName
from portal.services import exports, housekeeping, people
from portal.services.connection import actor_of
from portal.services.table_words import TABLES
from portal.views.access import current_admin, current_space, streamed
from portal.views.tables import csv_lines

bp = Blueprint("data", __name__, url_prefix="/spaces/<subdomain>")


@bp.get("/data")
def index(subdomain: str) -> ResponseReturnValue:
    space, q = current_space(), request.args.get("q", "").strip()[:LONGEST_SEARCH]
    return render_template(
        "data/index.html",
        space=space,
        tables=TABLES,
        q=q,
        people=people.find(space, q),
        pseudonym=people.pseudonym,
        deleted_at=housekeeping.deleted_at(space),
        config=core().config,
    )


@bp.post("/data/keep")
def keep(subdomain: str) -> ResponseReturnValue:
    """Keep the data of a disconnected space beyond its time, or no longer."""
    is_wanted = request.form.get("keep") == "yes"
    if housekeeping.keep(current_space(), is_wanted, actor=actor_of(current_admin())):
        flash(_("The data stay until you decide otherwise.") if is_wanted else _("As you wish."))
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.get("/export.json")
def download(subdomain: str) -> ResponseReturnValue:
    """Give everything of the space as one file."""
    parts = exports.space_parts(current_space())
    return json_file(exports.as_json(f"space {subdomain}", parts), subdomain)


@bp.get("/export/<table>.csv")
def download_table(subdomain: str, table: str) -> ResponseReturnValue:
    """Give one table of the space as a file for spreadsheets."""
    found = exports.tables_of_a_space().get(table)
    if found is None:
        abort(404)
    rows = exports.rows_of(current_space().id, found)
    return csv_file(exports.as_table(exports.columns_of(found), rows), f"{subdomain}-{table}")


@bp.get("/people/<person_id>.json")
def download_person(subdomain: str, person_id: str) -> ResponseReturnValue:
    """Give what we hold of one person."""
    person = _person(person_id)
    about = f"person {person.id} of space {subdomain}"
    parts = exports.person_parts(current_space(), person)
    return json_file(exports.as_json(about, parts), f"{subdomain}-person-{person.id}")


@bp.get("/people/<person_id>.csv")
def download_person_list(subdomain: str, person_id: str) -> ResponseReturnValue:
    """Give the same as a list for spreadsheets."""
    person = _person(person_id)
    parts = exports.person_parts(current_space(), person)
    return csv_file(exports.as_list(parts), f"{subdomain}-person-{person.id}")


@bp.get("/people/<person_id>/erase")
def confirm_erase(subdomain: str, person_id: str) -> ResponseReturnValue:
    person = _person(person_id)
    return render_template(
        "data/erase.html", space=current_space(), person=person, pseudonym=people.pseudonym(person)
    )


@bp.post("/people/<person_id>/erase")
def erase(subdomain: str, person_id: str) -> ResponseReturnValue:
    """Erase the name of a person for good."""
    person = _person(person_id)
    people.erase(current_space(), person, admin=current_admin())
    flash(_("Erased. %(name)s is shown instead.", name=people.pseudonym(person)))
    return redirect(url_for(".index", subdomain=subdomain), 303)


def json_file(pieces: Iterable[str], name: str) -> Response:
    return _file(pieces, "application/json", f"{name}.json")


def csv_file(rows: Iterable[list[str]], name: str) -> Response:
    return _file(csv_lines(rows), "text/csv", f"{name}.csv")


def _file(pieces: Iterable[str], mimetype: str, filename: str) -> Response:
    answer = Response(streamed(iter(pieces)), mimetype=mimetype)
    answer.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return answer


def _person(person_id: str) -> PersonName:
    try:
        number = row_id(person_id)
    except ValueError:
        abort(404)
    person = people.person_of(current_space(), number)
    if person is None:
        abort(404)
    return person
