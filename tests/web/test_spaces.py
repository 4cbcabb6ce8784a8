"""Choosing a space."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.database import db, utcnow
from portal.models import Space, SpaceAdmin, State
from tests.web.conftest import NOON, Cast


@pytest.fixture
def many(app: Flask, cast: Cast) -> dict[str, int]:
    """Nine more spaces of the owner, in all conditions."""
    with app.app_context():
        spaces = {
            f"extra{index}": Space(
                cobot_id=f"s-x{index}", subdomain=f"extra{index}", name=f"Extra {index}"
            )
            for index in range(9)
        }
        spaces["extra1"].connected_at = NOON
        spaces["extra2"].connected_at = NOON
        spaces["extra2"].paused_at = NOON
        spaces["extra2"].pause_code = "token_invalid"
        spaces["extra3"].connected_at = NOON
        spaces["extra3"].paused_at = NOON
        spaces["extra3"].pause_code = "space_suspended"
        db.session.add_all(spaces.values())
        db.session.flush()
        db.session.add_all(
            SpaceAdmin(space_id=space.id, admin_id=cast.owner) for space in spaces.values()
        )
        db.session.commit()
        return {name: space.id for name, space in spaces.items()}


def order(page: str) -> list[str]:
    return re.findall(r'data-space="(\w+)"', page)


def test_only_space_opens_at_once(owner: FlaskClient) -> None:
    answer = owner.get("/spaces")
    assert answer.status_code == 302
    assert answer.location == "/spaces/alpha/log"


def test_space_that_is_not_connected_opens_at_its_form(
    owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, connected_at=None)
    assert owner.get("/spaces/alpha").location == "/spaces/alpha/sevdesk"
    assert owner.get("/spaces").location == "/spaces/alpha/sevdesk"


def test_spaces_that_need_somebody_come_first(
    owner: FlaskClient, cast: Cast, many: dict[str, int], add_invoice: Callable[..., int]
) -> None:
    add_invoice(many["extra1"], State.FAILED, announced_at=utcnow(), cause_code="code_empty")
    add_invoice(many["extra1"], State.SYNCED, announced_at=utcnow(), finished_at=utcnow())
    page = owner.get("/spaces").text
    assert order(page)[:5] == ["extra2", "extra3", "extra1", "alpha", "extra0"]
    assert "beta" not in order(page)
    badges = dict(re.findall(r'data-space="(\w+)" data-badge="(\w+)"', page))
    assert badges["extra2"] == "token_invalid"
    assert badges["extra3"] == "paused"
    assert badges["extra0"] == "not_connected"
    assert badges["alpha"] == "connected"
    for word in ("Token ungültig", "Angehalten", "Nicht verbunden", "Verbunden"):
        assert word in page


def test_search_finds_by_name_without_script_and_with(
    owner: FlaskClient, many: dict[str, int]
) -> None:
    page = owner.get("/spaces?q=eXtra 4").text
    assert order(page) == ["extra4"]
    assert 'type="search"' in page
    fragment = owner.get("/spaces?q=extra5", headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith('<div id="spaces">')
    assert order(fragment) == ["extra5"]


def test_search_without_hit_says_what_was_looked_for(
    owner: FlaskClient, many: dict[str, int]
) -> None:
    page = owner.get("/spaces?q=<b>xy").text
    assert "Kein Space heißt „&lt;b&gt;xy“." in page


def test_right_that_was_taken_away_closes_the_space_at_once(
    app: Flask, owner: FlaskClient, cast: Cast
) -> None:
    assert owner.get("/spaces/alpha/log").status_code == 200
    with app.app_context():
        db.session.query(SpaceAdmin).filter_by(space_id=cast.alpha, admin_id=cast.owner).delete()
        db.session.commit()
    assert owner.get("/spaces/alpha/log").status_code == 404


def test_support_finds_an_invoice_by_number_receipt_and_space(
    cast: Cast, sign_in: Callable[..., FlaskClient], add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, number="2531-7", sevdesk_voucher_id="4711", cobot_invoice_id="i-7")
    support = sign_in(cast.support)
    link = "/support/spaces/alpha/invoices/i-7"
    assert link in support.get("/support?q=2531").text
    assert link in support.get("/support?q=4711").text
    assert link in support.get("/support?q=i-7").text
    assert "Space Beta" in support.get("/support?q=bet").text
    assert "Nichts gefunden für „%%%“" in support.get("/support?q=%25%25%25").text
    assert "mindestens drei Zeichen" in support.get("/support?q=25").text


def test_public_pages_know_who_is_signed_in(owner: FlaskClient, client: FlaskClient) -> None:
    assert "Abmelden" in owner.get("/help").text
    assert "Abmelden" not in client.get("/help").text
