"""Memberships in API 1: lists and the writing of a few fields."""

from datetime import date

from tests.simulator.checks import Json
from tests.simulator.cobot.addresses import member_address
from tests.simulator.cobot.people import DAY_FORMAT
from tests.simulator.cobot.state import Space
from tests.simulator.errors import WorldError

NULLABLE_TEXTS = ("phone", "email", "tax_id")


def current(space: Space, ids: str | None, attributes: str | None) -> list[Json]:
    """Return all current members, narrowed by comma-separated ids and attributes."""
    today = space.today().strftime(DAY_FORMAT)
    members = [
        member
        for member in space.memberships.values()
        if member["confirmed_at"]
        and (member["canceled_to"] is None or member["canceled_to"] >= today)
    ]
    if ids is not None:
        members = [member for member in members if member["id"] in ids.split(",")]
    if attributes is None:
        return members
    keys = {"id", *attributes.split(",")}
    return [{key: value for key, value in member.items() if key in keys} for member in members]


def cancelled(space: Space, first: date, last: date) -> list[Json]:
    """Return the members whose membership ends between the two days, both included."""
    start, end = first.strftime(DAY_FORMAT), last.strftime(DAY_FORMAT)
    return [
        m
        for m in space.memberships.values()
        if m["canceled_to"] and start <= m["canceled_to"] <= end
    ]


def write(member: Json, body: Json) -> dict[str, str]:
    """Change the given fields of a member; returns what is wrong, and then nothing was changed."""
    if not body:
        return {"base": "is empty"}
    errors = {key: "is invalid" for key, value in body.items() if not _fits(member, key, value)}
    if errors:
        return errors
    changes = dict(body)
    if changes.get("customer_number") is not None:
        changes["customer_number"] = str(changes["customer_number"])
    if "address" in changes:
        changes["address"] = member_address({**member["address"], **changes["address"]}, "address")
    member.update(changes)
    return {}


def _fits(member: Json, key: str, value: object) -> bool:
    """Say whether this field may be written with this value; fields not listed here may not."""
    if key == "customer_number":
        return value is None or _is_number_text(value)
    if key in NULLABLE_TEXTS:
        return value is None or isinstance(value, str)
    if key == "name":
        return isinstance(value, str) and bool(value.strip())
    if key == "charge_taxes":
        return isinstance(value, bool)
    if key == "address" and isinstance(value, dict):
        try:
            member_address({**member["address"], **value}, "address")
        except WorldError:
            return False
        return True
    return False


def _is_number_text(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and bool(value.strip())
    )
