"""All spaces of a person at a look; the page keeps itself up to date."""

from __future__ import annotations

from hashlib import sha256

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal.services.overview_all import all_spaces_overview
from portal.views.access import current_admin, poll

bp = Blueprint("overview", __name__)


@bp.get("/overview")
def index() -> ResponseReturnValue:
    body, mark = _body()
    return render_template("overview/index.html", body=body, mark=mark)


@bp.get("/overview/part")
@poll
def part() -> ResponseReturnValue:
    """Answer a poll: 204 while the page would show the same, else what it shows now."""
    body, mark = _body()
    if mark == request.args.get("after"):
        return "", 204
    return render_template("overview/_part.html", body=body, mark=mark)


def _body() -> tuple[str, str]:
    """Return what is shown and a mark of it: also a token or a time that changed is news."""
    body = render_template("overview/_body.html", all=all_spaces_overview(current_admin()))
    return body, sha256(body.encode()).hexdigest()[:16]
