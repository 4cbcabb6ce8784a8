"""What is stored, why, and how long: for everybody to read."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from portal.core import core
from portal.services.tasks import KEEP_ITEMS
from portal.views.access import public

bp = Blueprint("privacy", __name__)


@bp.get("/privacy")
@public
def index() -> ResponseReturnValue:
    return render_template("privacy/index.html", config=core().config, task_days=KEEP_ITEMS.days)
