""" "Deine SevDesk Daten": connecting, special cases, disconnecting, what stands above the form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient

from portal.database import db, utcnow
from portal.models import Space, State
from portal.services import connection
from portal.services.connection import SettingsRefused
from tests.web.conftest import TOKEN, Cast, csrf_of

PAGE = "/spaces/alpha/sevdesk"


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Note what would be saved: what saving does is tested with the service."""
    calls: list[dict[str, Any]] = []

    def note(space: Space, settings: connection.SevdeskSettings, **named: Any) -> None:
        calls.append({"space": space.subdomain, **vars(settings), **named})

    monkeypatch.setattr(connection, "save_settings", note)
    return calls


def send(client: FlaskClient, **fields: str) -> Any:
    return client.post(PAGE, data={"csrf_token": csrf_of(client, PAGE), **fields})


def test_form_has_the_words_of_the_help_page(owner: FlaskClient) -> None:
    page = owner.get(PAGE).text
    for words in (
        "Deine SevDesk Daten",
        "API-Token",
        "Wo finde ich den API-Token?",
        "Kostenstellen-Nummer (optional)",
        "Belege fällig nach (Tagen)",
        "Ältere Rechnungen nachholen ab",
    ):
        assert words in page


def test_same_form_in_english(cast: Cast, sign_in: Callable[..., FlaskClient]) -> None:
    page = sign_in(cast.owner, language="en").get(PAGE).text
    for words in ("Your sevdesk data", "API token", "Receipts due after (days)"):
        assert words in page


def test_three_fields_are_enough_and_lead_to_the_rehearsal(
    owner: FlaskClient, saved: list[dict[str, Any]]
) -> None:
    answer = send(owner, api_token=f" {TOKEN}\n", cost_centre_number="", due_after_days="30")
    assert answer.status_code == 303
    assert answer.location == "/spaces/alpha/rehearsal"
    assert saved[0]["space"] == "alpha"
    assert saved[0]["api_token"] == TOKEN
    assert saved[0]["cost_centre_number"] is None
    assert saved[0]["due_after_days"] == 30
    assert saved[0]["start_date"] is None
    assert saved[0]["user_token"] == "user-token"
    assert saved[0]["check_first"] is False
    page = owner.get(answer.location).text
    assert "Die Übertragung läuft" in page
    assert "Die Probe läuft" in page


def test_save_but_check_first_stands_beside_save(
    owner: FlaskClient,
    cast: Cast,
    edit_space: Callable[..., None],
    saved: list[dict[str, Any]],
) -> None:
    page = owner.get(PAGE).text
    assert page.index('id="save"') < page.index('name="check_first"')
    assert "Speichern, aber erst prüfen" in page
    edit_space(cast.alpha, paused_at=utcnow(), pause_code="check_first")
    answer = send(owner, api_token=TOKEN, due_after_days="30", check_first="1")
    assert saved[0]["check_first"] is True
    assert "bis du sie einschaltest" in owner.get(answer.location).text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("paused_by_hand", "Die Übertragung ist weiter angehalten"),
        ("token_untested", "Der Space wartet, bis der Token geprüft ist"),
    ],
)
def test_saving_does_not_say_that_sync_is_on_while_it_is_not(
    owner: FlaskClient,
    cast: Cast,
    edit_space: Callable[..., None],
    saved: list[dict[str, Any]],
    code: str,
    words: str,
) -> None:
    edit_space(cast.alpha, paused_at=utcnow(), pause_code=code)
    answer = send(owner, api_token=TOKEN, due_after_days="30")
    page = owner.get(answer.location).text
    assert words in page
    assert "Die Übertragung läuft" not in page


def test_sync_that_is_to_be_checked_first_is_switched_on_by_a_press(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    edit_space: Callable[..., None],
    sign_in: Callable[..., FlaskClient],
) -> None:
    edit_space(cast.alpha, paused_at=utcnow(), pause_code="check_first", sevdesk_client="71")
    for path in ("/spaces/alpha/log", "/spaces/alpha/settings", PAGE, "/spaces/alpha/rehearsal"):
        page = owner.get(path).text
        assert "noch nicht eingeschaltet" in page, path
        assert 'action="/spaces/alpha/switch-on"' in page, path
    listed = sign_in(cast.owner).get("/spaces?q=a", headers={"HX-Request": "true"}).text
    assert 'data-badge="check_first"' in owner.get("/overview").text + listed
    token = csrf_of(owner, PAGE)
    answer = owner.post("/spaces/alpha/switch-on", data={"csrf_token": token})
    assert (answer.status_code, answer.location) == (303, "/spaces/alpha/log")
    assert "Eingeschaltet." in owner.get(answer.location).text
    with app.app_context():
        assert not db.session.get_one(Space, cast.alpha).is_paused
    again = owner.post("/spaces/alpha/switch-on", data={"csrf_token": token}, follow_redirects=True)
    assert "nichts einzuschalten" in again.text


def test_empty_token_keeps_the_saved_one_which_is_never_shown(
    owner: FlaskClient,
    cast: Cast,
    edit_space: Callable[..., None],
    saved: list[dict[str, Any]],
) -> None:
    edit_space(cast.alpha, sealed_sevdesk_token=b"sealed", sevdesk_token_end="cdef")
    page = owner.get(PAGE).text
    assert "••••cdef" in page
    assert TOKEN not in page
    assert send(owner, api_token="", due_after_days="14").status_code == 303
    assert saved[0]["api_token"] is None


def test_token_is_not_filled_back_in_when_something_else_is_wrong(owner: FlaskClient) -> None:
    answer = send(owner, api_token=TOKEN, due_after_days="366")
    assert answer.status_code == 422
    assert TOKEN not in answer.text


@pytest.mark.parametrize("days", ["-1", "366", "", "many", "1.5", "9" * 21, "9" * 309, "9" * 4300])
def test_days_are_whole_and_between_0_and_365(
    owner: FlaskClient, saved: list[dict[str, Any]], days: str
) -> None:
    answer = send(owner, api_token=TOKEN, due_after_days=days)
    assert answer.status_code == 422
    assert "0 bis 365" in answer.text
    assert saved == []


@pytest.mark.parametrize("days", ["0", "365"])
def test_days_at_the_ends_are_taken(
    owner: FlaskClient, saved: list[dict[str, Any]], days: str
) -> None:
    assert send(owner, api_token=TOKEN, due_after_days=days).status_code == 303
    assert saved[0]["due_after_days"] == int(days)


@pytest.mark.parametrize("token", ["", "short", "with a blank inside it", "ümlaut-ümlaut"])
def test_what_cannot_be_a_token_is_refused_before_anybody_is_asked(
    owner: FlaskClient, saved: list[dict[str, Any]], token: str
) -> None:
    answer = send(owner, api_token=token, due_after_days="30")
    assert answer.status_code == 422
    assert 'href="#api_token"' in answer.text
    assert saved == []


def test_start_date_is_read(owner: FlaskClient, saved: list[dict[str, Any]]) -> None:
    send(owner, api_token=TOKEN, due_after_days="1", start_date="2025-01-31")
    assert str(saved[0]["start_date"]) == "2025-01-31"


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("0001-01-01", "Höchstens zehn Jahre zurück."),
        ("2062-01-01", "Spätestens heute."),
        ("20255-01-01", "Kein gültiges Datum"),
    ],
)
def test_start_date_that_nobody_means_is_refused_at_its_field(
    owner: FlaskClient, saved: list[dict[str, Any]], typed: str, text: str
) -> None:
    answer = send(owner, api_token=TOKEN, due_after_days="30", start_date=typed)
    assert answer.status_code == 422
    assert f'id="start_date-error">{text}' in answer.text
    assert f'value="{typed}"' in answer.text
    assert saved == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SettingsRefused("api_token", "token_invalid"), "sevdesk lehnt den API-Token ab"),
        (SettingsRefused("api_token", "sevdesk_version"), "noch Version 1.0"),
        (
            SettingsRefused("cost_centre_number", "cost_centre_missing", {"number": "K9"}),
            "Kostenstelle K9 gibt es in sevdesk nicht",
        ),
        (SettingsRefused(None, "sevdesk_away"), "sevdesk antwortet nicht"),
        (SettingsRefused(None, "cobot_revoked"), "Cobot lässt uns nicht mehr"),
    ],
)
def test_refusal_is_said_in_words_at_its_field(
    owner: FlaskClient, monkeypatch: pytest.MonkeyPatch, error: SettingsRefused, words: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(connection, "save_settings", refuse)
    answer = send(owner, api_token=TOKEN, due_after_days="30", cost_centre_number="K9")
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="30"' in answer.text
    if error.field:
        assert f'id="{error.field}-error"' in answer.text


@responses.activate
def test_token_that_sevdesk_refuses_changes_nothing(
    app: Flask, owner: FlaskClient, cast: Cast
) -> None:
    responses.get(
        "http://127.0.0.1:9/sevdesk/api/v1/Tools/bookkeepingSystemVersion", status=401, json={}
    )
    answer = send(owner, api_token=TOKEN, due_after_days="30")
    assert answer.status_code == 422
    assert "sevdesk lehnt den API-Token ab" in answer.text
    with app.app_context():
        assert db.session.get_one(Space, cast.alpha).sealed_sevdesk_token is None


def test_choices_are_saved_and_free_what_waited(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, State.FAILED, cobot_invoice_id="i-1", cause_code="tax_rule_needed")
    page = owner.get(PAGE).text
    assert '<input checked id="voucher_status-0" name="voucher_status"' in page
    answer = owner.post(
        "/spaces/alpha/choices",
        data={
            "csrf_token": csrf_of(owner, PAGE),
            "zero_tax_rule": "4",
            "corrections": "negative",
            "voucher_status": "50",
            "cent_difference": "y",
        },
    )
    assert answer.status_code == 303
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        chosen = (
            space.zero_tax_rule,
            space.corrections,
            space.voucher_status,
            space.cent_difference,
        )
    assert chosen == ("4", "negative", 50, True)
    assert 'data-state="waiting"' in owner.get("/spaces/alpha/invoices/i-1").text


@pytest.mark.parametrize(
    "wrong", [{"zero_tax_rule": "99"}, {"corrections": "sometimes"}, {"voucher_status": "1000"}]
)
def test_choice_that_is_none_is_refused(owner: FlaskClient, wrong: dict[str, str]) -> None:
    fields = {"zero_tax_rule": "4", "corrections": "ask", "voucher_status": "100", **wrong}
    answer = owner.post(
        "/spaces/alpha/choices", data={"csrf_token": csrf_of(owner, PAGE), **fields}
    )
    assert answer.status_code == 422


def test_disconnect_is_confirmed_and_then_shown(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    confirm = owner.get("/spaces/alpha/disconnect").text
    assert "Was bleibt" in confirm
    assert "Was sofort gelöscht wird" in confirm
    token = csrf_of(owner, "/spaces/alpha/disconnect")
    for name in ("", "Space Beta"):
        data = {"csrf_token": token, "name": name}
        refused = owner.post("/spaces/alpha/disconnect", data=data)
        assert refused.status_code == 422
        assert "So heißt der Space nicht." in refused.text
    answer = owner.post(
        "/spaces/alpha/disconnect",
        data={"csrf_token": token, "name": " space alpha "},
        follow_redirects=True,
    )
    assert "Getrennt." in answer.text
    with app.app_context():
        assert not db.session.get_one(Space, cast.alpha).is_connected
    assert owner.get("/spaces/alpha").location == PAGE


def test_page_says_which_hook_was_turned_away(
    owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    assert "abgelehnte Meldung" not in owner.get(PAGE).text
    edit_space(
        cast.alpha,
        hook_rejected_at=utcnow(),
        hook_rejected_reason="other_host",
        hook_rejected_count=3,
    )
    page = owner.get(PAGE).text
    assert "Zuletzt abgelehnte Meldung von Cobot" in page
    assert "die nicht zu diesem Space gehört" in page
    assert "insgesamt 3" in page


def test_pause_says_why_and_since_when_on_every_page_of_the_space(
    owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, paused_at=utcnow() - timedelta(hours=2), pause_code="token_invalid")
    for path in ("/spaces/alpha/log", PAGE):
        page = owner.get(path).text
        assert "Die Übertragung ist angehalten" in page
        assert "sevdesk lehnt den API-Token ab (401)." in page
        assert "Keine Rechnung geht verloren" in page


def test_refused_messages_are_said_while_sync_goes_on(
    owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, messages_refused_at=utcnow())
    assert "lehnt Cobot unsere Nachrichten an Rechnungen ab" in owner.get(PAGE).text


def test_shared_sevdesk_account_is_allowed_and_said(
    owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, sevdesk_client="9")
    edit_space(cast.beta, sevdesk_client="9")
    page = owner.get(PAGE).text
    assert "Ein anderer verbundener Space bucht in dasselbe sevdesk-Konto" in page
    assert "Space Beta" not in page
