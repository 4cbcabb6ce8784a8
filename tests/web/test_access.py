"""Who gets in, and who does not: every address, walked from the URL map."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from portal.views.access import local_path
from tests.web.conftest import Cast, csrf_of
from tests.web.tasks import invoice_row, looked, member_row

PUBLIC = {
    "static",
    "signin.home",
    "signin.login",
    "signin.start",
    "signin.callback",
    "languages.choose",
    "appearance.choose",
    "appearance.favicon",
    "health.alive",
    "health.ready",
    "health.figures",
    "help.index",
    "privacy.index",
}


def addresses(app: Flask, values: dict[str, str]) -> Iterator[tuple[str, str, Rule]]:
    """Yield method and address of everything the application answers."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            arguments = {name: values.get(name, "x") for name in rule.arguments}
            _, path = rule.build(arguments, append_unknown=False) or ("", "")
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                yield method, path, rule


def call(client: FlaskClient, method: str, path: str, token: str = "") -> Any:
    return client.open(path, method=method, data={"csrf_token": token} if token else None)


ALPHA = {"subdomain": "alpha", "invoice_id": "i-1"}


def test_stranger_gets_404_on_every_route_of_a_space(
    app: Flask,
    cast: Cast,
    sign_in: Callable[..., FlaskClient],
    add_invoice: Callable[..., int],
) -> None:
    add_invoice(cast.alpha, cobot_invoice_id="i-1")
    stranger = sign_in(cast.stranger)
    token = csrf_of(stranger, "/help")
    walked = [
        (method, path, call(stranger, method, path, token).status_code)
        for method, path, rule in addresses(app, ALPHA)
        if "subdomain" in rule.arguments
    ]
    assert len(walked) >= 12
    assert [entry for entry in walked if entry[2] != 404] == []


def test_stranger_cannot_tell_a_foreign_space_from_one_that_does_not_exist(
    cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    stranger = sign_in(cast.stranger)

    def page(path: str) -> str:
        # The token of the forms holds the second at which it was made.
        text = stranger.get(path).text
        return text.replace(text.partition('name="csrf_token" value="')[2].partition('"')[0], "")

    foreign, nowhere = page("/spaces/alpha/log"), page("/spaces/nowhere/log")
    assert foreign.replace("alpha", "nowhere") == nowhere


def test_signed_out_person_is_sent_to_the_login_by_every_closed_route(
    app: Flask, cast: Cast, client: FlaskClient
) -> None:
    for method, path, rule in addresses(app, ALPHA):
        if rule.endpoint in PUBLIC:
            continue
        answer = call(client, method, path)
        assert answer.status_code == 303, (method, path)
        assert answer.location.startswith("/login"), (method, path)
        if method == "GET":
            assert answer.location == f"/login?next={path}"


def test_public_routes_are_exactly_those_meant_to_be(app: Flask) -> None:
    public = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if getattr(view, "is_public", False) or endpoint == "static"
    }
    assert public == PUBLIC


def test_second_admin_of_a_space_walks_in(cast: Cast, sign_in: Callable[..., FlaskClient]) -> None:
    assert sign_in(cast.second).get("/spaces/alpha/log").status_code == 200


def test_nothing_below_support_can_be_posted_but_reason_and_end(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/support")]
    writing = {
        rule.rule for rule in rules if not (rule.methods or set()) <= {"GET", "HEAD", "OPTIONS"}
    }
    assert writing == {"/support/visits", "/support/visits/<visit_id>/end"}
    assert {rule.rule for rule in rules} - writing == {
        "/support",
        "/support/spaces/<subdomain>",
        "/support/spaces/<subdomain>/invoices/<invoice_id>",
    }


def test_owner_of_a_space_is_not_support(owner: FlaskClient) -> None:
    assert owner.get("/support").status_code == 404
    assert owner.get("/support/spaces/alpha/invoices/i-1").status_code == 404
    assert "/support" not in owner.get("/spaces/alpha/log").text


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/spaces/alpha/log?state=failed", "/spaces/alpha/log?state=failed"),
        ("//evil.example/", None),
        ("/\\evil.example/", None),
        ("https://evil.example/", None),
        ("/%0d%0aSet-Cookie:x", "/%0d%0aSet-Cookie:x"),
        ("/a\r\nb", None),
        ("/\t/evil.example", None),
        ("javascript:alert(1)", None),
        ("", None),
        (None, None),
    ],
)
def test_only_pages_of_ours_are_returned_to(target: str | None, kept: str | None) -> None:
    assert local_path(target) == kept


def test_htmx_poll_after_the_session_ended_says_so_in_place(
    cast: Cast, client: FlaskClient
) -> None:
    answer = client.get(
        "/spaces/alpha/log/changes?after=0",
        headers={
            "HX-Request": "true",
            "HX-Current-URL": "http://localhost/spaces/alpha/log?state=failed",
        },
    )
    assert answer.status_code == 401
    assert answer.headers["HX-Retarget"] == "#notice"
    assert '"/login?next=/spaces/alpha/log?state%3Dfailed"' in answer.text


@pytest.mark.parametrize("address", ["http://[", "http://localhost//evil.example/", "https://[::1"])
def test_address_that_is_none_leads_to_the_login_all_the_same(
    cast: Cast, client: FlaskClient, address: str
) -> None:
    answer = client.post("/spaces/alpha/pause", headers={"Referer": address})
    assert (answer.status_code, answer.location) == (303, "/login")
    headers = {"HX-Request": "true", "HX-Current-URL": address}
    answer = client.get("/spaces/alpha/log/changes", headers=headers)
    assert answer.status_code == 401
    assert '"/login"' in answer.text


@pytest.mark.parametrize("number", ["-99999999999999999999", "99999999999999999999", "-1", "x"])
def test_cursor_that_no_database_takes_counts_as_none(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int], number: str
) -> None:
    add_invoice(cast.alpha, cobot_invoice_id="i-1")
    assert owner.get(f"/spaces/alpha/log/changes?after={number}&row=1").status_code == 200
    assert owner.get(f"/spaces/alpha/invoices/i-1/changes?after={number}").status_code == 200


@pytest.mark.parametrize("number", ["2147483648", "99999999999"])
def test_place_that_no_column_holds_counts_as_none(
    app: Flask, owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int], number: str
) -> None:
    shown = add_invoice(cast.alpha, number="A-1")
    with app.app_context():
        looked(cast.alpha, "members", [member_row("anna", "create")])
        looked(cast.alpha, "rehearsal", [invoice_row("A-1", "synced")], state="done")
    poll = owner.get(f"/spaces/alpha/log/changes?after=0&since={number}&row={shown}")
    assert poll.status_code == 200
    assert 'data-news=""' in poll.text
    members = owner.get(f"/spaces/alpha/members?after_place={number}")
    assert 'data-member="mem-anna"' in members.text
    rehearsal = owner.get(f"/spaces/alpha/rehearsal?after_place={number}")
    assert "A-1" in rehearsal.text


@pytest.mark.parametrize(
    "path",
    [
        "/spaces/alpha/log?q=%00",
        "/spaces/alpha/log?cause=a%00",
        "/spaces/%00/log",
        "/spaces/alpha/invoices/%00",
        "/spaces?q=%00",
        "/support?q=abc%00",
    ],
)
def test_nul_is_refused_before_anything_is_looked_up(owner: FlaskClient, path: str) -> None:
    assert owner.get(path).status_code == 400


def test_nul_in_a_form_is_refused(owner: FlaskClient, cast: Cast) -> None:
    data = {"csrf_token": csrf_of(owner, "/spaces/alpha/settings"), "name": "Space\0Alpha"}
    assert owner.post("/spaces/alpha/disconnect", data=data).status_code == 400


def test_nul_in_the_name_of_a_field_is_refused(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    with app.app_context():
        task_id = looked(cast.alpha, "members", [member_row("anna", "create")])
    data = {"csrf_token": csrf_of(owner, "/spaces/alpha/settings"), "choice-\0x": "leave"}
    answer = owner.post(f"/spaces/alpha/members/{task_id}/decide", data=data)
    assert answer.status_code == 400


def test_tenant_pages_are_kept_by_no_cache_and_fragments_told_apart(owner: FlaskClient) -> None:
    answer = owner.get("/spaces/alpha/log")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "HX-Request" in answer.headers["Vary"]


def test_form_without_token_is_refused(owner: FlaskClient, cast: Cast) -> None:
    answer = owner.post("/spaces/alpha/disconnect")
    assert answer.status_code == 400
    assert "Bitte Seite neu laden" in answer.text


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}]
)
def test_form_sent_by_another_site_is_refused(owner: FlaskClient, headers: dict[str, str]) -> None:
    token = csrf_of(owner, "/spaces/alpha/disconnect")
    answer = owner.post("/spaces/alpha/disconnect", data={"csrf_token": token}, headers=headers)
    assert answer.status_code == 403


def test_form_sent_by_another_site_is_refused_before_anybody_is_looked_up(
    cast: Cast, client: FlaskClient
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/spaces/alpha/pause", headers=headers).status_code == 403


def test_every_form_that_posts_carries_a_token(owner: FlaskClient, cast: Cast) -> None:
    for path in ("/login", "/spaces/alpha/sevdesk", "/spaces/alpha/disconnect", "/help"):
        text = owner.get(path, follow_redirects=True).text
        forms = text.split('<form method="post"')[1:]
        assert forms
        for form in forms:
            assert 'name="csrf_token"' in form.partition("</form>")[0]


def test_reading_pages_does_not_wait_for_a_writer(database_url: str, owner: FlaskClient) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("only SQLite has one writer at a time")
    owner.get("/spaces/alpha/log")  # the first page puts a token into the session: that writes
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as writer:
        writer.execute("BEGIN IMMEDIATE")
        for path in ("/spaces", "/spaces/alpha/log", "/spaces/alpha/log/changes?after=0"):
            started = time.monotonic()
            assert owner.get(path).status_code in {200, 204, 302}
            assert time.monotonic() - started < 3
        writer.rollback()
