"""What somebody typed is not lost when the page was open for too long."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.models import State
from tests.web.conftest import Cast

SKIP = "/spaces/alpha/invoices/i-1/skip"
FROM_US = {"Sec-Fetch-Site": "same-origin"}
TYPED = {"reason": "Von Hand <gebucht> & geprüft"}


class Hidden(HTMLParser):
    """Collects the hidden fields of the form that sends again."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.feed(page.partition('id="unsent"')[2].partition("</form>")[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.fields[str(given["name"])] = str(given["value"])


@pytest.fixture
def failed(cast: Cast, add_invoice: Callable[..., int]) -> None:
    add_invoice(cast.alpha, State.FAILED, cobot_invoice_id="i-1", cause_code="code_empty")


@pytest.mark.usefixtures("failed")
def test_a_form_with_an_old_token_can_be_sent_again(owner: FlaskClient) -> None:
    answer = owner.post(SKIP, data=TYPED | {"csrf_token": "old"}, headers=FROM_US)
    assert answer.status_code == 400
    fields = Hidden(answer.text).fields
    assert fields["reason"] == TYPED["reason"]
    assert fields["csrf_token"] != "old"
    assert owner.post(SKIP, data=fields, headers=FROM_US).status_code == 303
    assert "gebucht" in owner.get("/spaces/alpha/invoices/i-1").text


def test_a_form_that_breaks_off_is_refused_and_nothing_of_it_is_kept(app: Flask) -> None:
    app.testing = False
    answer = app.test_client().post(
        "/theme",
        headers=FROM_US,
        content_type="application/x-www-form-urlencoded",
        input_stream=BytesIO(b"next=%2F&theme=da"),
        environ_overrides={"CONTENT_LENGTH": "100"},
    )
    assert answer.status_code == 400
    assert 'id="unsent"' not in answer.text


@pytest.mark.usefixtures("failed")
def test_after_the_session_ended_it_waits_for_the_sign_in(
    client: FlaskClient, sign_in: Callable[..., FlaskClient], cast: Cast
) -> None:
    answer = client.post(SKIP, data=TYPED | {"csrf_token": "old"}, headers=FROM_US)
    assert answer.status_code == 401
    assert 'target="_blank"' in answer.text
    kept = Hidden(answer.text).fields
    assert kept == TYPED
    assert client.get_cookie("session") is None
    again = sign_in(cast.owner).post(SKIP, data=kept, headers=FROM_US)
    assert Hidden(again.text).fields["reason"] == TYPED["reason"]


def test_a_token_of_sevdesk_is_never_given_back(owner: FlaskClient) -> None:
    sent = {"csrf_token": "old", "api_token": "a" * 32, "due_after_days": "30"}
    answer = owner.post("/spaces/alpha/sevdesk", data=sent, headers=FROM_US)
    assert Hidden(answer.text).fields["due_after_days"] == "30"
    assert "a" * 32 not in answer.text


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}])
def test_what_another_page_may_have_sent_is_not_offered_again(
    owner: FlaskClient, client: FlaskClient, headers: dict[str, str]
) -> None:
    answer = owner.post(SKIP, data=TYPED | {"csrf_token": "old"}, headers=headers)
    assert answer.status_code == 400
    assert 'id="unsent"' not in answer.text
    signed_out = client.post(SKIP, data=TYPED, headers=headers)
    assert 'id="unsent"' not in signed_out.text
