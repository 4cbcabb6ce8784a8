"""What a person does in Cobot: members, teams, contacts, invoices, settings and rights change."""

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from tests.simulator.checks import Fields, Json
from tests.simulator.cobot import changes, invoices
from tests.simulator.cobot.answers import plain
from tests.simulator.cobot.state import COLLECTIONS, CobotSide, Space
from tests.simulator.cobot.subscriptions import is_web_address, shown
from tests.simulator.cobot.world import SPACE_KEYS, check_spaces_exist, set_space_field
from tests.simulator.control import json_object
from tests.simulator.errors import WorldError
from tests.simulator.simulator import Simulator

KINDS = "<any(memberships, teams, contacts, invoices):kind>"


def cobot_control_blueprint(simulator: Simulator) -> Blueprint:
    """Return the routes below /_control/cobot."""
    bp = Blueprint("cobot_control", __name__)

    def side() -> CobotSide:
        return simulator.world.cobot

    def space_named(subdomain: str) -> Space:
        space = side().space_by_subdomain(subdomain)
        if space is None:
            raise NotFound(description=f"no space has the subdomain {subdomain}")
        return space

    @bp.post(f"/spaces/<subdomain>/{KINDS}")
    def create(subdomain: str, kind: str) -> Response:
        space = space_named(subdomain)
        item = changes.create(side(), space, kind, json_object())
        announce(space, kind, item["id"], changes.events_of_creation(kind, item))
        return plain(changes.as_shown(simulator, space, kind, item), 201)

    @bp.patch(f"/spaces/<subdomain>/{KINDS}/<id_>")
    def edit(subdomain: str, kind: str, id_: str) -> Response:
        space = space_named(subdomain)
        before = existing(space, kind, id_)
        change = json_object()
        item = changes.edit(side(), space, kind, before, change)
        announce(space, kind, id_, changes.events_of_edit(kind, before, item, change))
        return plain(changes.as_shown(simulator, space, kind, item))

    @bp.delete(f"/spaces/<subdomain>/{KINDS}/<id_>")
    def delete(subdomain: str, kind: str, id_: str) -> Response:
        space = space_named(subdomain)
        existing(space, kind, id_)
        item = side().remove(space, kind, id_)
        event, extra = changes.event_of_deletion(space, kind, item)
        announce(space, kind, id_, [event] if event else [], extra)
        return plain({"deleted": id_})

    @bp.patch("/spaces/<subdomain>")
    def edit_space(subdomain: str) -> Response:
        space = space_named(subdomain)
        allowed = [key for key in SPACE_KEYS if key not in ("id", "subdomain", *COLLECTIONS)]
        set_space_field(space, Fields(json_object(), "body", allowed))
        return plain(next(s for s in simulator.state()["spaces"] if s["id"] == space.id))

    @bp.delete("/spaces/<subdomain>")
    def delete_space(subdomain: str) -> Response:
        space = space_named(subdomain)
        side().remove_space(space)
        return plain({"deleted": space.id})

    @bp.post("/spaces/<subdomain>/accounting_codes")
    def add_accounting_code(subdomain: str) -> Response:
        space = space_named(subdomain)
        code = invoices.accounting_code(json_object(), "body")
        if any(other["name"] == code["name"] for other in space.accounting_codes):
            raise WorldError(f"body.name: {code['name']} is there already")
        space.accounting_codes.append(code)
        return plain(code, 201)

    @bp.patch("/spaces/<subdomain>/accounting_codes")
    def replace_accounting_codes(subdomain: str) -> Response:
        space = space_named(subdomain)
        body: Any = request.get_json(force=True, silent=True)
        given = body if isinstance(body, dict) else {"accounting_codes": body}
        set_space_field(space, Fields(given, "body", ("accounting_codes",)))
        return plain(space.accounting_codes)

    @bp.patch("/spaces/<subdomain>/accounting_codes/<path:name>")
    def edit_accounting_code(subdomain: str, name: str) -> Response:
        code = accounting_code(space_named(subdomain), name)
        code.update(invoices.accounting_code({**code, **json_object()}, "body"))
        return plain(code)

    @bp.delete("/spaces/<subdomain>/accounting_codes/<path:name>")
    def delete_accounting_code(subdomain: str, name: str) -> Response:
        space = space_named(subdomain)
        space.accounting_codes.remove(accounting_code(space, name))
        return plain({"deleted": name})

    @bp.patch("/spaces/<subdomain>/subscriptions/<id_>")
    def edit_subscription(subdomain: str, id_: str) -> Response:
        space = space_named(subdomain)
        subscription = existing(space, "subscriptions", id_)
        given = Fields(json_object(), "body", ("active", "callback_url"))
        address = given.text("callback_url", subscription.callback_url)
        if not is_web_address(address):
            raise given.fail("callback_url", "a web address")
        subscription.active = given.flag("active", default=subscription.active)
        subscription.callback_url = address
        return plain(shown(subscription, simulator.addresses.cobot_space(subdomain)))

    @bp.delete("/spaces/<subdomain>/subscriptions/<id_>")
    def delete_subscription(subdomain: str, id_: str) -> Response:
        space = space_named(subdomain)
        existing(space, "subscriptions", id_)
        del space.subscriptions[id_]
        return plain({"deleted": id_})

    @bp.patch("/users/<id_>")
    def edit_user(id_: str) -> Response:
        user = side().users.get(id_)
        if user is None:
            raise NotFound(description=f"no user has the id {id_}")
        given = Fields(json_object(), "body", ("admin_of", "email", "name"))
        admin_of = given.texts("admin_of") if given.has("admin_of") else user.admin_of
        check_spaces_exist(side(), admin_of, "body.admin_of")
        user.email, user.name = given.text("email", user.email), given.text("name", user.name)
        user.admin_of = admin_of
        return plain(
            {"id": user.id, "email": user.email, "name": user.name, "admin_of": user.admin_of}
        )

    @bp.post("/revoke")
    def revoke() -> Response:
        given = Fields(json_object(), "body", ("space", "user"))
        if given.has("space") == given.has("user"):
            raise WorldError("body: either space or user is needed")
        if given.has("user"):
            if given.text("user") not in side().users:
                raise NotFound(description=f"no user has the id {given.text('user')}")
            return plain({"revoked": side().tokens.revoke_user(given.text("user"))})
        name = given.text("space")
        space = side().spaces.get(name) or space_named(name)
        return plain({"revoked": side().tokens.revoke_space(space.id)})

    def existing(space: Space, kind: str, id_: str) -> Any:
        found = getattr(space, kind).get(id_)
        if found is None:
            raise NotFound(description=f"{kind} of this space have no id {id_}")
        return found

    def accounting_code(space: Space, name: str) -> Json:
        for code in space.accounting_codes:
            if code["name"] == name:
                return code
        raise NotFound(description=f"no accounting code of this space is named {name}")

    def announce(
        space: Space, kind: str, id_: str, events: list[str], extra: Json | None = None
    ) -> None:
        """Fire the webhooks of a change, unless the call says webhook=0."""
        if request.args.get("webhook") != "0":
            for event in events:
                simulator.webhooks.fire(space, event, kind, id_, extra)

    return bp
