"""Memberships, teams and contacts: read strictly, with what was left out filled in."""

from datetime import UTC, date, datetime
from typing import Any

from tests.simulator.checks import Fields, Json, decimal_text
from tests.simulator.cobot.addresses import contact_address, invoice_address, member_address
from tests.simulator.cobot.state import CobotSide, Space
from tests.simulator.errors import WorldError

MEMBERSHIP_KEYS = (
    "id",
    "name",
    "email",
    "phone",
    "user",
    "address",
    "billing_emails",
    "charge_taxes",
    "customer_number",
    "team_id",
    "tax_id",
    "plan",
    "payment_method",
    "confirmed_at",
    "starts_at",
    "canceled_to",
    "next_invoice_at",
)
PLAN_KEYS = (
    "name",
    "description",
    "currency",
    "cycle_duration",
    "total_price_per_cycle",
    "accounting_code",
)
TEAM_KEYS = (
    "id",
    "name",
    "billingAddress",
    "billingEmails",
    "taxId",
    "customerNumber",
    "photo",
    "members",
)
CONTACT_KEYS = ("id", "email", "phone", "address", "photo", "membership")
TIME_FORMAT = "%Y/%m/%d %H:%M:%S +0000"
DAY_FORMAT = "%Y/%m/%d"


def membership(side: CobotSide, space: Space, value: object, where: str) -> Json:
    """Return a membership in API 1's shape with every key.

    A customer number that was left out is the space's next one, as Cobot gives it; null stays.
    """
    given = Fields(value, where, MEMBERSHIP_KEYS)
    address = member_address(given.raw("address", {}), f"{where}.address")
    id_ = given.text("id") or side.new_id("memberships", "mem")
    now = datetime.now(UTC).strftime(TIME_FORMAT)
    started = space.today().strftime(DAY_FORMAT)
    email = given.optional_text("email")
    return {
        "id": id_,
        "name": given.text("name") or address["name"] or address["company"] or f"Mitglied {id_}",
        "email": email,
        "phone": given.optional_text("phone"),
        "user": _user(given),
        "address": address,
        "billing_emails": given.texts("billing_emails") or ([email] if email else []),
        "charge_taxes": given.flag("charge_taxes", default=True),
        "customer_number": (
            given.optional_text("customer_number")
            if given.has("customer_number")
            else next_customer_number(space)
        ),
        "team_id": given.optional_text("team_id"),
        "tax_id": given.optional_text("tax_id"),
        "plan": _plan(given),
        "payment_method": _payment_method(given),
        "confirmed_at": moment(given.optional_text("confirmed_at", now), f"{where}.confirmed_at"),
        "starts_at": day(given.optional_text("starts_at", started), f"{where}.starts_at"),
        "canceled_to": day(given.optional_text("canceled_to"), f"{where}.canceled_to"),
        "next_invoice_at": day(given.optional_text("next_invoice_at"), f"{where}.next_invoice_at"),
    }


def team(side: CobotSide, value: object, where: str) -> Json:
    """Return a team in API 2's attributes with id and members.

    The customer number is never null there: null is taken as an empty one.
    """
    given = Fields(value, where, TEAM_KEYS)
    id_ = given.text("id") or side.new_id("teams", "team")
    address = invoice_address(given.raw("billingAddress", {}), f"{where}.billingAddress")
    members = []
    for place, entry in enumerate(given.many("members")):
        member = Fields(entry, f"{where}.members[{place}]", ("id", "role"))
        members.append(
            {"id": member.text("id"), "role": member.choice("role", ("paying", "paid"), "paid")}
        )
    number = given.optional_text("customerNumber") if given.has("customerNumber") else f"t-{id_}"
    return {
        "id": id_,
        "name": given.text("name") or address["company"] or f"Team {id_}",
        "billingAddress": address,
        "billingEmails": given.texts("billingEmails"),
        "taxId": given.optional_text("taxId"),
        "customerNumber": number or "",
        "photo": _photo(given),
        "members": members,
    }


def contact(side: CobotSide, value: object, where: str) -> Json:
    """Return a contact (a customer who is no member) in API 2's attributes with its id."""
    given = Fields(value, where, CONTACT_KEYS)
    return {
        "id": given.text("id") or side.new_id("contacts", "con"),
        "email": given.optional_text("email"),
        "phone": given.optional_text("phone"),
        "address": contact_address(given.raw("address", {}), f"{where}.address"),
        "photo": _photo(given),
        "membership": given.optional_text("membership"),
    }


def next_customer_number(space: Space) -> str:
    """Return the number Cobot gives to the next member of a space: counted up from 1."""
    taken = {member["customer_number"] for member in space.memberships.values()}
    number = space.last_numbers.get("customer", 0)
    while True:
        number += 1
        if str(number) not in taken:
            space.last_numbers["customer"] = number
            return str(number)


def moment(value: str | None, where: str) -> str | None:
    """Return a time as API 1 writes it, in UTC; ISO 8601 is taken too."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value.replace("/", "-").replace(" +", "+"))
    except ValueError:
        raise WorldError(f"{where}: a time is needed") from None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime(TIME_FORMAT)


def day(value: str | None, where: str) -> str | None:
    """Return a day as API 1 writes it; ISO 8601 is taken too."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value.replace("/", "-")).strftime(DAY_FORMAT)
    except ValueError:
        raise WorldError(f"{where}: a day is needed") from None


def _photo(given: Fields) -> Json | None:
    value = given.raw("photo")
    if value is None:
        return None
    sizes = Fields(value, f"{given.where}.photo", ("thumb", "small", "large", "xlarge", "hd"))
    for size in value:
        Fields(sizes.raw(size), f"{sizes.where}.{size}", ("url", "width", "height"))
    return dict(value)


def _user(given: Fields) -> Json | None:
    value = given.raw("user")
    if value is None:
        return None
    user = Fields(value, f"{given.where}.user", ("id", "email"))
    return {"id": user.text("id"), "email": user.optional_text("email")}


def _plan(given: Fields) -> Json:
    value: Any = given.raw("plan")
    plan = Fields({} if value is None else value, f"{given.where}.plan", PLAN_KEYS)
    cycle = plan.raw("cycle_duration", 1)
    if not isinstance(cycle, int):
        raise plan.fail("cycle_duration", "a whole number")
    price = plan.raw("total_price_per_cycle", "0.0")
    return {
        "name": plan.text("name", "Flex"),
        "description": plan.optional_text("description"),
        "currency": plan.text("currency", "EUR"),
        "cycle_duration": cycle,
        "total_price_per_cycle": decimal_text(price, f"{plan.where}.total_price_per_cycle"),
        "accounting_code": plan.optional_text("accounting_code"),
    }


def _payment_method(given: Fields) -> Json | None:
    value = given.raw("payment_method")
    if value is None:
        return None
    return {"name": Fields(value, f"{given.where}.payment_method", ("name",)).text("name")}
