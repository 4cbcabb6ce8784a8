"""The mapping check: which accounting codes have a booking account, and what helps the others."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.crypto import SealBroken
from portal.errors import RemoteError
from portal.filters import cause_text
from portal.forms import place
from portal.forms_checks import LONGEST_CODE, AssignForm
from portal.models import Space
from portal.services import charts, mapping, mapping_rows, remote_pages, tasks
from portal.services.connection import SettingsRefused, actor_of
from portal.services.mapping import CodeRow, MappingCheck
from portal.views.access import current_admin, current_space, is_fragment, poll
from portal.views.task_steps import ITEMS, add_cancel, shown_look

KIND = mapping.KIND

bp = Blueprint(KIND, __name__, url_prefix=f"/spaces/<subdomain>/{KIND}")
add_cancel(bp, KIND)


@bp.get("")
def index(subdomain: str) -> ResponseReturnValue:
    return render_template("mapping/index.html", **_shown(current_space()))


@bp.post("")
def check(subdomain: str) -> ResponseReturnValue:
    """Read both sides anew."""
    space = current_space()
    if space.is_connected:
        with suppress(tasks.TaskOpen):  # another press was quicker: its check will do
            mapping.start(space, actor=actor_of(current_admin()))
    if is_fragment():
        return render_template("mapping/_task.html", **_shown(space))
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.get("/changes")
@poll
def changes(subdomain: str) -> ResponseReturnValue:
    space = current_space()
    if shown_look(space, KIND)["mark"] == request.args.get("after"):
        return "", 204  # before anything is reckoned: it is asked every two seconds
    return render_template("mapping/_task.html", **_shown(space))


@bp.post("/retry")
def retry(subdomain: str) -> ResponseReturnValue:
    """Try again what waited for booking accounts that are there now."""
    count = mapping_rows.retry_freed(current_space(), actor=actor_of(current_admin()))
    flash(
        ngettext(
            "%(num)s invoice is tried again now.", "%(num)s invoices are tried again now.", count
        )
        if count
        else _("There is nothing to try again here.")
    )
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.get("/accounts")
def accounts(subdomain: str) -> ResponseReturnValue:
    """Return sevdesk's booking accounts as choices, once for all rows of the page."""
    if not is_fragment():
        return redirect(url_for(".index", subdomain=subdomain))
    return render_template("mapping/_accounts.html", accounts=_accounts(current_space()))


@bp.get("/assign")
def assign(subdomain: str) -> ResponseReturnValue:
    """Show one code: what it may mean, and the choice of an account."""
    space, code = current_space(), request.args.get("code", "").strip()
    if not code or len(code) > LONGEST_CODE or not space.is_connected:
        abort(404)
    row, form = mapping.row_of(space, code), AssignForm(None, code=code)
    if is_fragment():
        return render_template("mapping/_assign.html", space=space, row=row, form=form)
    return _assign_page(space, row, form)


@bp.post("/assign")
def save(subdomain: str) -> ResponseReturnValue:
    """Assign a code to an account, once sevdesk agrees with it."""
    space, form = current_space(), AssignForm(request.form)
    if not space.is_connected:
        return redirect(url_for(".index", subdomain=subdomain), 303)
    if not form.validate():
        if form.code.errors:
            abort(404)
        return _assign_page(space, mapping.row_of(space, form.code.data), form), 422
    code, actor = form.code.data, actor_of(current_admin())
    try:
        count = mapping_rows.save_mapping(space, code, form.wanted, actor=actor)
    except SettingsRefused as err:
        form.account.errors = [cause_text(err.code, err.params)]
        return _assign_page(space, mapping.row_of(space, code), form), 422
    except SealBroken:
        form.account.errors = [cause_text("token_unreadable")]
        return _assign_page(space, mapping.row_of(space, code), form), 422
    except RemoteError:
        form.account.errors = [_("sevdesk is not answering. Nothing was changed; try again soon.")]
        return _assign_page(space, mapping.row_of(space, code), form), 422
    said = _("Assigned: “%(code)s” is booked on the chosen account from now on.", code=code)
    if count:
        said += " " + ngettext(
            "%(num)s invoice is tried again now.", "%(num)s invoices are tried again now.", count
        )
    flash(said)
    return redirect(url_for(".index", subdomain=subdomain), 303)


@bp.post("/remove")
def remove(subdomain: str) -> ResponseReturnValue:
    """Let a code find its account by number or name again."""
    space, code = current_space(), request.form.get("code", "")[:LONGEST_CODE]
    if mapping_rows.remove_mapping(space, code, actor=actor_of(current_admin())):
        flash(_("Taken back: “%(code)s” finds its account by number or name again.", code=code))
    else:
        flash(_("Nothing was changed."))
    return redirect(url_for(".index", subdomain=subdomain), 303)


def _assign_page(space: Space, row: CodeRow, form: AssignForm) -> str:
    return render_template(
        "mapping/assign.html", space=space, row=row, form=form, accounts=_accounts(space)
    )


def _accounts(space: Space) -> list[str]:
    """Return number and name of each booking account, by number."""
    chart = charts.last_index(space)
    known = {f"{one.number} {one.name}".strip() for one in (chart.accounts if chart else ())}
    return sorted(known)


def _shown(space: Space) -> dict[str, Any]:
    found = mapping.check(space, suggest=False)
    return (
        shown_look(space, KIND)
        | {
            "check": found,
            "freed": mapping_rows.freed(space),
            "sevdesk_page": remote_pages.sevdesk_start(),
            "missing_chart": charts.last_index(space) is None,
        }
        | (_page_of(space, found) if found else {})
    )


def _page_of(space: Space, check: MappingCheck) -> dict[str, Any]:
    """Return one page of the codes, narrowed as the address says; only they get suggestions."""
    parts = {
        "open": [row for row in check.rows if not row.fits],
        "fixed": [row for row in check.rows if row.is_fixed],
        "fits": [row for row in check.rows if row.fits],
    }
    show = request.args.get("show", "")
    rows = parts.get(show, check.rows)
    after = request.args.get("after_place", 0, type=place)
    return {
        "rows": mapping.with_suggestions(space, rows[after : after + ITEMS]),
        "counts": {name: len(part) for name, part in parts.items()},
        "show": show if show in parts else None,
        "after_place": after,
        "next_place": after + ITEMS if len(rows) > after + ITEMS else None,
    }
