"""What a person does in sevdesk: the control calls below /_control/sevdesk."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from flask import Blueprint, Response, jsonify, request

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk.client import SevdeskClient
from tests.simulator.sevdesk.contacts import Contact
from tests.simulator.sevdesk.fields import fields_of, flag_in, now, text_in
from tests.simulator.sevdesk.side import Access, SevdeskSide, set_version

NOUNS = ("accounts", "cost_centres", "contacts", "vouchers")


class UnknownThing(LookupError):
    """There is no such token or object."""


def sevdesk_control_blueprint(get_side: Callable[[], SevdeskSide]) -> Blueprint:
    """Return the calls, their paths relative to /_control/sevdesk; every answer is JSON."""
    blueprint = Blueprint("sevdesk_control", __name__)

    @blueprint.errorhandler(UnknownThing)
    def unknown_thing(error: UnknownThing) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 404

    @blueprint.errorhandler(WorldError)
    def wrong_body(error: WorldError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 400

    @blueprint.patch("/<token>")
    def change_client(token: str) -> Response:
        return jsonify(_change_access(get_side(), _access(get_side(), token), _body()))

    @blueprint.post("/<token>/<noun>")
    def create(token: str, noun: str) -> tuple[Response, int]:
        client, things = _things(get_side(), token, noun)
        body = _body()
        if body.get("id") is not None and str(body["id"]) in things:
            raise WorldError(f"{noun}.id: the id {body['id']} is there already")
        made = now().isoformat()
        if noun in ("contacts", "vouchers"):
            body = {"create": made, **body}
        return jsonify(_shown(client, noun, _put(client, noun, body))), 201

    @blueprint.patch("/<token>/<noun>/<thing_id>")
    def change(token: str, noun: str, thing_id: str) -> Response:
        client, things = _things(get_side(), token, noun)
        if thing_id not in things:
            raise UnknownThing(f"{noun}: there is no {thing_id}")
        return jsonify(_changed(client, noun, things, thing_id, _body()))

    @blueprint.delete("/<token>/<noun>/<thing_id>")
    def delete(token: str, noun: str, thing_id: str) -> Response:
        client, things = _things(get_side(), token, noun)
        if thing_id not in things:
            raise UnknownThing(f"{noun}: there is no {thing_id}")
        removals: dict[str, Callable[[str], object]] = {
            "contacts": client.remove_contact,
            "cost_centres": client.remove_cost_centre,
            "vouchers": client.remove_voucher,
        }
        removals.get(noun, things.pop)(thing_id)
        return jsonify({})

    return blueprint


def _body() -> dict[str, Any]:
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError as err:
        raise WorldError("the body is not JSON") from err
    if not isinstance(body, dict):
        raise WorldError("the body has to be an object")
    return body


def _access(side: SevdeskSide, token: str) -> Access:
    access = side.access(token)
    if access is None:
        raise UnknownThing("there is no such token")
    return access


def _things(side: SevdeskSide, token: str, noun: str) -> tuple[SevdeskClient, dict[str, Any]]:
    client = _access(side, token).client
    if noun not in NOUNS:
        raise UnknownThing(f"there is nothing called {noun}")
    return client, getattr(client, noun)


def _change_access(side: SevdeskSide, access: Access, body: dict[str, Any]) -> dict[str, Any]:
    """Change version (of the whole client), revoke or restore the token, or put a new one in its
    place."""
    fields = fields_of(body, "body", ("version", "revoked", "new_token"))
    is_revoked = flag_in(fields, "revoked", "body", access.is_revoked)
    new_token = fields.get("new_token")
    if new_token is True:
        new_token = sha256(f"{access.token} renewed".encode()).hexdigest()[:32]
    if new_token not in (None, False) and not text_in(
        {"new_token": new_token}, "new_token", "body"
    ):
        raise WorldError("body.new_token: a text is expected")
    set_version(access.client, {"version": fields.get("version")}, "body")
    if new_token not in (None, False):
        side.renew_token(access, str(new_token))
    access.is_revoked = is_revoked
    return {
        "token": access.token,
        "client_id": access.client.id,
        "version": access.client.version,
        "revoked": access.is_revoked,
    }


def _put(client: SevdeskClient, noun: str, body: dict[str, Any]) -> str:
    if body.get("id") is not None:
        client.new_id[noun].note(str(body["id"]))
    put: dict[str, Callable[[object, str], Any]] = {
        "accounts": client.put_account,
        "cost_centres": client.put_cost_centre,
        "contacts": client.put_contact,
        "vouchers": client.put_voucher,
    }
    return str(put[noun](body, noun).id)


def _shown(client: SevdeskClient, noun: str, thing_id: str) -> dict[str, Any]:
    """Return the thing as the world shows it."""
    rows: list[dict[str, Any]] = client.to_world()[noun]
    return next(row for row in rows if row["id"] == thing_id)


def _changed(
    client: SevdeskClient, noun: str, things: dict[str, Any], thing_id: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Put the changed thing in the place of the old one; if it cannot be, the old one stays."""
    if str(body.get("id", thing_id)) != thing_id:
        raise WorldError(f"{noun}.id: an id cannot be changed")
    before, order, relations = things[thing_id], list(things), client.relations
    shown = _shown(client, noun, thing_id)
    if noun == "vouchers" and "positions" in body:
        # The sums follow the positions unless the change names them too.
        shown = {
            key: value
            for key, value in shown.items()
            if key not in ("sumNet", "sumTax", "sumGross")
        }
    if noun in ("contacts", "vouchers"):
        shown["update"] = now().isoformat()
    del things[thing_id]
    try:
        if noun == "vouchers" and "tags" in body:
            client.relations = {
                key: each for key, each in client.relations.items() if each.voucher != thing_id
            }
        if noun == "contacts" and "email" in body:
            # Read once for its errors only: a refused change must not cost the old address.
            Contact.from_world({**shown, **body}, noun, client.new_id[noun], now())
            text_in(body, "email", noun)
            client.forget_communication_ways(thing_id, only_emails=True)
        _put(client, noun, {**shown, **body})
    except WorldError:
        things[thing_id], client.relations = before, relations
        raise
    finally:
        for key in order:
            things[key] = things.pop(key)
    after = things[thing_id]
    if noun == "vouchers" and before.file is not None and "file" not in body:
        after.file = before.file
    return _shown(client, noun, thing_id)
