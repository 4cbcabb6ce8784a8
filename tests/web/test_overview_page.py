"""The overview: only one's own spaces, the worst first, and polls that find nothing new."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from portal.database import db, utcnow
from portal.models import InboxEvent, SpaceAdmin, State
from tests.web.conftest import NOON, Cast

PAGE = "/overview"


@pytest.fixture(autouse=True)
def _still(app: Flask) -> Iterator[None]:
    """Let the clock stand still: "4 minutes ago" must not change between two requests."""
    with time_machine.travel(utcnow(), tick=False):
        yield


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def poll_of(page: str) -> str:
    found = re.search(r'hx-get="(/overview/part[^"]+)"', page)
    assert found is not None
    return found[1]


def spaces_of(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<tr data-space="(\w+)" data-badge="(\w+)"', page)


@pytest.fixture
def of_both(app: Flask, cast: Cast) -> None:
    """Let the owner of alpha be an admin of beta too."""
    with app.app_context():
        db.session.add(SpaceAdmin(space_id=cast.beta, admin_id=cast.owner))
        db.session.commit()


def test_totals_causes_with_money_and_the_worst_first(
    app: Flask, owner: FlaskClient, cast: Cast, of_both: None, add_invoice: Callable[..., int]
) -> None:
    now = utcnow()
    missing = {"cause_code": "account_missing", "cause_params": {"code": "Meeting"}}
    add_invoice(cast.alpha, State.SYNCED, finished_at=now - timedelta(minutes=4))
    add_invoice(cast.alpha, State.FAILED, finished_at=now, **missing)
    add_invoice(cast.beta, State.FAILED, finished_at=now, gross=Decimal("1000.00"), **missing)
    add_invoice(
        cast.beta, State.MISMATCHED, finished_at=now,
        cause_code="contact_missing", cause_params={"number": "4711"},
    )  # fmt: skip
    with app.app_context():
        db.session.add(
            InboxEvent(
                space_id=cast.beta, event="created_invoice", remote_id="x",
                first_seen_at=NOON, last_seen_at=now - timedelta(hours=3), handled_at=NOON,
            )
        )  # fmt: skip
        db.session.commit()
    page = owner.get(PAGE).text
    said = text_of(page)
    assert "2 Rechnungen sind noch nicht gebucht: 1.261,80 €" in said
    assert "kein Buchungskonto „Meeting“. – 2 Spaces, 2 Rechnungen, 1.261,80 €" in said
    assert "1 Beleg ist ohne Kontakt gebucht" in said
    assert "vor 4 Minuten" in said
    assert "vor 3 Stunden" in said
    assert spaces_of(page) == [("beta", "connected"), ("alpha", "connected")]


def test_the_chart_is_an_image_with_a_name_and_a_table_beside_it(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    now = utcnow()
    for days, state in ((0, State.SYNCED), (0, State.FAILED), (2, State.SYNCED)):
        add_invoice(cast.alpha, state, finished_at=now - timedelta(days=days))
    page = owner.get(PAGE).text
    chart = page.partition('<svg role="img"')[2].partition("</svg>")[0]
    assert "2 übertragen, 0 ohne Kontakt, 1 nicht übertragen</title>" in chart
    assert re.findall(r'<rect class="bar-(\w+)" x="([\d.]+)" width="7" y="([\d.]+)" '
                      r'height="([\d.]+)"', chart) == [
        ("synced", "271.5", "60.0", "60.0"),
        ("synced", "291.5", "60.0", "60.0"),
        ("failed", "291.5", "0.0", "60.0"),
    ]  # fmt: skip
    assert "style=" not in page
    table = page.partition("Die Zahlen als Tabelle")[2].partition("</table>")[0]
    assert len(re.findall(r"<time ", table)) == 30
    figures = [re.findall(r"<td[^>]*>(\d+)<", row) for row in table.split("<tr>")[2:]]
    assert figures[:3] == [["1", "0", "1"], ["0", "0", "0"], ["1", "0", "0"]]


def test_a_poll_answers_204_until_something_else_is_to_be_seen(
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    edit_space: Callable[..., None],
) -> None:
    poll = poll_of(owner.get(PAGE).text)
    assert owner.get(poll).status_code == 204
    add_invoice(cast.beta, State.FAILED, finished_at=utcnow())
    assert owner.get(poll).status_code == 204
    edit_space(cast.alpha, paused_at=NOON, pause_code="token_invalid")
    answer = owner.get(poll)
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<div id="overview"')
    assert "Token ungültig" in answer.text
    assert owner.get(poll_of(answer.text)).status_code == 204


def test_a_space_that_stands_still_comes_first_and_is_named(
    owner: FlaskClient,
    cast: Cast,
    of_both: None,
    add_invoice: Callable[..., int],
    edit_space: Callable[..., None],
) -> None:
    add_invoice(cast.alpha, State.FAILED, cause_code="code_empty")
    edit_space(cast.beta, paused_at=NOON, pause_code="token_invalid")
    page = owner.get(PAGE).text
    assert 'data-overview="down"' in page
    assert "1 Space steht still: Space Beta" in page
    assert spaces_of(page) == [("beta", "token_invalid"), ("alpha", "connected")]


def test_all_fine_is_said_with_the_last_receipt(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    assert "Noch kein Beleg." in owner.get(PAGE).text
    add_invoice(cast.alpha, State.SYNCED, finished_at=utcnow() - timedelta(minutes=4))
    page = owner.get(PAGE).text
    assert 'data-overview="fine"' in page
    assert "Alles übertragen. Letzter Beleg: vor 4 Minuten" in text_of(page)


def test_none_connected_shows_three_steps(
    owner: FlaskClient, cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, connected_at=None)
    page = owner.get(PAGE).text
    assert "In drei Schritten zum ersten Beleg" in page
    assert "<svg role=" not in page
    assert 'href="/spaces/alpha"' in page


def test_only_ones_own_spaces_are_counted(
    cast: Cast, add_invoice: Callable[..., int], sign_in: Callable[..., FlaskClient]
) -> None:
    add_invoice(cast.alpha, State.FAILED, cause_code="account_missing",
                cause_params={"code": "Geheim"}, finished_at=utcnow())  # fmt: skip
    stranger = sign_in(cast.stranger)
    for path in (PAGE, f"{PAGE}/part"):
        page = stranger.get(path).text
        assert "Geheim" not in page
        assert "Alpha" not in page
        assert spaces_of(page) == [("beta", "connected")]
    nobody = sign_in(cast.support).get(PAGE).text
    assert "Admin von keinem" in nobody or "in keinem" in nobody


def test_who_is_not_signed_in_is_sent_to_the_sign_in(client: FlaskClient, cast: Cast) -> None:
    assert client.get(PAGE).status_code == 303
    assert client.get(f"{PAGE}/part", headers={"HX-Request": "true"}).status_code == 401
