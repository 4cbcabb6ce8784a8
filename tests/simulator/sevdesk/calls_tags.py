"""Calls about tags: a tag is made together with its first relation and goes with all of them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from tests.simulator.sevdesk.client import SevdeskClient
from tests.simulator.sevdesk.exchange import (
    bad_request,
    body_of_request,
    current_client,
    envelope,
    page,
    referenced_id,
)
from tests.simulator.sevdesk.tags import Tag


def register(blueprint: Blueprint) -> None:
    """Add the calls to the API."""
    blueprint.post("/Tag/Factory/create")(create_tag)
    blueprint.get("/Tag")(tags)
    blueprint.get("/Tag/<tag_id>")(tag)
    blueprint.delete("/Tag/<tag_id>")(delete_tag)
    blueprint.get("/TagRelation")(tag_relations)


def create_tag() -> Response:
    """Tag a voucher; a tag of that name is used again, and a relation that is there already is
    answered again."""
    client, body = current_client(), body_of_request()
    name, tagged = body.get("name"), body.get("object")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("A tag needs a name")
    if not isinstance(tagged, dict) or tagged.get("objectName") != "Voucher":
        raise bad_request("A tag needs an object with id and objectName Voucher")
    voucher_id = str(tagged.get("id"))
    if voucher_id not in client.vouchers:
        raise bad_request(f"Voucher {voucher_id} was not found")
    return envelope(client.tag_voucher(voucher_id, name).to_json(client.id))


def tags() -> Response:
    client, tag_id, name = current_client(), request.args.get("id"), request.args.get("name")
    fitting = [
        each
        for each in client.tags.values()
        if tag_id in (None, each.id) and name in (None, each.name)
    ]
    return page([each.to_json(client.id) for each in fitting])


def tag(tag_id: str) -> Response:
    client = current_client()
    return envelope([_found(client, tag_id).to_json(client.id)])


def delete_tag(tag_id: str) -> Response:
    """Delete the tag from every voucher: sevdesk offers no way to take it from one."""
    client = current_client()
    client.remove_tag(_found(client, tag_id).id)
    return envelope([None])


def tag_relations() -> Response:
    client, tag_id, object_id = current_client(), referenced_id("tag"), referenced_id("object")
    fitting = [
        each
        for each in client.relations.values()
        if tag_id in (None, each.tag) and object_id in (None, each.voucher)
    ]
    return page([each.to_json(client.id) for each in fitting])


def _found(client: SevdeskClient, tag_id: str) -> Tag:
    if tag_id not in client.tags:
        raise bad_request(f"Tag {tag_id} was not found")
    return client.tags[tag_id]
