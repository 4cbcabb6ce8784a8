"""Contacts, addresses, communication ways."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator_tests.sevdesk.conftest import STRANGERS_TOKEN, Sevdesk

CUSTOMER = {"id": 3, "objectName": "Category"}
OWNER = {"id": 501, "objectName": "Contact"}


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def test_persons_are_hidden_without_depth(sevdesk: Sevdesk) -> None:
    assert ids(sevdesk.get("/Contact")) == ["501"]
    assert ids(sevdesk.get("/Contact?customerNumber=1006")) == []
    assert ids(sevdesk.get("/Contact?depth=1")) == ["501", "502"]
    assert ids(sevdesk.get("/Contact?customerNumber=1006&depth=1")) == ["502"]


def test_filters_by_number_are_exact_and_by_name_are_not(sevdesk: Sevdesk) -> None:
    assert ids(sevdesk.get("/Contact?customerNumber=100&depth=1")) == []
    assert ids(sevdesk.get("/Contact?name=müll&depth=1")) == ["502"]
    assert ids(sevdesk.get("/Contact?category[id]=2&depth=1")) == []


def test_contact_is_made_with_201_and_read_back(sevdesk: Sevdesk) -> None:
    body = {"surename": "Änne", "familyname": "Groß", "customerNumber": "1007", "status": 1000}
    made = sevdesk.post("/Contact", {**body, "category": CUSTOMER})
    assert made.status_code == 201
    shown = made.json["objects"]
    assert shown["category"] == {"id": "3", "objectName": "Category"}
    assert (shown["status"], shown["customerNumber"]) == ("1000", "1007")
    assert "name" not in shown
    assert sevdesk.get(f"/Contact/{shown['id']}") == [shown]


def test_second_contact_with_a_used_number_is_accepted(sevdesk: Sevdesk) -> None:
    body = {"name": "Zwilling", "customerNumber": "1005", "category": CUSTOMER}
    assert sevdesk.post("/Contact", body).status_code == 201
    assert len(sevdesk.get("/Contact?customerNumber=1005&depth=1")) == 2


def test_person_below_an_organisation_gets_the_organisations_number(sevdesk: Sevdesk) -> None:
    body = {"familyname": "Groß", "customerNumber": "9", "category": CUSTOMER, "parent": OWNER}
    assert sevdesk.post("/Contact", body).json["objects"]["customerNumber"] == "1005"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Ohne"},
        {"name": "Ohne", "category": 3},
        {"name": "Ohne", "category": {"id": 99, "objectName": "Category"}},
        {"name": "Ohne", "category": {"id": 3, "objectName": "Contact"}},
        {"name": ["x"], "category": CUSTOMER},
        {"name": "x", "category": CUSTOMER, "status": 7},
        {"name": "x", "category": CUSTOMER, "parent": {"id": 9, "objectName": "Contact"}},
    ],
)
def test_wrong_contact_is_a_bad_request(sevdesk: Sevdesk, body: dict[str, Any]) -> None:
    assert sevdesk.post("/Contact", body).status_code == 400
    assert len(sevdesk.get("/Contact?depth=1")) == 2


def test_next_number_is_computed_and_not_reserved(sevdesk: Sevdesk) -> None:
    path = "/Contact/Factory/getNextCustomerNumber"
    assert sevdesk.get(path) == sevdesk.get(path) == "1007"
    assert sevdesk.get(path, token=STRANGERS_TOKEN) == "5"


def test_availability_of_a_number_and_500_without_one(sevdesk: Sevdesk) -> None:
    path = "/Contact/Mapper/checkCustomerNumberAvailability"
    assert sevdesk.get(f"{path}?customerNumber=1005") is False
    assert sevdesk.get(f"{path}?customerNumber=1007") is True
    assert sevdesk.call("GET", path).status_code == 500


def test_unknown_contact_is_a_bad_request_not_404(sevdesk: Sevdesk) -> None:
    assert sevdesk.call("GET", "/Contact/999").status_code == 400


def test_contact_is_changed_and_deleted_unless_used(sevdesk: Sevdesk) -> None:
    changed = sevdesk.call("PUT", "/Contact/502", json={"customerNumber": "2000"})
    assert changed.json["objects"]["customerNumber"] == "2000"
    assert sevdesk.call("PUT", "/Contact/502", json={"status": 1}).status_code == 400
    assert sevdesk.call("DELETE", "/Contact/502").json == {"objects": [None]}
    assert sevdesk.call("GET", "/Contact/502").status_code == 400


def address(**fields: Any) -> dict[str, Any]:
    return {
        "contact": OWNER,
        "street": "Hauptstr. 1",
        "zip": "10115",
        "city": "Berlin",
        "country": {"id": 1, "objectName": "StaticCountry"},
        "category": {"id": 47, "objectName": "Category"},
        "name": "XYZ Design",
        **fields,
    }


def test_address_is_made_listed_and_found_by_place(sevdesk: Sevdesk) -> None:
    made = sevdesk.post("/ContactAddress", address())
    assert made.status_code == 201
    assert made.json["objects"]["contact"] == {"id": 501, "objectName": "Contact"}
    assert sevdesk.get("/ContactAddress?contact[id]=501") == [made.json["objects"]]
    assert sevdesk.get("/ContactAddress?contact[id]=502") == []
    assert ids(sevdesk.get("/Contact?depth=1&city=Berlin&zip=10115")) == ["501"]
    assert ids(sevdesk.get("/Contact?depth=1&city=Bonn")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"contact": {"id": 9, "objectName": "Contact"}},
        {"contact": None},
        {"country": {"id": 999, "objectName": "StaticCountry"}},
        {"country": None},
        {"category": {"id": 3, "objectName": "Category"}},
    ],
)
def test_wrong_address_is_a_bad_request(sevdesk: Sevdesk, wrong: dict[str, Any]) -> None:
    assert sevdesk.post("/ContactAddress", address(**wrong)).status_code == 400


def way(**fields: Any) -> dict[str, Any]:
    key = {"id": 2, "objectName": "CommunicationWayKey"}
    return {"contact": OWNER, "type": "EMAIL", "value": "a@b.example", "key": key, **fields}


def test_email_is_made_and_found_by_type_and_value(sevdesk: Sevdesk) -> None:
    made = sevdesk.post("/CommunicationWay", way(main=True))
    assert made.status_code == 201
    assert made.json["objects"]["main"] == "1"
    assert sevdesk.get("/CommunicationWay?type=EMAIL&value=a@b.example") == [made.json["objects"]]
    assert sevdesk.get("/CommunicationWay?type=PHONE") == []
    planted = sevdesk.get("/CommunicationWay?contact[id]=501&contact[objectName]=Contact")
    assert [row["value"] for row in planted] == ["x@example.org", "a@b.example"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "FAX"},
        {"value": ""},
        {"key": None},
        {"key": {"id": 9, "objectName": "CommunicationWayKey"}},
        {"contact": {"id": 9, "objectName": "Contact"}},
        {"main": "perhaps"},
    ],
)
def test_wrong_communication_way_is_a_bad_request(sevdesk: Sevdesk, wrong: dict[str, Any]) -> None:
    assert sevdesk.post("/CommunicationWay", way(**wrong)).status_code == 400
