"""Causes above the log: grouped, healed with one press, looked at anew, up to date."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import db, utcnow
from portal.models import Chart, HistoryLine, InvoiceSync, Space, State
from portal.services import vault
from tests.conftest import by_id
from tests.web.conftest import TOKEN, Cast, csrf_of

LOG = "/spaces/alpha/log"
CAUSES = "/spaces/alpha/causes"
SEVDESK = "http://127.0.0.1:9/sevdesk/api/v1"
FRAGMENT = {"HX-Request": "true"}
MEETING = {
    "accountDatevId": 1,
    "accountNumber": "8400",
    "accountName": "Meeting",
    "allowedTaxRules": [],
    "allowedReceiptTypes": ["REVENUE"],
}


@pytest.fixture
def miss(cast: Cast, add_invoice: Callable[..., int]) -> Callable[..., int]:
    """Add an invoice whose booking account is missing."""

    def add(code: str, space_id: int = cast.alpha) -> int:
        return add_invoice(
            space_id, State.FAILED, cause_code="account_missing", cause_params={"code": code}
        )

    return add


@pytest.fixture
def connected(app: Flask, cast: Cast) -> Iterator[responses.RequestsMock]:
    """Alpha with tokens, and a chart that was read before the account was made in sevdesk."""
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        vault.put(space, "sevdesk_token", TOKEN)
        vault.put(space, "cobot_token", "cobot-token")
        db.session.add(Chart(space_id=cast.alpha, accounts=[], read_at=utcnow()))
        db.session.commit()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{SEVDESK}/ReceiptGuidance/forRevenue", json={"objects": [MEETING]})
        yield mock


def groups(page: str) -> list[tuple[str, str, str]]:
    return re.findall(r'data-key="([^"]+)" data-gone="(\w+)" data-count="(\d+)"', page)


def post(client: FlaskClient, path: str, **form: str) -> str:
    token = csrf_of(client, "/spaces/alpha/disconnect")
    answer = client.post(CAUSES + path, data={"csrf_token": token, **form}, headers=FRAGMENT)
    assert answer.status_code == 200
    return answer.text


def test_groups_name_cause_count_and_sum_and_small_ones_are_folded(
    owner: FlaskClient, miss: Callable[..., int], cast: Cast, connected: object
) -> None:
    for code in ("Meeting", "meeting ", "Bar"):
        miss(code)
    miss("Meeting", cast.beta)
    page = owner.get(LOG).text
    assert groups(page) == [
        ("failed|account_missing|meeting", "no", "2"),
        ("failed|account_missing|bar", "no", "1"),
    ]
    assert "2 Ursachen offener Rechnungen" in page
    assert "2 Rechnungen, <span" in page
    assert "523,60" in page
    assert "kein Buchungskonto „Meeting“" in page
    assert 'id="retry-1"' not in page
    miss("Meeting")
    page = owner.get(LOG).text
    assert "3 Rechnungen, <span" in page
    assert "1 weitere Ursache" in page
    assert page.index('data-count="3"') < page.index('id="more-causes"')


def test_check_reads_the_accounts_at_once_and_one_press_retries_what_is_repaired(
    app: Flask, owner: FlaskClient, miss: Callable[..., int], connected: object
) -> None:
    made = [miss("Meeting"), miss("Meeting"), miss("Bar")]
    part = post(owner, "/check")
    assert groups(part)[0] == ("failed|account_missing|meeting", "yes", "2")
    assert "2 Rechnungen können jetzt erneut versucht werden." in part
    assert "2 Rechnungen erneut versuchen" in part
    part = post(owner, "/retry", key="failed|account_missing|meeting")
    assert "2 Rechnungen werden jetzt erneut versucht." in part
    assert groups(part) == [("failed|account_missing|bar", "no", "1")]
    with app.app_context():
        states = [by_id(InvoiceSync, row).state for row in made]
    assert states == [State.WAITING, State.WAITING, State.FAILED]


def test_check_says_when_sevdesk_is_away_and_when_nothing_is_repaired(
    owner: FlaskClient, miss: Callable[..., int], connected: responses.RequestsMock
) -> None:
    miss("Bar")
    assert "Die Ursachen bestehen noch." in post(owner, "/check")
    connected.replace("GET", f"{SEVDESK}/ReceiptGuidance/forRevenue", status=503)
    assert "sevdesk antwortet nicht" in post(owner, "/check")


def test_without_scripts_the_press_leads_back_to_the_log(
    owner: FlaskClient, miss: Callable[..., int], connected: object
) -> None:
    miss("Meeting")
    token = csrf_of(owner, "/spaces/alpha/disconnect")
    for path, form in (("/check", {}), ("/retry", {"key": "failed|account_missing|meeting"})):
        answer = owner.post(CAUSES + path, data={"csrf_token": token, **form})
        assert (answer.status_code, answer.location) == (303, LOG)
    assert "1 Rechnung wird jetzt erneut versucht." in owner.get(LOG).text


@pytest.mark.parametrize("key", ["", "x", "mismatched|contact_missing|1", "failed|number_taken|"])
def test_what_is_no_group_to_be_retried_is_not(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int], key: str
) -> None:
    """A number that is taken is judged one by one."""
    row = add_invoice(
        cast.alpha,
        State.FAILED,
        cause_code="number_taken",
        cause_params={"id": "1", "number": "2531-1"},
    )
    assert "Hier gibt es nichts erneut zu versuchen." in post(owner, "/retry", key=key)
    with app.app_context():
        assert by_id(InvoiceSync, row).state == State.FAILED


def test_receipts_without_contact_are_looked_at_again(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    add_invoice: Callable[..., int],
    connected: responses.RequestsMock,
) -> None:
    row = add_invoice(
        cast.alpha,
        State.MISMATCHED,
        cause_code="contact_missing",
        cause_params={"number": "4711"},
        sevdesk_voucher_id="900",
        is_mismatch=True,
    )
    page = owner.get(LOG).text
    assert "1 Beleg ohne Kontakt, 261,80" in page
    voucher = {
        "id": "900",
        "description": "2531-1",
        "voucherDate": "2025-02-28T00:00:00+01:00",
        "creditDebit": "D",
        "status": "100",
        "sumGross": "261.8",
        "supplier": {"id": "501", "objectName": "Contact"},
    }
    connected.get(f"{SEVDESK}/Voucher/900", json={"objects": [voucher]})
    part = post(owner, "/look-again", key="mismatched|contact_missing|4711")
    assert "1 geprüft, davon mit Kontakt: 1." in part
    with app.app_context():
        assert by_id(InvoiceSync, row).state == State.SYNCED


def poll_of(page: str) -> str:
    found = re.search(r'hx-get="([^"]+log/changes[^"]+)"', page)
    assert found
    return found[1].replace("&amp;", "&")


def test_poll_brings_the_bar_only_when_it_is_another_one(
    app: Flask,
    owner: FlaskClient,
    cast: Cast,
    miss: Callable[..., int],
    change: Callable[..., None],
    add_invoice: Callable[..., int],
) -> None:
    row = miss("Bar")
    other = add_invoice(cast.alpha, State.WAITING)
    poll = poll_of(owner.get(LOG).text)
    assert owner.get(poll).status_code == 204
    change(other, State.SYNCED)
    assert 'id="groups"' not in owner.get(poll).text
    change(row, State.SYNCED, cause_code=None)
    part = owner.get(poll).text
    assert re.search(r'<section id="groups"[^>]+hx-swap-oob="true"', part)
    assert "data-key" not in part
    assert 'id="groups"' not in owner.get(poll_of(part)).text


def test_poll_tells_that_a_worker_found_the_account(
    app: Flask, owner: FlaskClient, miss: Callable[..., int], connected: object
) -> None:
    miss("Meeting")
    poll = poll_of(owner.get(LOG).text)
    post(owner, "/check")
    assert groups(owner.get(poll).text) == [("failed|account_missing|meeting", "yes", "1")]


def test_retry_by_itself_is_the_spaces_choice(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    page = "/spaces/alpha/settings"
    assert re.search(r'name="auto_retry" value="1" checked', owner.get(page).text)
    token = csrf_of(owner, "/spaces/alpha/disconnect")
    answer = owner.post("/spaces/alpha/auto-retry", data={"csrf_token": token})
    assert answer.location == f"{page}#auto-retry"
    assert not re.search(r'name="auto_retry" value="1" checked', owner.get(page).text)
    owner.post("/spaces/alpha/auto-retry", data={"csrf_token": token, "auto_retry": "1"})
    assert re.search(r'name="auto_retry" value="1" checked', owner.get(page).text)
    with app.app_context():
        query = select(HistoryLine.facts).where(HistoryLine.step == "auto_retry_saved")
        assert [one["auto_retry"] for one in db.session.scalars(query)] == [False, True]


@pytest.mark.parametrize("path", ["causes/check", "causes/retry", "causes/look-again"])
def test_a_stranger_gets_404(cast: Cast, sign_in: Callable[..., FlaskClient], path: str) -> None:
    stranger = sign_in(cast.stranger)
    token = csrf_of(stranger, "/spaces/beta/disconnect")
    answer = stranger.post(f"/spaces/alpha/{path}", data={"csrf_token": token})
    assert answer.status_code == 404
