"""Every address, walked with the ids of another space: by an admin of one's own, and by support."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import Base, db, utcnow
from portal.models import Admin, Batch, PersonName, SupportVisit, Task
from portal.models.invoice import State
from portal.spaceguard import space_column
from portal.views.access import SUPPORT
from tests.web.conftest import Cast, csrf_of
from tests.web.test_access import addresses, call

TASK_KINDS = {
    "backfill": "backfill",
    "mapping": "mapping",
    "members": "members",
    "rehearsal": "rehearsal",
}
"""What a task in the address is, by the page."""
IDS = {"invoice_id", "batch_id", "task_id", "person_id", "visit_id"}
NO_IDS = {"subdomain", "table", "name", "step"}


@pytest.fixture
def of_beta(app: Flask, cast: Cast, add_invoice: Callable[..., int]) -> dict[str, str]:
    """Something of everything in space beta; return its ids by the names in the addresses."""
    add_invoice(cast.beta, State.FAILED, cobot_invoice_id="i-beta", member="Ben Ott")
    with app.app_context():
        batch = Batch(space_id=cast.beta, actor="admin:u-stranger")
        other = Admin(cobot_user_id="u-other-support", email="other@example.org")
        db.session.add_all([batch, other])
        db.session.flush()
        visit = SupportVisit(
            space_id=cast.beta,
            admin_id=other.id,
            reason="Ticket 1",
            expires_at=utcnow() + timedelta(minutes=20),
        )
        tasks = {
            page: Task(space_id=cast.beta, kind=kind, actor="admin:u-stranger")
            for page, kind in TASK_KINDS.items()
        }
        db.session.add_all([visit, *tasks.values()])
        db.session.commit()
        person = db.session.scalars(select(PersonName)).one()
        return {
            "invoice_id": "i-beta",
            "batch_id": str(batch.id),
            "person_id": str(person.id),
            "visit_id": str(visit.id),
            **{f"task_id of {page}": str(task.id) for page, task in tasks.items()},
        }


def rows_of(app: Flask, space_id: int) -> dict[str, list[Any]]:
    """Return all that stands of a space."""
    with app.app_context():
        return {
            name: db.session.execute(
                select(table).where(table.c[column] == space_id).order_by(*table.primary_key)
            ).all()
            for name, table in Base.metadata.tables.items()
            if (column := space_column(table))
        }


def walked(app: Flask, client: FlaskClient, ids: dict[str, str], token: str) -> dict[str, int]:
    """Ask for every address of space alpha with ids of beta; return the answers."""
    found = {}
    for page in TASK_KINDS:
        values = {**ids, "subdomain": "alpha", "task_id": ids[f"task_id of {page}"]}
        for method, path, rule in addresses(app, values):
            is_of_page = "task_id" not in rule.arguments or rule.endpoint.startswith(f"{page}.")
            if rule.arguments & IDS and is_of_page:
                found[f"{method} {path}"] = call(client, method, path, token).status_code
    return found


def test_no_address_takes_the_id_of_another_space(
    app: Flask, cast: Cast, owner: FlaskClient, of_beta: dict[str, str]
) -> None:
    before = rows_of(app, cast.beta)
    answers = walked(app, owner, of_beta, csrf_of(owner, "/spaces/alpha/settings"))
    assert len(answers) >= 30
    assert {path: status for path, status in answers.items() if status != 404} == {}
    assert rows_of(app, cast.beta) == before


def test_every_argument_of_an_address_is_known_to_this_walk(app: Flask) -> None:
    unknown = {
        name
        for rule in app.url_map.iter_rules()
        if "subdomain" in rule.arguments or rule.rule.startswith("/support")
        for name in rule.arguments - IDS - NO_IDS
    }
    assert unknown == set()
    with_tasks = {
        rule.endpoint.partition(".")[0]
        for rule in app.url_map.iter_rules()
        if "task_id" in rule.arguments
    }
    assert with_tasks == set(TASK_KINDS)


def test_support_reads_no_space_but_the_one_it_visits_and_enters_none(
    app: Flask,
    cast: Cast,
    sign_in: Callable[..., FlaskClient],
    add_invoice: Callable[..., int],
    of_beta: dict[str, str],
) -> None:
    add_invoice(cast.alpha, cobot_invoice_id="i-alpha")
    support = sign_in(cast.support)
    token = csrf_of(support, "/help")
    before = {space: rows_of(app, space) for space in (cast.alpha, cast.beta)}
    values = {**of_beta, "subdomain": "beta", "task_id": "1"}
    inside = {
        (method, path): call(support, method, path, token).status_code
        for method, path, rule in addresses(app, values)
        if "subdomain" in rule.arguments and not rule.endpoint.startswith(f"{SUPPORT}.")
    }
    assert set(inside.values()) == {404}
    assert (
        call(support, "POST", f"/support/visits/{of_beta['visit_id']}/end", token).status_code
        == 404
    )
    assert {space: rows_of(app, space) for space in (cast.alpha, cast.beta)} == before
    asked = support.get("/support/spaces/beta/invoices/i-beta").text
    assert "2531-1" not in asked
    assert "Ben Ott" not in asked
    data = {"csrf_token": token, "subdomain": "alpha", "reason": "Ticket 2"}
    assert support.post("/support/visits", data=data).status_code == 303
    assert support.get("/support/spaces/alpha/invoices/i-alpha").status_code == 200
    assert support.get("/support/spaces/alpha/invoices/i-beta").status_code == 404
    assert "Ben Ott" not in support.get("/support/spaces/beta/invoices/i-beta").text
