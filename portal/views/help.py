"""The short guide: how it works, the states, every cause with its fix."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from portal.services.wording import CAUSE_GROUPS, STATE_ICONS, STATE_MEANINGS, STATES
from portal.sync.messages import CATALOGUE
from portal.views.access import public

bp = Blueprint("help", __name__)


@bp.get("/help")
@public
def index() -> ResponseReturnValue:
    return render_template(
        "help/index.html",
        states=STATES,
        icons=STATE_ICONS,
        meanings=STATE_MEANINGS,
        groups=[
            (name, [entry for entry in CATALOGUE.values() if entry.retry in kinds])
            for name, kinds in CAUSE_GROUPS.items()
        ],
    )
