"""What a change of an object does: the object as it is afterwards, and the events that follow."""

from typing import TYPE_CHECKING

from tests.simulator.checks import Fields, Json
from tests.simulator.cobot import invoices, people, shapes
from tests.simulator.cobot.state import CobotSide, Space
from tests.simulator.cobot.world import claim_id
from tests.simulator.errors import WorldError

if TYPE_CHECKING:
    from tests.simulator.simulator import Simulator

# Payments have no event at Cobot, so a new paid status alone tells nobody; writing off does.
SILENT_INVOICE_KEYS = frozenset({"paidStatus", "paidDate", "sentStatus", "eInvoice"})


def create(side: CobotSide, space: Space, kind: str, body: Json) -> Json:
    """Put a new object into its space and return it; raises WorldError."""
    if body.get("id") is not None:
        claim_id(side, kind, str(body["id"]), "body")
    if kind == "invoices":
        _check_related(side, space, body)
    item = _read(side, space, kind, body)
    side.add(space, kind, item)
    if kind == "teams":
        _tell_members(space, item)
    return item


def edit(side: CobotSide, space: Space, kind: str, before: Json, change: Json) -> Json:
    """Change an object and return it; what is not named stays.

    Raises WorldError, and then nothing was changed.
    """
    if "id" in change:
        raise WorldError("body: the id cannot be changed")
    if kind == "invoices":
        _check_related(side, space, change)
        after = invoices.edited(side, space, before, change, "body")
    else:
        wanted = {**before, **change}
        for key in ("address", "billingAddress"):
            if isinstance(change.get(key), dict):
                wanted[key] = _merged_address(before[key], change[key])
        after = _read(side, space, kind, wanted)
    before_kept = dict(before)
    side.objects(space, kind)[before["id"]] = after
    if kind == "teams":
        _tell_members(space, after, before_kept)
    return after


def events_of_creation(kind: str, item: Json) -> list[str]:
    """Return the events of a new object.

    Teams, contacts and members still to be confirmed have none.
    """
    if kind == "invoices":
        return ["created_invoice"]
    if kind == "memberships" and item["confirmed_at"]:
        return ["created_membership", "confirmed_membership"]
    return []


def events_of_edit(kind: str, before: Json, after: Json, change: Json) -> list[str]:
    """Return the events of an edit."""
    events = []
    if kind == "memberships":
        if after["confirmed_at"] and not before["confirmed_at"]:
            events.append("confirmed_membership")
        if after["canceled_to"] and not before["canceled_to"]:
            events.append("canceled_membership")
        if before["canceled_to"] and not after["canceled_to"]:
            events.append("uncanceled_membership")
        if after["plan"] != before["plan"]:
            events.append("changed_membership_plan")
        if set(change) - {"confirmed_at", "canceled_to", "plan"}:
            events.append("updated_membership_details")
    if kind == "invoices":
        if set(change) - SILENT_INVOICE_KEYS:
            events.append("updated_invoice")
        if after["paidStatus"] == "writtenOff" != before["paidStatus"]:
            events.append("wrote_off_invoice")
        if after["sentStatus"] == "sent" != before["sentStatus"]:
            events.append("sent_invoice")
        if after["eInvoice"] and not before["eInvoice"]:
            events.append("requested_e_invoice")
    return events


def event_of_deletion(space: Space, kind: str, item: Json) -> tuple[str | None, Json]:
    """Return the event and what its webhook carries beside the URL.

    That is the whole API 1 object, since it cannot be read any more.
    """
    if kind == "invoices":
        return "deleted_invoice", {"invoice": shapes.invoice_v1(space, item)}
    if kind == "memberships":
        return "deleted_membership", {"membership": item}
    return None, {}


def as_shown(simulator: "Simulator", space: Space, kind: str, item: Json) -> Json:
    """Return the object as Cobot shows it: memberships by API 1, the others by API 2."""
    if kind == "memberships":
        return item
    if kind == "invoices":
        token = simulator.printer.link_token(item["id"])
        return {"data": shapes.invoice_v2(space, item, simulator.addresses, token)}
    show = shapes.team_v2 if kind == "teams" else shapes.contact_v2
    return {"data": show(space, item)}


def _read(side: CobotSide, space: Space, kind: str, body: object) -> Json:
    if kind == "memberships":
        return people.membership(side, space, body, "body")
    if kind == "teams":
        return people.team(side, body, "body")
    if kind == "contacts":
        return people.contact(side, body, "body")
    return invoices.invoice(side, space, body, "body")


def _merged_address(before: Json, change: Json) -> Json:
    """Return the address after a change; the full text follows its parts unless it is given."""
    merged = {**before, **change}
    for key in ("full_address", "fullAddress"):
        if key in before and key not in change:
            del merged[key]
    return merged


def _check_related(side: CobotSide, space: Space, body: Json) -> None:
    """Raise WorldError when a new invoice names a debtor or an invoice that this space has not."""
    debitor, corrected = body.get("debitor"), body.get("correctedInvoice")
    if debitor is not None:
        given = Fields(debitor, "body.debitor", ("type", "id"))
        kind = given.choice("type", invoices.DEBITOR_KINDS, "memberships")
        if side.space_of(kind, given.text("id")) is not space:
            raise WorldError(f"body.debitor: nobody of this space has the id {given.text('id')}")
    if corrected is not None and corrected not in space.invoices:
        raise WorldError(f"body.correctedInvoice: no invoice of this space has the id {corrected}")


def _tell_members(space: Space, team: Json, before: Json | None = None) -> None:
    """Write the team into its members, and out of those who left it."""
    for member in (before or {"members": []})["members"]:
        if member["id"] in space.memberships:
            space.memberships[member["id"]]["team_id"] = None
    for member in team["members"]:
        if member["id"] in space.memberships:
            space.memberships[member["id"]]["team_id"] = team["id"]
