"""api.cobot.me: API 2, which follows JSON API."""

from collections.abc import Callable

from flask import Blueprint, Response, request

from tests.simulator.checks import Json
from tests.simulator.cobot import shapes
from tests.simulator.cobot.access import Access, Refusal, refuse
from tests.simulator.cobot.answers import JSON_API, document, document_refusal
from tests.simulator.cobot.lists import asked_days, chosen_invoices, page
from tests.simulator.cobot.state import CobotSide, Space
from tests.simulator.cobot.urls import space_urls
from tests.simulator.simulator import Simulator

INCLUDABLE = ("adminOf", "memberOf", "memberships")


def api2_blueprint(simulator: Simulator, access: Access) -> Blueprint:
    """Return the routes below the base of api.cobot.me."""
    bp = Blueprint("cobot_api", __name__)
    bp.register_error_handler(Refusal, document_refusal)

    def side() -> CobotSide:
        return simulator.world.cobot

    @bp.before_request
    def check_accept() -> None:
        if not request.path.endswith(".pdf") and JSON_API not in request.headers.get("Accept", ""):
            refuse(406, f"send the header Accept: {JSON_API}")

    def show_invoice(space: Space, invoice: Json) -> Json:
        token = simulator.printer.link_token(invoice["id"])
        return shapes.invoice_v2(space, invoice, simulator.addresses, token)

    def one(kind: str, id_: str, scope: str, show: Callable[[Space, Json], Json]) -> Response:
        """Answer with one object.

        A space's token reads what its person may read in other spaces too, as Cobot describes it.
        """
        token = access.caller(scope)
        space = access.enter(token, side().space_of(kind, id_), own_space_only=False)
        return document({"data": show(space, side().objects(space, kind)[id_])})

    def many(space_id: str, scope: str) -> Space:
        return access.enter(access.caller(scope), side().spaces.get(space_id))

    @bp.get("/user")
    def user() -> Response:
        token = access.caller("read_user")
        wanted = [name for name in request.args.get("include", "").split(",") if name]
        if not set(wanted) <= set(INCLUDABLE):
            refuse(422, "is not included in the list", "include")
        if {"adminOf", "memberOf"} & set(wanted) and "read_spaces" not in token.scopes:
            refuse(403, "the scope read_spaces is missing")
        if "memberships" in wanted and "read_memberships" not in token.scopes:
            refuse(403, "the scope read_memberships is missing")
        person = access.person_of(token)
        if person is None:
            refuse(403, "nobody stands behind this token")
        mine = [
            (space, member)
            for space in side().spaces.values()
            for member in space.memberships.values()
            if member["user"] and member["user"]["id"] == person.id
        ]
        related = {
            "adminOf": [shapes.space_v2(side().spaces[id_]) for id_ in person.admin_of],
            "memberOf": [shapes.space_v2(space) for space, _ in mine],
            "memberships": [shapes.membership_v2(space, member) for space, member in mine],
        }
        answer: Json = {
            "data": {
                "id": person.id,
                "type": "users",
                "attributes": {"email": person.email},
                "relationships": {
                    name: {
                        "data": [
                            {"id": entry["id"], "type": entry["type"]} for entry in related[name]
                        ]
                    }
                    for name in wanted
                },
            }
        }
        if wanted:
            included = {
                (entry["type"], entry["id"]): entry for name in wanted for entry in related[name]
            }
            answer["included"] = list(included.values())
        return document(answer)

    @bp.get("/invoices/<id_>")
    def invoice(id_: str) -> Response:
        return one("invoices", id_, "read_invoices", show_invoice)

    @bp.get("/invoices/<id_>.pdf")
    def invoice_pdf(id_: str) -> Response:
        space = side().space_of("invoices", id_)
        link_token = request.args.get("token")
        if link_token is None:
            space = access.enter(access.caller("read_invoices"), space, own_space_only=False)
        elif space is None or not simulator.printer.is_link_token(id_, link_token):
            refuse(404, "not found")
        sender = shapes.sender_address(space)
        with_payment = request.args.get("e_invoice") != "true"
        content = simulator.printer.print_invoice(
            sender, space.invoices[id_], with_payment=with_payment
        )
        return Response(content, content_type="application/pdf")

    @bp.get("/spaces/<space_id>/invoices")
    def space_invoices(space_id: str) -> Response:
        space = many(space_id, "read_invoices")
        return page(chosen_invoices(space), lambda entry: show_invoice(space, entry))

    @bp.get("/spaces/<space_id>/invoices/search")
    def search_invoices(space_id: str) -> Response:
        space = many(space_id, "read_invoices")
        text = request.args.get("filter[query]", "").casefold()
        if not text:
            refuse(422, "can't be blank", "filter[query]")
        hits = [entry for entry in space.invoices.values() if text in _searched(entry).casefold()]
        return page(hits, lambda entry: show_invoice(space, entry))

    @bp.get("/memberships/<id_>")
    def membership(id_: str) -> Response:
        return one("memberships", id_, "read_memberships", shapes.membership_v2)

    @bp.get("/spaces/<space_id>/memberships")
    def space_memberships(space_id: str) -> Response:
        space = many(space_id, "read_memberships")
        first, last = (day.replace("-", "/") for day in asked_days(required=True))
        here = [
            member
            for member in space.memberships.values()
            if member["starts_at"] <= last and (member["canceled_to"] or last) >= first
        ]
        return page(here, lambda entry: shapes.membership_v2(space, entry))

    @bp.get("/teams/<id_>")
    def team(id_: str) -> Response:
        return one("teams", id_, "read_teams", shapes.team_v2)

    @bp.get("/spaces/<space_id>/teams")
    def space_teams(space_id: str) -> Response:
        space = many(space_id, "read_teams")
        asked_days(required=True)
        return page(list(space.teams.values()), lambda entry: shapes.team_v2(space, entry))

    @bp.get("/contacts/<id_>")
    def contact(id_: str) -> Response:
        return one("contacts", id_, "read_contacts", shapes.contact_v2)

    @bp.get("/spaces/<space_id>/contacts")
    def space_contacts(space_id: str) -> Response:
        space = many(space_id, "read_contacts")
        return page(list(space.contacts.values()), lambda entry: shapes.contact_v2(space, entry))

    @bp.get("/spaces/<space_id>/urls")
    def urls(space_id: str) -> Response:
        space = many(space_id, "read_urls")
        return document(
            {"data": space_urls(space, simulator.addresses.cobot_space(space.subdomain))}
        )

    return bp


def _searched(invoice: Json) -> str:
    recipient = invoice["recipientAddress"]
    texts = [invoice["number"], recipient["name"], recipient["company"]]
    texts += [item["description"] for item in invoice["items"]]
    return "\n".join(filter(None, texts))
