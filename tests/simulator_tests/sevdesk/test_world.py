"""Worlds in, worlds out, and what a person does in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk import SevdeskSide
from tests.simulator_tests.sevdesk.conftest import (
    OTHER_TOKEN,
    TODAY,
    TOKEN,
    Sevdesk,
    small_world,
    voucher_body,
)

SevdeskOf = Callable[[list[dict[str, Any]]], Sevdesk]


def build(world: Any) -> SevdeskSide:
    return SevdeskSide.from_world(world, lambda: TODAY)


def busy(sevdesk: Sevdesk) -> Sevdesk:
    saved = sevdesk.save({**voucher_body(), "filename": sevdesk.upload()["filename"]})
    tagged = {"name": "Import", "object": {"id": saved["id"], "objectName": "Voucher"}}
    sevdesk.post("/Tag/Factory/create", tagged)
    sevdesk.post(
        "/ContactAddress",
        {
            "contact": {"id": 501, "objectName": "Contact"},
            "country": {"id": 1, "objectName": "StaticCountry"},
            "category": {"id": 47, "objectName": "Category"},
            "city": "Köln",
        },
    )
    sevdesk.control("PATCH", f"/{OTHER_TOKEN}", {"revoked": True})
    return sevdesk


def test_world_comes_back_as_it_was(sevdesk: Sevdesk, sevdesk_of: SevdeskOf) -> None:
    state = json.loads(json.dumps(busy(sevdesk).side.to_world()))
    again = sevdesk_of(state)
    assert again.side.to_world() == state
    assert again.get("/Voucher") == sevdesk.get("/Voucher")
    assert again.get("/Contact?depth=1") == sevdesk.get("/Contact?depth=1")
    assert again.call("GET", "/Voucher", token=OTHER_TOKEN).status_code == 401
    assert int(again.save(voucher_body())["id"]) > int(sevdesk.get("/Voucher")[0]["id"])


def test_state_shows_addresses_emails_tags_positions_and_file(sevdesk: Sevdesk) -> None:
    entry = busy(sevdesk).side.to_world()[0]
    assert [each["city"] for each in entry["addresses"]] == ["Köln"]
    assert [each["value"] for each in entry["emails"]] == ["x@example.org"]
    assert [each["name"] for each in entry["tags"]] == ["Import"]
    voucher = entry["vouchers"][0]
    assert voucher["tags"] == ["Import"]
    assert set(voucher["file"]) == {"name", "size", "sha256"}
    assert [each["accountNumber"] for each in voucher["positions"]] == ["4400"]


def test_data_of_a_shared_client_stands_at_its_first_token(sevdesk: Sevdesk) -> None:
    first, second, _ = sevdesk.side.to_world()
    assert second == {"token": OTHER_TOKEN, "client_id": "77", "revoked": False}
    assert first["contacts"]


def test_second_entry_of_a_client_may_repeat_and_add_but_not_contradict() -> None:
    first, second, _ = small_world()
    repeated = {**first, "token": OTHER_TOKEN, "cost_centres": [{"id": "10", "number": "200"}]}
    client = build([first, repeated]).by_token(TOKEN)
    assert client is not None
    assert len(client.contacts) == 2
    assert len(client.cost_centres) == 2
    with pytest.raises(WorldError, match="version"):
        build([{**first, "version": "2.0"}, {**second, "version": "1.0"}])


def test_empty_entry_is_a_whole_client(sevdesk_of: SevdeskOf) -> None:
    sevdesk = sevdesk_of([{}])
    token = sevdesk.side.to_world()[0]["token"]
    assert len(token) == 32
    client = sevdesk.side.by_token(token)
    assert client is not None
    assert {"4400", "4300", "4100"} <= {each.number for each in client.accounts.values()}


def test_ids_that_were_left_out_keep_clear_of_planted_ones() -> None:
    contacts = [{"name": "A"}, {"id": "501", "name": "B"}, {"name": "C"}]
    client = build([{"token": TOKEN, "contacts": contacts}]).by_token(TOKEN)
    assert client is not None
    assert len(client.contacts) == 3


def test_planted_voucher_of_today_with_wrong_sums(sevdesk_of: SevdeskOf) -> None:
    voucher = {
        "description": "2026-0001",
        "supplier": "501",
        "costCentre": "9",
        "positions": [{"accountNumber": "4400", "taxRate": 19, "sumNet": "100"}],
        "sumGross": "118.99",
        "tags": ["Import", "Import"],
    }
    world = small_world()
    world[0]["vouchers"] = [voucher]
    row = sevdesk_of(world).get("/Voucher?embed=supplier")[0]
    assert (row["sumNet"], row["sumTax"], row["sumGross"]) == ("100", "19", "118.99")
    assert row["voucherDate"][:10] == "2025-02-28"
    assert row["supplier"]["name"] == "XYZ Design"


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"tokens": "x"}, "unknown key tokens"),
        ("x", "an object"),
        ({"accounts": {}}, "a list"),
        ({"accounts": [{"number": "1", "colour": "red"}]}, "unknown key colour"),
        ({"accounts": [{"name": "without number"}]}, "number"),
        ({"accounts": [{"number": "1", "rules": {"18": [0]}}]}, "tax rule 18"),
        ({"accounts": [{"number": "1", "rules": {"1": [16]}}]}, "0, 7 and 19"),
        ({"accounts": [{"number": "1", "rules": []}]}, "rules"),
        ({"accounts": [{"number": "1", "types": ["GIFT"]}]}, "types"),
        ({"accounts": [{"id": "1", "number": "1"}, {"id": "1", "number": "2"}]}, "twice"),
        ({"contacts": [{"phone": "1"}]}, "unknown key phone"),
        ({"contacts": [{"name": True}]}, "a text"),
        ({"contacts": [{"category": "99"}]}, "category"),
        ({"contacts": [{"create": "x"}]}, "date and time"),
        ({"cost_centres": [{"id": " "}]}, "must not be empty"),
        ({"vouchers": [{"supplier": "9"}]}, "no contact 9"),
        ({"vouchers": [{"costCentre": "77"}]}, "no cost centre 77"),
        ({"vouchers": [{"status": "7"}]}, "status"),
        ({"vouchers": [{"voucherDate": "soon"}]}, "a date"),
        ({"vouchers": [{"positions": [{"accountNumber": "1"}]}]}, "no account 1"),
        ({"vouchers": [{"positions": [{"net": "perhaps"}]}]}, "true or false"),
        ({"vouchers": [{"positions": [{"sumNet": "much"}]}]}, "a number"),
        ({"vouchers": [{"file": {"name": "x"}}]}, "sha256"),
        ({"addresses": [{"contact": "9"}]}, "contact 9"),
        ({"addresses": [{"city": "Köln"}]}, "belongs to a contact"),
        ({"addresses": [{"contact": "9", "country": "999"}]}, "country"),
        ({"emails": [{"contact": "9"}]}, "value"),
        ({"tags": [{"id": "1"}]}, "a name"),
        ({"version": "3.0"}, "version"),
        ({"next_customer_number": "x"}, "next_customer_number"),
        ({"revoked": "perhaps"}, "revoked"),
    ],
)
def test_world_that_cannot_be_is_refused_with_its_place(entry: Any, where: str) -> None:
    with pytest.raises(WorldError, match=where):
        build([entry])


def test_token_twice_or_no_list_is_refused() -> None:
    with pytest.raises(WorldError, match="twice"):
        build([{"token": TOKEN}, {"token": TOKEN}])
    with pytest.raises(WorldError, match="a list"):
        build({})


def test_revoked_and_renewed_tokens(sevdesk: Sevdesk) -> None:
    assert sevdesk.control("PATCH", f"/{TOKEN}", {"revoked": True}).json["revoked"] is True
    assert sevdesk.call("GET", "/Contact").status_code == 401
    assert len(sevdesk.get("/Contact", token=OTHER_TOKEN)) == 1
    sevdesk.control("PATCH", f"/{TOKEN}", {"revoked": False, "new_token": "d" * 32})
    assert sevdesk.call("GET", "/Contact").status_code == 401
    assert len(sevdesk.get("/Contact", token="d" * 32)) == 1
    assert sevdesk.control("PATCH", f"/{TOKEN}", {}).status_code == 404


@pytest.mark.parametrize(
    "body", [{"new_token": OTHER_TOKEN}, {"version": "3"}, {"colour": 1}, {"revoked": "x"}, []]
)
def test_wrong_change_of_a_token_is_a_bad_request(sevdesk: Sevdesk, body: object) -> None:
    response = sevdesk.control("PATCH", f"/{TOKEN}", body)
    assert response.status_code == 400
    assert response.json["error"]


def test_person_makes_changes_and_deletes_an_account(sevdesk: Sevdesk) -> None:
    body = {"number": "4405", "name": "Parkplatz", "rules": {"1": [19]}}
    made = sevdesk.control("POST", f"/{TOKEN}/accounts", body)
    assert made.status_code == 201
    path = f"/{TOKEN}/accounts/{made.json['id']}"
    assert sevdesk.control("PATCH", path, {"name": "Stellplatz"}).json["name"] == "Stellplatz"
    names = [row["accountName"] for row in sevdesk.get("/ReceiptGuidance/forRevenue")]
    assert names[-1] == "Stellplatz"
    assert sevdesk.control("DELETE", path).status_code == 200
    assert "Stellplatz" not in str(sevdesk.get("/ReceiptGuidance/forRevenue"))
    assert sevdesk.control("DELETE", path).status_code == 404


def test_person_changes_a_contact_with_its_email(sevdesk: Sevdesk) -> None:
    path = f"/{TOKEN}/contacts/501"
    changed = sevdesk.control("PATCH", path, {"customerNumber": "2000", "email": "neu@example.org"})
    assert changed.json["email"] == "neu@example.org"
    assert sevdesk.control("PATCH", path, {"email": "x", "category": "9"}).status_code == 400
    assert [row["value"] for row in sevdesk.get("/CommunicationWay")] == ["neu@example.org"]
    assert [row["id"] for row in sevdesk.get("/Contact?depth=1")] == ["501", "502"]
    assert sevdesk.control("POST", f"/{TOKEN}/contacts", {"id": "501"}).status_code == 400


def test_person_deletes_contact_and_cost_centre_of_a_voucher(sevdesk: Sevdesk) -> None:
    voucher_id = sevdesk.save(voucher_body())["id"]
    assert sevdesk.control("DELETE", f"/{TOKEN}/contacts/501").status_code == 200
    assert sevdesk.control("DELETE", f"/{TOKEN}/cost_centres/9").status_code == 200
    row = sevdesk.get(f"/Voucher/{voucher_id}")[0]
    assert row["supplier"] is None
    assert row["supplierName"] == "XYZ Design"
    assert "costCentre" not in row
    build(json.loads(json.dumps(sevdesk.side.to_world())))


def test_person_edits_a_voucher_and_keeps_its_file(sevdesk: Sevdesk) -> None:
    saved = sevdesk.save({**voucher_body(), "filename": sevdesk.upload()["filename"]})
    path = f"/{TOKEN}/vouchers/{saved['id']}"
    positions = [{"accountNumber": "4400", "taxRate": 7, "sumNet": 100}]
    edited = sevdesk.control("PATCH", path, {"positions": positions, "tags": ["geprüft"]})
    assert edited.json["sumGross"] == "107"
    assert edited.json["tags"] == ["geprüft"]
    assert sevdesk.get(f"/Voucher/{saved['id']}/getPdf")["content"]
    wrong = sevdesk.control("PATCH", path, {"supplier": "999", "tags": []})
    assert wrong.status_code == 400
    assert len(sevdesk.get("/TagRelation")) == 1
    assert sevdesk.get(f"/Voucher/{saved['id']}")[0]["sumGross"] == "107"
    assert sevdesk.control("PATCH", path, {"id": "1"}).status_code == 400
    assert sevdesk.control("DELETE", path).status_code == 200
    assert sevdesk.get("/Voucher") == sevdesk.get("/TagRelation") == []


def test_person_writes_a_voucher_by_hand(sevdesk: Sevdesk) -> None:
    body = {"description": "2026-0007", "sumGross": "119.00", "supplier": "501"}
    made = sevdesk.control("POST", f"/{TOKEN}/vouchers", body)
    assert made.status_code == 201
    sevdesk.search_lag_seconds = 5.0
    assert sevdesk.get("/Voucher?descriptionLike=2026-0007") == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/unknown/accounts", 404),
        ("POST", f"/{TOKEN}/invoices", 404),
        ("PATCH", f"/{TOKEN}/contacts/999", 404),
        ("DELETE", f"/{TOKEN}/vouchers/999", 404),
        ("POST", f"/{TOKEN}/accounts", 400),
    ],
)
def test_wrong_control_calls(sevdesk: Sevdesk, method: str, path: str, status: int) -> None:
    response = sevdesk.control(method, path, {"colour": "red"})
    assert response.status_code == status
    assert response.json["error"]
