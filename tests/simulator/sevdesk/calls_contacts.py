"""Calls about contacts, their addresses and their communication ways."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from flask import Blueprint, Response, request

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk import countries
from tests.simulator.sevdesk.client import SevdeskClient
from tests.simulator.sevdesk.contacts import (
    ADDRESS_CATEGORIES,
    CATEGORIES,
    COMMUNICATION_KEYS,
    COMMUNICATION_TYPES,
    NAME_KEYS,
    Address,
    CommunicationWay,
    Contact,
    plain_fields_of,
)
from tests.simulator.sevdesk.exchange import (
    ApiError,
    bad_request,
    body_of_request,
    current_client,
    envelope,
    is_flag_set,
    page,
    referenced_id,
)
from tests.simulator.sevdesk.fields import now, read_flag


def register(blueprint: Blueprint) -> None:
    """Add the calls to the API."""
    blueprint.get("/Contact")(contacts)
    blueprint.post("/Contact")(create_contact)
    blueprint.get("/Contact/Factory/getNextCustomerNumber")(next_customer_number)
    blueprint.get("/Contact/Mapper/checkCustomerNumberAvailability")(customer_number_availability)
    blueprint.get("/Contact/<contact_id>")(contact)
    blueprint.put("/Contact/<contact_id>")(update_contact)
    blueprint.delete("/Contact/<contact_id>")(delete_contact)
    blueprint.get("/ContactAddress")(addresses)
    blueprint.post("/ContactAddress")(create_address)
    blueprint.get("/CommunicationWay")(communication_ways)
    blueprint.post("/CommunicationWay")(create_communication_way)


def contacts() -> Response:
    """List contacts; without depth=1 only organisations, as if no person were there."""
    client = current_client()
    found = [each for each in client.contacts.values() if _is_wanted(client, each)]
    return page([each.to_json(client.id) for each in found])


def contact(contact_id: str) -> Response:
    client = current_client()
    return envelope([_found(client, contact_id).to_json(client.id)])


def create_contact() -> Response:
    """Make a contact; a customer number that another one has is accepted."""
    client = current_client()
    made = Contact(id=client.new_id["contacts"]())
    body = body_of_request()
    if not isinstance(body.get("category"), dict):
        raise bad_request("A contact needs a category")
    _write(client, made, body)
    client.contacts[made.id] = made
    return envelope(made.to_json(client.id), 201)


def update_contact(contact_id: str) -> Response:
    client = current_client()
    changed = deepcopy(_found(client, contact_id))
    _write(client, changed, body_of_request())
    changed.updated = now()
    client.contacts[contact_id] = changed
    return envelope(changed.to_json(client.id))


def delete_contact(contact_id: str) -> Response:
    client = current_client()
    _found(client, contact_id)
    if any(each.supplier == contact_id for each in client.vouchers.values()):
        raise ApiError(409, "The contact is used and cannot be deleted")
    client.remove_contact(contact_id)
    return envelope([None])


def next_customer_number() -> Response:
    return envelope(current_client().next_free_customer_number())


def customer_number_availability() -> Response:
    """Say whether nobody has the number; without the parameter sevdesk breaks instead of
    refusing."""
    number = request.args.get("customerNumber")
    if number is None:
        raise ApiError(500, "Internal server error")
    return envelope(
        all(each.customer_number != number for each in current_client().contacts.values())
    )


def addresses() -> Response:
    client, contact_id = current_client(), referenced_id("contact")
    found = [each for each in client.addresses.values() if contact_id in (None, each.contact)]
    return page([each.to_json(client.id) for each in found])


def create_address() -> Response:
    client, body = current_client(), body_of_request()
    owner = _found(client, _referenced(body, "contact", "Contact"))
    country = _referenced(body, "country", "StaticCountry")
    if country not in countries.KNOWN_IDS:
        raise bad_request(f"Country {country} was not found")
    category = _referenced(body, "category", "Category")
    if category not in ADDRESS_CATEGORIES:
        raise bad_request(f"Category {category} was not found")
    made = Address(
        id=client.new_id["addresses"](),
        contact=owner.id,
        street=_text(body, "street"),
        zip=_text(body, "zip"),
        city=_text(body, "city"),
        country=country,
        category=category,
        name=_text(body, "name"),
    )
    client.addresses[made.id] = made
    return envelope(made.to_json(client.id), 201)


def communication_ways() -> Response:
    client, contact_id = current_client(), referenced_id("contact")
    kind, value, main = (request.args.get(name) for name in ("type", "value", "main"))
    found = [
        each
        for each in client.communication_ways.values()
        if contact_id in (None, each.contact)
        and kind in (None, each.type)
        and value in (None, each.value)
        and main in (None, "1" if each.main else "0")
    ]
    return page([each.to_json(client.id) for each in found])


def create_communication_way() -> Response:
    client, body = current_client(), body_of_request()
    owner = _found(client, _referenced(body, "contact", "Contact"))
    kind, value = _text(body, "type"), _text(body, "value")
    if kind not in COMMUNICATION_TYPES:
        raise bad_request(f"The type has to be one of {', '.join(COMMUNICATION_TYPES)}")
    if not value:
        raise bad_request("A communication way needs a value")
    key = _referenced(body, "key", "CommunicationWayKey")
    if key not in COMMUNICATION_KEYS:
        raise bad_request(f"CommunicationWayKey {key} was not found")
    try:
        main = read_flag(body.get("main") or False)
    except ValueError as err:
        raise bad_request("main has to be true or false") from err
    made = CommunicationWay(client.new_id["emails"](), owner.id, kind, value, key, main)
    client.put_communication_way(made, "body")
    return envelope(made.to_json(client.id), 201)


def _is_wanted(client: SevdeskClient, each: Contact) -> bool:
    if each.is_person and not is_flag_set("depth"):
        return False
    wanted = request.args
    number, category = wanted.get("customerNumber"), referenced_id("category")
    if number not in (None, each.customer_number) or category not in (None, each.category):
        return False
    if wanted.get("name", "").casefold() not in each.shown_name.casefold():
        return False
    zip_code, city = wanted.get("zip"), wanted.get("city")
    if zip_code is None and city is None:
        return True
    places = [place for place in client.addresses.values() if place.contact == each.id]
    return any(zip_code in (None, place.zip) and city in (None, place.city) for place in places)


def _found(client: SevdeskClient, contact_id: str) -> Contact:
    if contact_id not in client.contacts:
        # "Bad request. Contact was not found" is what the description says, there is no 404.
        raise bad_request(f"Contact {contact_id} was not found")
    return client.contacts[contact_id]


def _write(client: SevdeskClient, target: Contact, body: Mapping[str, Any]) -> None:
    """Put what the body names into the contact; a person below an organisation gets the
    organisation's number."""
    if "category" in body:
        target.category = _referenced(body, "category", "Category")
        if target.category not in CATEGORIES:
            raise bad_request(f"Category {target.category} was not found")
    if body.get("status") is not None:
        if str(body["status"]) not in ("100", "500", "1000"):
            raise bad_request("The status of a contact is 100, 500 or 1000")
        target.status = str(body["status"])
    for key in NAME_KEYS:
        if key in body:
            setattr(target, key, _text(body, key) or None)
    if "customerNumber" in body:
        target.customer_number = _text(body, "customerNumber") or None
    if body.get("parent") is not None:
        parent = _found(client, _referenced(body, "parent", "Contact"))
        target.parent, target.customer_number = parent.id, parent.customer_number
    try:
        target.plain_fields |= plain_fields_of(body, "contact")
    except WorldError as err:
        raise bad_request(str(err)) from err


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise bad_request(f"{key} has to be a text")
    return str(value)


def _referenced(body: Mapping[str, Any], key: str, object_name: str) -> str:
    value = body.get(key)
    if (
        not isinstance(value, dict)
        or value.get("id") is None
        or value.get("objectName") != object_name
    ):
        raise bad_request(f"{key} has to be an object with id and objectName {object_name}")
    return str(value["id"])
