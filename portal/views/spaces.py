"""Choosing a space."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.models import Space
from portal.services import overview
from portal.services.directory import all_spaces_of
from portal.services.signin import Rights
from portal.views.access import current_admin, current_rights, current_space, is_fragment

bp = Blueprint("spaces", __name__)


@bp.get("/spaces")
def index() -> ResponseReturnValue:
    """List the person's spaces, those that need somebody first; a single one opens at once."""
    q = request.args.get("q", "")[:100]
    spaces = all_spaces_of(current_admin())
    if current_rights() is Rights.UNKNOWN:
        return render_template("spaces/away.html", spaces=spaces), 503
    lost = overview.lost_of_all_spaces(current_admin())
    if len(spaces) == 1 and not lost and "q" not in request.args:
        return redirect(address_of(spaces[0]))
    return render_template(
        "spaces/_list.html" if is_fragment() else "spaces/index.html",
        cards=overview.cards_of(spaces, q),
        lost=[] if q else lost,
        total=len(spaces),
        search_from=overview.SEARCH_FROM,
        q=q,
    )


@bp.get("/spaces/<subdomain>")
def show(subdomain: str) -> ResponseReturnValue:
    """Open the space where its work is: the log, or the form that connects it."""
    return redirect(address_of(current_space()))


def address_of(space: Space) -> str:
    endpoint = "log.index" if space.is_connected else "sevdesk.edit"
    return url_for(endpoint, subdomain=space.subdomain)
