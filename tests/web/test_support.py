"""Support looks: why, for how long, what they saw, and that nothing of it can change anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.database import Base, db, utcnow
from portal.models import HistoryLine, InvoiceSync, Space, State, SupportLook, SupportVisit
from portal.services.rows import reference
from tests.web.conftest import Cast, csrf_of

INVOICE = "/support/spaces/alpha/invoices/i-1"
ASKED = {"support_look", "support_visit", "session"}
"""Tables that a look may change."""


@pytest.fixture
def support(
    cast: Cast, sign_in: Callable[..., FlaskClient], add_invoice: Callable[..., int]
) -> FlaskClient:
    add_invoice(
        cast.alpha,
        State.FAILED,
        cobot_invoice_id="i-1",
        number="2531-1",
        cause_code="account_missing",
        cause_params={"code": "Meeting"},
        member="Anna Muster",
    )
    return sign_in(cast.support)


def visit(client: FlaskClient, reason: str = "Ticket 4711", **more: str) -> Any:
    data = {"csrf_token": csrf_of(client, "/support"), "subdomain": "alpha", "reason": reason}
    return client.post("/support/visits", data={**data, **more})


def contents(app: Flask) -> dict[str, int]:
    with app.app_context():
        return {
            name: db.session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
            if name not in ASKED
        }


def test_reason_is_asked_before_anything_of_a_space_is_shown(support: FlaskClient) -> None:
    page = support.get(INVOICE).text
    assert "Warum öffnest du Space Alpha?" in page
    assert "Anna Muster" not in page
    assert "Meeting" not in page
    assert "2531-1" not in page


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 201])
def test_visit_needs_a_reason(support: FlaskClient, reason: str) -> None:
    answer = visit(support, reason)
    assert answer.status_code == 422
    assert 'id="reason-error"' in answer.text
    assert "Warum öffnest du" in support.get(INVOICE).text


def test_reason_opens_the_page_first_asked_for(support: FlaskClient) -> None:
    answer = visit(support, next=INVOICE)
    assert (answer.status_code, answer.location) == (303, INVOICE)
    page = support.get(INVOICE).text
    assert "Support-Ansicht – nur lesen" in page
    assert "Ticket 4711" in page
    assert "Rechnung aus Cobot gelesen" in page
    assert "Meeting" in page
    assert 'action="/spaces/' not in page
    assert "hx-post" not in page
    assert "hx-get" not in page
    assert support.get("/spaces/alpha/invoices/i-1").status_code == 404


@pytest.mark.parametrize("target", ["https://evil.example/", "/spaces/alpha/log", "/support"])
def test_reason_leads_to_no_other_place(support: FlaskClient, target: str) -> None:
    assert visit(support, next=target).location == "/support/spaces/alpha"


def test_visit_ends_after_half_an_hour(app: Flask, support: FlaskClient) -> None:
    visit(support)
    with app.app_context():
        begun = db.session.scalars(select(SupportVisit)).one()
        assert timedelta(minutes=29) < begun.expires_at - utcnow() <= timedelta(minutes=30)
        begun.expires_at = utcnow()
        db.session.commit()
    assert "Warum öffnest du" in support.get(INVOICE).text


def test_visit_can_be_ended_only_by_who_began_it(
    app: Flask, support: FlaskClient, owner: FlaskClient
) -> None:
    visit(support)
    with app.app_context():
        visit_id = db.session.scalars(select(SupportVisit.id)).one()
    end = f"/support/visits/{visit_id}/end"
    token = {"csrf_token": csrf_of(owner, "/spaces/alpha/disconnect")}
    assert owner.post(end, data=token).status_code == 404
    token = {"csrf_token": csrf_of(support, "/support")}
    assert support.post("/support/visits/999/end", data=token).status_code == 404
    assert support.post("/support/visits/x/end", data=token).status_code == 404
    assert support.post(end, data=token).status_code == 303
    assert "Warum öffnest du" in support.get(INVOICE).text


def test_visit_of_one_space_opens_no_other(
    cast: Cast, support: FlaskClient, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.beta, cobot_invoice_id="i-b", member="Berta")
    visit(support)
    assert "Berta" not in support.get("/support/spaces/beta/invoices/i-b").text
    assert support.get("/support/spaces/alpha/invoices/i-b").status_code == 404
    assert support.get("/support/spaces/nowhere").status_code == 404


def test_admins_read_every_look_and_its_reason(
    cast: Cast,
    support: FlaskClient,
    owner: FlaskClient,
    sign_in: Callable[..., FlaskClient],
) -> None:
    assert "Niemand." in owner.get("/spaces/alpha/settings").text
    support.get("/support?q=2531")
    visit(support)
    support.get("/support/spaces/alpha")
    support.get(INVOICE)
    page = owner.get("/spaces/alpha/settings").text
    for what in ("search", "begun", "space", "invoice"):
        assert f'data-look="{what}"' in page
    assert "support@example.org" in page
    assert "Ticket 4711" in page
    assert "Niemand." in sign_in(cast.stranger).get("/spaces/beta/settings").text


def test_a_visit_stands_in_the_history_of_the_space(app: Flask, support: FlaskClient) -> None:
    """Without its reason: that is a person's words, and goes with the visit."""
    visit(support)
    with app.app_context():
        line = db.session.scalars(
            select(HistoryLine).where(HistoryLine.step == "support_visit")
        ).one()
        assert line.actor == "support:u-support"
        begun = db.session.scalars(select(SupportVisit)).one()
        assert line.facts == {"visit": begun.id}
        assert begun.reason == "Ticket 4711"


def test_no_route_of_support_changes_anything_but_the_record_of_looks(
    app: Flask, support: FlaskClient
) -> None:
    visit(support)
    before = contents(app)
    with app.app_context():
        sequence = db.session.scalar(select(Space.sequence).where(Space.subdomain == "alpha"))
    for path in ("/support", "/support?q=2531", "/support/spaces/alpha", INVOICE):
        assert support.get(path).status_code == 200
    assert contents(app) == before
    with app.app_context():
        now = db.session.scalar(select(Space.sequence).where(Space.subdomain == "alpha"))
        assert now == sequence


def test_search_finds_by_reference(app: Flask, support: FlaskClient) -> None:
    with app.app_context():
        said = reference(db.session.scalars(select(InvoiceSync)).one())
    assert INVOICE in support.get(f"/support?q={said.lower()}").text
    assert INVOICE not in support.get("/support?q=I-1-99999").text


def test_search_finds_by_the_request_that_made_it_due(
    cast: Cast, add_invoice: Callable[..., int], support: FlaskClient
) -> None:
    """As lines of the log and the header X-Request-Id name it."""
    add_invoice(cast.beta, State.SYNCED, request_id="4f2a9c0d7b1e6358")
    assert "/support/spaces/beta/invoices/" in support.get("/support?q=4f2a9c0d7b1e6358").text
    assert "/support/spaces/beta/invoices/" not in support.get("/support?q=4f2a9c0d").text


def test_causes_are_counted_by_spaces(
    cast: Cast, support: FlaskClient, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.beta, State.FAILED, cause_code="account_missing")
    add_invoice(cast.beta, State.FAILED, cause_code="code_empty")
    page = support.get("/support").text
    first = page.index('data-cause-code="account_missing"')
    assert first < page.index('data-cause-code="code_empty"')
    assert '<td class="amount" data-label="Spaces">2</td>' in page[first:]


def test_queue_is_shown_also_when_it_is_away(
    make_app: Callable[..., Flask], support: FlaskClient
) -> None:
    page = support.get("/support").text
    assert 'data-queue="drain" data-workers="0"' in page
    away = make_app(redis_url="unix:///nowhere.sock").test_client()
    key = support.get_cookie("session")
    assert key is not None
    away.set_cookie("session", key.value)
    page = away.get("/support", headers={"Accept-Language": "de"}).text
    assert "Die Warteschlange ist nicht erreichbar" in page


def test_looks_are_kept_apart_from_who_may_not_look(app: Flask, owner: FlaskClient) -> None:
    for path in ("/support", "/support/spaces/alpha", INVOICE):
        assert owner.get(path).status_code == 404
    with app.app_context():
        assert db.session.scalars(select(SupportLook)).all() == []


def looks_read_by(browser: FlaskClient, path: str = "/spaces/alpha/settings") -> list[str]:
    """Return the column "what" of the looks as the admins read it."""
    page = browser.get(path).text
    return [
        " ".join(cell.partition("<")[0].split()) for cell in page.split('<td data-label="Was">')[1:]
    ]


def test_search_that_finds_only_the_space_is_written_down_too(
    support: FlaskClient, owner: FlaskClient
) -> None:
    support.get("/support?q=space%20alp")
    assert looks_read_by(owner) == ["Space in einer Suche gefunden"]


def test_every_invoice_that_a_search_shows_is_written_down(
    cast: Cast, support: FlaskClient, owner: FlaskClient, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, number="2531-2")
    add_invoice(cast.beta, number="2531-3")
    support.get("/support?q=2531")
    assert sorted(looks_read_by(owner)) == [
        "In einer Suche gefunden: 2531-1",
        "In einer Suche gefunden: 2531-2",
    ]


def test_search_shows_the_cause_without_what_sevdesk_said(support: FlaskClient) -> None:
    page = support.get("/support?q=2531-1").text
    assert 'data-cause="account_missing"' in page
    assert '<span class="cause">' in page
    assert "Meeting" not in page


def test_end_of_a_visit_ends_the_one_begun_twice_too(app: Flask, support: FlaskClient) -> None:
    visit(support)
    visit(support)
    with app.app_context():
        visit_id = db.session.scalars(select(func.max(SupportVisit.id))).one()
    token = {"csrf_token": csrf_of(support, "/support")}
    assert support.post(f"/support/visits/{visit_id}/end", data=token).status_code == 303
    assert "Warum öffnest du" in support.get(INVOICE).text


def test_admins_can_turn_the_pages_of_looks_to_the_first_one(
    support: FlaskClient, owner: FlaskClient
) -> None:
    for _ in range(51):
        support.get("/support?q=space%20alp")
    support.get("/support?q=2531-1")
    first = owner.get("/spaces/alpha/settings").text
    assert first.count("data-look=") == 50
    older = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert older.startswith("/spaces/alpha/settings?looks=")
    second = owner.get(older).text
    assert second.count("data-look=") == 2
    assert 'rel="next"' not in second
    assert owner.get("/spaces/alpha/settings?looks=x").text.count("data-look=") == 50
