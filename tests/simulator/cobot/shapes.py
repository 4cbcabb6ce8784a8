"""How Cobot shows its objects: API 2 resources and API 1 objects."""

from datetime import date, timedelta
from decimal import Decimal

from tests.simulator.checks import Json
from tests.simulator.cobot import money
from tests.simulator.cobot.state import CobotSide, Space, User
from tests.simulator.options import Addresses


def _link(id_: str, kind: str) -> Json:
    return {"data": {"id": id_, "type": kind}}


def _iso_day(api_1_day: str | None) -> str | None:
    return api_1_day[:10].replace("/", "-") if api_1_day else None


def invoice_v2(space: Space, invoice: Json, addresses: Addresses, pdf_token: str) -> Json:
    """Return the resource object of an invoice. A line already paid is not payable any more."""
    total = Decimal(invoice["totalAmount"]["gross"])
    paid = sum(
        (Decimal(i["totalAmount"]["gross"]) for i in invoice["items"] if i["paid"]), Decimal(0)
    )
    if invoice["paidStatus"] == "paid":
        paid = total
    has_e_invoice = invoice["eInvoice"]
    api = addresses.cobot_api
    relationships: Json = {
        "space": _link(space.id, "spaces"),
        "paymentMethods": {"links": {"related": f"{api}/invoices/{invoice['id']}/payment_methods"}},
    }
    debitor = invoice["debitor"]
    if debitor:
        relationships["debitor"] = _link(debitor["id"], debitor["type"])
        relationships[debitor["type"].removesuffix("s")] = _link(debitor["id"], debitor["type"])
    if invoice["correctedInvoice"]:
        relationships["correctedInvoice"] = _link(invoice["correctedInvoice"], "invoices")
    return {
        "id": invoice["id"],
        "type": "invoices",
        "attributes": {
            "number": invoice["number"],
            "invoiceDate": invoice["invoiceDate"],
            "dueDate": invoice["dueDate"],
            "remindAt": remind_at(invoice),
            "paidDate": invoice["paidDate"],
            "paidStatus": invoice["paidStatus"],
            "sentStatus": invoice["sentStatus"],
            "reminderStatus": "notSent",
            "sentRemindersCount": 0,
            "lastReminderSentAt": None,
            "customerNumber": invoice["customerNumber"],
            "taxId": invoice["taxId"],
            "senderTaxId": sender_tax_id(space),
            "billingEmails": invoice["billingEmails"],
            "canUpdate": not has_e_invoice,
            "eInvoicingReady": False,
            "invoiceText": None,
            "notes": None,
            "pdf": {
                "url": f"{api}/invoices/{invoice['id']}.pdf?token={pdf_token}",
                "archived": has_e_invoice,
                "eInvoice": has_e_invoice,
                "eInvoiceStandard": "ZUGFeRD" if has_e_invoice else None,
            },
            "recipientAddress": invoice["recipientAddress"],
            "senderAddress": sender_address(space),
            "items": invoice["items"],
            "payableAmount": money.show(total - paid),
            "paidAmount": money.show(paid if invoice["paidStatus"] == "paid" else Decimal(0)),
            "totalAmount": invoice["totalAmount"],
        },
        "relationships": relationships,
    }


def remind_at(invoice: Json) -> str:
    """Return the day of the first reminder: two weeks after the due date."""
    return (date.fromisoformat(invoice["dueDate"]) + timedelta(days=14)).isoformat()


def sender_tax_id(space: Space) -> str:
    """Return the tax id of the space's operator: made up, the same for every space of a country."""
    return f"{space.country_code}123456789"


def sender_address(space: Space) -> Json:
    """Return the address of the space's operator, made up."""
    return {
        "name": None,
        "company": f"{space.name} GmbH",
        "fullAddress": "Lindenstraße 20\n10969 Berlin",
        "street": "Lindenstraße 20",
        "postCode": "10969",
        "city": "Berlin",
        "state": None,
        "countryCode": space.country_code,
    }


def membership_v2(space: Space, member: Json) -> Json:
    """Return the thin resource object of a membership."""
    relationships: Json = {"space": _link(space.id, "spaces")}
    if member["team_id"]:
        relationships["team"] = _link(member["team_id"], "teams")
    return {
        "id": member["id"],
        "type": "memberships",
        "attributes": {
            "name": member["name"],
            "email": member["email"],
            "phone": member["phone"],
            "company": member["address"]["company"],
            "confirmedAt": _iso_day(member["confirmed_at"]),
            "canceledAt": _iso_day(member["canceled_to"]),
            "photo": None,
        },
        "relationships": relationships,
    }


def team_v2(space: Space, team: Json) -> Json:
    """Return the resource object of a team."""
    attributes = {key: value for key, value in team.items() if key not in ("id", "members")}
    return {
        "id": team["id"],
        "type": "teams",
        "attributes": attributes,
        "relationships": {"space": _link(space.id, "spaces")},
    }


def contact_v2(space: Space, contact: Json) -> Json:
    """Return the resource object of a contact."""
    attributes = {key: value for key, value in contact.items() if key not in ("id", "membership")}
    membership = contact["membership"]
    return {
        "id": contact["id"],
        "type": "contacts",
        "attributes": attributes,
        "relationships": {
            "space": _link(space.id, "spaces"),
            "membership": _link(membership, "memberships") if membership else {"data": None},
        },
    }


def space_v2(space: Space) -> Json:
    """Return a space as it is included with a user."""
    return {
        "id": space.id,
        "type": "spaces",
        "attributes": {
            "name": space.name,
            "subdomain": space.subdomain,
            "countryCode": space.country_code,
            "locale": space.locale,
            "timeZone": space.time_zone,
        },
    }


def space_v1(space: Space, addresses: Addresses) -> Json:
    """Return a space as API 1 shows it to anybody."""
    return {
        "id": space.id,
        "subdomain": space.subdomain,
        "name": space.name,
        "locale": space.locale,
        "country": {"DE": "Germany", "AT": "Austria", "CH": "Switzerland"}.get(
            space.country_code, space.country_code
        ),
        "time_zone_name": space.time_zone,
        "url": addresses.cobot_space(space.subdomain),
    }


def user_v1(side: CobotSide, user: User, addresses: Addresses) -> Json:
    """Return a user with the spaces they are an admin or a member of."""

    def entry(space: Space, name: str) -> Json:
        return {
            "space_subdomain": space.subdomain,
            "space_name": space.name,
            "space_link": f"{addresses.cobot_www}/api/spaces/{space.subdomain}",
            "name": name,
        }

    memberships = [
        {"id": member["id"], **entry(space, member["name"])}
        for space in side.spaces.values()
        for member in space.memberships.values()
        if member["user"] and member["user"]["id"] == user.id
    ]
    admin_of = [entry(side.spaces[id_], user.name) for id_ in user.admin_of]
    return {"id": user.id, "email": user.email, "memberships": memberships, "admin_of": admin_of}


def invoice_v1(space: Space, invoice: Json) -> Json:
    """Return an invoice in API 1's shape, which knows one tax per line and numbers as integers."""
    debitor = invoice["debitor"] or {"type": None, "id": None}
    address, number = invoice["recipientAddress"], invoice["customerNumber"]
    sender = sender_address(space)
    return {
        "id": invoice["id"],
        "created_at": invoice["invoiceDate"].replace("-", "/"),
        "due_date": invoice["dueDate"].replace("-", "/"),
        "paid_at": invoice["paidDate"].replace("-", "/") if invoice["paidDate"] else None,
        "charge_at": None,
        "currency": invoice["totalAmount"]["currency"],
        "membership_id": debitor["id"] if debitor["type"] == "memberships" else None,
        "contact_id": debitor["id"] if debitor["type"] == "contacts" else None,
        "address": _address_v1(address),
        "space_address": _address_v1(sender),
        "invoice_text": None,
        "tax_name": "USt",
        "tax_id_name": "USt-IdNr",
        "tax_id": invoice["taxId"],
        "invoice_number": _as_integer(invoice["number"].rsplit("-", 1)[-1]),
        "formatted_invoice_number": invoice["number"],
        "customer_number": _as_integer(number),
        "items": [_item_v1(invoice, place) for place in range(len(invoice["items"]))],
    }


def _address_v1(address: Json) -> Json:
    shown = {key: address[key] for key in ("name", "company")}
    return {**shown, "full_address": address["fullAddress"], "country": address["countryCode"]}


def _as_integer(text: str | None) -> int | str | None:
    return int(text) if text and text.isdecimal() else text


def _item_v1(invoice: Json, place: int) -> Json:
    item = invoice["items"][place]
    unit, total = item["amount"], item["totalAmount"]
    debitor = invoice["debitor"] or {}
    cost_centre = item["costCenter"]
    return {
        "id": f"{invoice['id']}-{place + 1}",
        "description": item["description"],
        "paid": item["paid"],
        "quantity": item["quantity"],
        "tax_rate": unit["taxes"][0]["rate"] if unit["taxes"] else "0.0",
        "amount": unit["net"],
        "tax_amount": money.show(Decimal(unit["gross"]) - Decimal(unit["net"])),
        "amount_with_tax": unit["gross"],
        "total_amount": total["net"],
        "total_tax_amount": money.show(Decimal(total["gross"]) - Decimal(total["net"])),
        "total_amount_with_tax": total["gross"],
        "accounting_code": item["accountingCode"],
        "cost_center": cost_centre["number"] if cost_centre else None,
        "membership_id": debitor.get("id") if debitor.get("type") == "memberships" else None,
    }
