"""Tokens, envelopes, paging: what every call has in common."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator_tests.sevdesk.conftest import (
    API,
    OTHER_TOKEN,
    STRANGERS_TOKEN,
    TOKEN,
    Sevdesk,
)


@pytest.mark.parametrize("value", ["", "d" * 32, f"Bearer {TOKEN}", TOKEN.upper()])
def test_only_the_raw_token_is_let_in(sevdesk: Sevdesk, value: str) -> None:
    response = sevdesk.call("GET", "/Contact", token=value)
    assert response.status_code == 401
    assert response.json == {"status": 401, "message": "Authentication required"}


def test_token_in_the_address_is_not_looked_at(sevdesk: Sevdesk) -> None:
    assert sevdesk.http.get(f"{API}/Contact?token={TOKEN}").status_code == 401


def test_two_tokens_of_one_client_share_everything_and_a_third_nothing(sevdesk: Sevdesk) -> None:
    assert sevdesk.get("/Contact", token=OTHER_TOKEN) == sevdesk.get("/Contact")
    assert sevdesk.get("/Contact?depth=1", token=STRANGERS_TOKEN) == []


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "10000", "many", "", "1.5"])
def test_limit_outside_1_to_1000_is_a_bad_request(sevdesk: Sevdesk, limit: str) -> None:
    response = sevdesk.call("GET", f"/Contact?limit={limit}")
    assert response.status_code == 400
    assert "'limit'" in response.json["error"]["message"]


@pytest.mark.parametrize("offset", ["-1", "x"])
def test_offset_that_is_no_count_is_a_bad_request(sevdesk: Sevdesk, offset: str) -> None:
    assert sevdesk.call("GET", f"/Voucher?offset={offset}").status_code == 400


def test_limit_offset_and_count_all_cut_and_count(sevdesk: Sevdesk) -> None:
    body = sevdesk.call("GET", "/StaticCountry?limit=2&offset=1&countAll=true").json
    assert [row["code"] for row in body["objects"]] == ["ch", "at"]
    assert int(body["total"]) > 30
    assert "total" not in sevdesk.call("GET", "/StaticCountry?limit=1000").json


def test_unknown_path_is_not_found_but_only_for_those_with_a_token(sevdesk: Sevdesk) -> None:
    assert sevdesk.call("GET", "/Nothing").status_code == 404
    assert sevdesk.call("GET", "/Nothing", token="x").status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/Contact?depth=1",
        "/CommunicationWay",
        "/CostCentre",
        "/CheckAccount",
        "/StaticCountry",
        "/Category",
    ],
)
def test_every_row_says_whose_it_is_and_is_made_of_texts(sevdesk: Sevdesk, path: str) -> None:
    rows = sevdesk.get(path)
    assert rows
    for row in rows:
        assert str(row["sevClient"]["id"]) == "77"
        assert isinstance(row["id"], str)
        assert not [key for key, value in row.items() if isinstance(value, bool | int | float)]


def test_body_that_is_no_json_object_is_a_bad_request(sevdesk: Sevdesk) -> None:
    bodies: list[dict[str, Any]] = [{"data": "{"}, {"json": [1]}, {"data": ""}]
    for body in bodies:
        assert sevdesk.call("POST", "/Contact", **body).status_code == 400
