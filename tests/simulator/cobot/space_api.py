"""<subdomain>.cobot.me: API 1 inside one space."""

from datetime import date

from flask import Blueprint, Response, request

from tests.simulator.checks import Json
from tests.simulator.cobot import activities, members_v1, subscriptions
from tests.simulator.cobot.access import Access, Refusal, refuse
from tests.simulator.cobot.answers import body_fields, plain, plain_refusal
from tests.simulator.cobot.shapes import invoice_v1
from tests.simulator.cobot.state import Space
from tests.simulator.cobot.tokens import Token
from tests.simulator.simulator import Simulator


def space_blueprint(simulator: Simulator, access: Access) -> Blueprint:
    """Return the routes below the base of a space; its subdomain stands first in the address."""
    bp = Blueprint("cobot_space", __name__)
    bp.register_error_handler(Refusal, plain_refusal)

    def enter(subdomain: str, scope: str) -> tuple[Space, Token]:
        token = access.caller(scope)
        return access.enter(token, simulator.world.cobot.space_by_subdomain(subdomain)), token

    @bp.get("/<subdomain>/api/memberships")
    def list_memberships(subdomain: str) -> Response:
        space, _ = enter(subdomain, "read_memberships")
        return plain(
            members_v1.current(space, request.args.get("ids"), request.args.get("attributes"))
        )

    @bp.get("/<subdomain>/api/memberships/cancellations")
    def cancellations(subdomain: str) -> Response:
        space, _ = enter(subdomain, "read_memberships")
        first, last = required_day("from"), required_day("to")
        return plain(members_v1.cancelled(space, first, last))

    @bp.get("/<subdomain>/api/memberships/<id_>")
    def membership(subdomain: str, id_: str) -> Response:
        space, _ = enter(subdomain, "read_memberships")
        return plain(found(space.memberships, id_))

    @bp.put("/<subdomain>/api/memberships/<id_>")
    def write_membership(subdomain: str, id_: str) -> Response:
        space, _ = enter(subdomain, "write_memberships")
        member = found(space.memberships, id_)
        errors = members_v1.write(member, body_fields())
        if errors:
            return plain({"errors": errors}, 422)
        simulator.webhooks.fire(space, "updated_membership_details", "memberships", id_)
        return plain(member)

    @bp.get("/<subdomain>/api/accounting_codes")
    def accounting_codes(subdomain: str) -> Response:
        space, _ = enter(subdomain, "read_accounting_codes")
        return plain(space.accounting_codes)

    @bp.get("/<subdomain>/api/invoice_settings")
    def invoice_settings(subdomain: str) -> Response:
        space, _ = enter(subdomain, "read_invoice_settings")
        return plain({"accounting_codes": bool(space.accounting_codes)})

    @bp.get("/<subdomain>/api/invoices")
    def list_invoices(subdomain: str) -> Response:
        space, _ = enter(subdomain, "read_invoices")
        if "ids" in request.args:
            wanted = request.args["ids"].split(",")
            return plain(
                [invoice_v1(space, space.invoices[id_]) for id_ in wanted if id_ in space.invoices]
            )
        first, last = required_day("from").isoformat(), required_day("to").isoformat()
        in_time = [i for i in space.invoices.values() if first <= i["invoiceDate"] <= last]
        return plain([invoice_v1(space, invoice) for invoice in in_time])

    @bp.get("/<subdomain>/api/invoices/<id_>")
    def invoice(subdomain: str, id_: str) -> Response:
        space, _ = enter(subdomain, "read_invoices")
        return plain(invoice_v1(space, found(space.invoices, id_)))

    @bp.get("/<subdomain>/api/activities")
    def list_activities(subdomain: str) -> Response:
        space, _ = enter(subdomain, "read_activities")
        return plain(
            [activities.shown(activity) for activity in activities.filtered(space, request.args)]
        )

    @bp.post("/<subdomain>/api/activities")
    def post_activity(subdomain: str) -> Response:
        space, _ = enter(subdomain, "write_activities")
        activity, errors = activities.new_activity(space, body_fields())
        if activity is None:
            return plain({"errors": errors}, 422)
        space.activities.append(activity)
        return plain(activities.shown(activity), 201)

    @bp.get("/<subdomain>/api/subscriptions")
    def list_subscriptions(subdomain: str) -> Response:
        space, token = enter(subdomain, "read_subscriptions")
        mine = [s for s in space.subscriptions.values() if s.client_id == token.client_id]
        return plain([subscriptions.shown(s, base(subdomain)) for s in mine])

    @bp.post("/<subdomain>/api/subscriptions")
    def subscribe(subdomain: str) -> Response:
        space, token = enter(subdomain, "write_subscriptions")
        subscription = subscriptions.subscribe(space, token.client_id, body_fields())
        return plain(subscriptions.shown(subscription, base(subdomain)), 201)

    @bp.get("/<subdomain>/api/subscriptions/<id_>")
    def subscription(subdomain: str, id_: str) -> Response:
        space, token = enter(subdomain, "read_subscriptions")
        return plain(
            subscriptions.shown(subscriptions.own(space, token.client_id, id_), base(subdomain))
        )

    @bp.delete("/<subdomain>/api/subscriptions/<id_>")
    def unsubscribe(subdomain: str, id_: str) -> Response:
        space, token = enter(subdomain, "write_subscriptions")
        del space.subscriptions[subscriptions.own(space, token.client_id, id_).id]
        return Response(status=204)

    def base(subdomain: str) -> str:
        return simulator.addresses.cobot_space(subdomain)

    return bp


def found(objects: dict[str, Json], id_: str) -> Json:
    """Return the object with this id, or end the call with 404."""
    if id_ not in objects:
        refuse(404, "not found")
    return objects[id_]


def required_day(name: str) -> date:
    """Return a day from the query, or end the call with 422."""
    try:
        return date.fromisoformat(request.args.get(name, "").replace("/", "-"))
    except ValueError:
        refuse(422, "is not a date", name)
