"""Taking over the set-up of another space: only between one's own, seen before, as it was seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import db
from portal.errors import TemporaryError
from portal.models import AccountMapping, HistoryLine, InvoiceSync, Space, SpaceAdmin, State
from portal.services import charts, vault
from portal.sevdesk.records import BookingAccount, CostCentre
from tests.conftest import by_id
from tests.web.conftest import TOKEN, Cast, csrf_of

PAGE = "/spaces/alpha/setup"


class OneSevdesk:
    """The sevdesk client of every space here, as far as it is asked."""

    def __init__(self) -> None:
        self.is_away = False
        self.accounts = (
            BookingAccount(1, "4400", "Mieten", {"1": frozenset({0, 7, 19}), "4": frozenset({0})}),
            BookingAccount(2, "4300", "Snacks", {"1": frozenset({7})}),
        )

    def revenue_accounts(self) -> tuple[BookingAccount, ...]:
        if self.is_away:
            raise TemporaryError("away", remote="sevdesk")
        return self.accounts

    def cost_centres(self) -> tuple[CostCentre, ...]:
        if self.is_away:
            raise TemporaryError("away", remote="sevdesk")
        return (CostCentre("9", "100", "Haus"),)


@pytest.fixture
def sevdesk(monkeypatch: pytest.MonkeyPatch) -> Iterator[OneSevdesk]:
    found = OneSevdesk()
    monkeypatch.setattr("portal.services.clients.sevdesk_with", lambda *_, **__: found)
    return found


@pytest.fixture
def both(app: Flask, cast: Cast, sevdesk: OneSevdesk) -> Cast:
    """The owner administers beta, too; it has a set-up, alpha has none yet."""
    with app.app_context():
        for space_id in (cast.alpha, cast.beta):
            space = db.session.get_one(Space, space_id)
            vault.put(space, "cobot_token", "cobot-token")
            vault.put(space, "sevdesk_token", TOKEN)
            space.sevdesk_client = f"client-{space_id}"
        beta = db.session.get_one(Space, cast.beta)
        beta.due_after_days, beta.cost_centre_number, beta.corrections = 14, "100", "negative"
        beta.zero_tax_rule = "4"
        db.session.add(SpaceAdmin(space_id=cast.beta, admin_id=cast.owner))
        for code, account in (("Kaffee", 2), ("Weg", 77)):
            db.session.add(AccountMapping(space_id=cast.beta, code=code, account_id=account))
        db.session.commit()
    return cast


@pytest.fixture
def press(owner: FlaskClient, both: Cast) -> Callable[..., str]:
    token = csrf_of(owner, "/spaces/alpha/disconnect")

    def send(page: str, *keys: str) -> str:
        mark = re.findall(r'name="mark" value="(\w+)"', page)[0]
        form = {"csrf_token": token, "from": "beta", "mark": mark, "take": list(keys)}
        return owner.post(PAGE, data=form, follow_redirects=True).text

    return send


def shown(owner: FlaskClient) -> str:
    answer = owner.get(f"{PAGE}?from=beta")
    assert answer.status_code == 200
    return answer.text


def keys_of(page: str) -> list[tuple[str, str]]:
    return re.findall(r'data-difference="([^"]+)" data-refused="(\w*)"', page)


def ticked(page: str) -> list[str]:
    return re.findall(r'name="take" value="([^"]+)" checked', page)


def test_only_other_connected_spaces_of_the_person_are_offered(
    owner: FlaskClient, both: Cast, edit_space: Callable[..., None]
) -> None:
    page = owner.get(PAGE).text
    assert re.findall(r'<option value="(\w+)"', page) == ["beta"]
    assert "/spaces/alpha/setup" in owner.get("/spaces/alpha/settings").text
    edit_space(both.beta, connected_at=None)
    assert "keinen anderen verbundenen Space" in owner.get(PAGE).text
    assert owner.get(f"{PAGE}?from=beta").status_code == 404
    assert "/spaces/alpha/setup" not in owner.get("/spaces/alpha/settings").text


def test_the_preview_names_what_differs_and_what_this_sevdesk_does_not_take(
    owner: FlaskClient, both: Cast
) -> None:
    page = shown(owner)
    assert keys_of(page) == [
        ("due_after_days", ""),
        ("cost_centre_number", ""),
        ("zero_tax_rule", ""),
        ("corrections", ""),
        ("mapping:Kaffee", ""),
        ("mapping:Weg", "account_missing"),
    ]
    assert ticked(page) == [key for key, refused in keys_of(page) if not refused]
    said = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "Correction invoices" not in said
    assert "§ 4 UStG" in said
    assert "4300 Snacks" in said


def test_a_rule_that_no_account_takes_is_refused(
    owner: FlaskClient, both: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(both.beta, zero_tax_rule="17", cost_centre_number="999")
    found = dict(keys_of(shown(owner)))
    assert found["zero_tax_rule"] == "tax_rule_not_offered"
    assert found["cost_centre_number"] == "cost_centre_missing"


def test_what_is_ticked_is_taken_over_and_the_rest_left(
    app: Flask, owner: FlaskClient, both: Cast, press: Callable[..., str]
) -> None:
    page = press(shown(owner), "due_after_days", "cost_centre_number", "mapping:Kaffee")
    assert "3 Einstellungen sind übernommen" in page
    assert [key for key, _ in keys_of(page)] == ["zero_tax_rule", "corrections", "mapping:Weg"]
    with app.app_context():
        alpha = db.session.get_one(Space, both.alpha)
        assert (alpha.due_after_days, alpha.cost_centre_number, alpha.cost_centre_id) == (
            14, "100", "9",
        )  # fmt: skip
        assert (alpha.corrections, alpha.zero_tax_rule) == ("ask", None)
        rows = db.session.scalars(
            select(AccountMapping).where(AccountMapping.space_id == both.alpha)
        ).all()
        assert [(row.code, row.account_id) for row in rows] == [("Kaffee", 2)]
        line = db.session.scalars(
            select(HistoryLine).where(HistoryLine.step == "setup_copied")
        ).one()
        assert (line.space_id, line.actor) == (both.alpha, "admin:u-owner")


def test_only_what_waited_for_it_is_tried_again(
    app: Flask,
    owner: FlaskClient,
    both: Cast,
    press: Callable[..., str],
    add_invoice: Callable[..., int],
) -> None:
    row = add_invoice(both.alpha, State.FAILED, cause_code="account_missing")

    def state() -> str:
        with app.app_context():
            return by_id(InvoiceSync, row).state

    press(shown(owner), "due_after_days")
    assert state() == "failed"
    press(shown(owner), "mapping:Kaffee")
    assert state() == "waiting"


def test_what_is_refused_cannot_be_taken_by_a_made_up_form(
    app: Flask, owner: FlaskClient, both: Cast, press: Callable[..., str]
) -> None:
    assert "Nichts war angekreuzt" in press(shown(owner), "mapping:Weg", "name", "sevdesk_client")
    with app.app_context():
        assert db.session.get_one(Space, both.alpha).sevdesk_client == f"client-{both.alpha}"


def test_nothing_is_taken_over_that_was_not_seen(
    app: Flask,
    owner: FlaskClient,
    both: Cast,
    press: Callable[..., str],
    edit_space: Callable[..., None],
) -> None:
    page = shown(owner)
    edit_space(both.beta, due_after_days=90)
    assert "Inzwischen hat sich etwas geändert" in press(page, "due_after_days")
    with app.app_context():
        assert db.session.get_one(Space, both.alpha).due_after_days == 30


def test_spaces_of_one_sevdesk_are_told_and_the_cost_centre_is_not_ticked(
    app: Flask, owner: FlaskClient, both: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(both.alpha, sevdesk_client="one")
    edit_space(both.beta, sevdesk_client="one")
    page = shown(owner)
    assert "data-shares" in page
    assert "cost_centre_number" not in ticked(page)
    assert "due_after_days" in ticked(page)
    for path in ("/spaces/alpha/sevdesk", "/spaces/alpha/settings"):
        found = owner.get(path).text
        assert 'id="sharing" data-advised="yes"' in found
        assert "Dieser Space und Space Beta buchen in dasselbe sevdesk-Konto." in found
    edit_space(both.alpha, cost_centre_number="100")
    assert "Beide haben die Kostenstelle 100" in owner.get("/spaces/alpha/sevdesk").text
    edit_space(both.alpha, cost_centre_number="200")
    assert 'id="sharing" data-advised="no"' in owner.get("/spaces/alpha/sevdesk").text


def test_a_stranger_in_the_same_sevdesk_stays_unnamed(
    owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, sevdesk_client="one")
    edit_space(cast.beta, sevdesk_client="one")
    page = owner.get("/spaces/alpha/sevdesk").text
    assert 'id="sharing"' in page
    assert "Beta" not in page


def test_sevdesk_away_is_said_and_changes_nothing(
    app: Flask, owner: FlaskClient, both: Cast, sevdesk: OneSevdesk, press: Callable[..., str]
) -> None:
    page = shown(owner)
    sevdesk.is_away = True
    with app.app_context():
        charts.forget(db.session.get_one(Space, both.alpha))
    assert "ließ sich nichts prüfen" in shown(owner)
    assert "ließ sich nichts prüfen" in press(page, "due_after_days")
    with app.app_context():
        assert db.session.get_one(Space, both.alpha).due_after_days == 30


def test_nothing_to_take_over_is_said(
    app: Flask, owner: FlaskClient, both: Cast, edit_space: Callable[..., None]
) -> None:
    with app.app_context():
        for row in db.session.scalars(select(AccountMapping)).all():
            db.session.delete(row)
        db.session.commit()
    same = {
        "due_after_days": 30, "cost_centre_number": None, "corrections": "ask",
        "zero_tax_rule": None,
    }  # fmt: skip
    edit_space(both.beta, **same)
    assert "data-same" in shown(owner)


def test_both_rights_are_needed(
    app: Flask, cast: Cast, both: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    """The second admin of alpha has no right to beta, the stranger none to alpha."""
    second, stranger = sign_in(cast.second), sign_in(cast.stranger)
    token = csrf_of(second, "/spaces/alpha/disconnect")
    assert second.get(PAGE).status_code == 200
    assert "beta" not in second.get(PAGE).text
    for source in ("beta", "alpha", "nowhere"):
        assert second.get(f"{PAGE}?from={source}").status_code == 404
        form = {"csrf_token": token, "from": source, "take": "due_after_days"}
        assert second.post(PAGE, data=form).status_code == 404
    assert second.post(PAGE, data={"csrf_token": token}).status_code == 404
    token = csrf_of(stranger, "/spaces/beta/disconnect")
    assert stranger.get(f"{PAGE}?from=beta").status_code == 404
    assert stranger.post(PAGE, data={"csrf_token": token, "from": "beta"}).status_code == 404
    with app.app_context():
        assert db.session.get_one(Space, cast.alpha).due_after_days == 30


def test_the_page_reads_english_too(
    cast: Cast, both: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    page = sign_in(cast.owner, language="en").get(f"{PAGE}?from=beta").text
    assert "Take over what is ticked" in page
    assert "Here: Space Alpha" in page
