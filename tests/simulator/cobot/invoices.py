"""Invoices: what was left out is computed, what is given wins even where it is inconsistent."""

from datetime import date
from decimal import Decimal
from typing import Any

from tests.simulator.checks import Fields, Json, decimal_text
from tests.simulator.cobot import money
from tests.simulator.cobot.addresses import for_invoice, invoice_address
from tests.simulator.cobot.state import CobotSide, Space
from tests.simulator.errors import WorldError

INVOICE_KEYS = (
    "id",
    "number",
    "invoiceDate",
    "dueDate",
    "paidDate",
    "customerNumber",
    "recipientAddress",
    "billingEmails",
    "taxId",
    "items",
    "debitor",
    "correctedInvoice",
    "totalAmount",
    "paidStatus",
    "sentStatus",
    "eInvoice",
)
ITEM_KEYS = (
    "description",
    "quantity",
    "accountingCode",
    "costCenter",
    "revenueAccount",
    "paid",
    "amount",
    "totalAmount",
)
PRICE_KEYS = ("net", "gross", "currency", "taxes")
DEBITOR_KINDS = ("memberships", "teams", "contacts")
PAID_STATUSES = ("unpaid", "paid", "pending", "canceled", "writtenOff")
SENT_STATUSES = ("unsent", "sent", "sending", "sendingRequested", "failedToSend")


def invoice(side: CobotSide, space: Space, value: object, where: str) -> Json:
    """Return an invoice with every key.

    A debtor that is not there is refused only where its number or address is needed, because an
    invoice outlives the member it was made for.
    """
    given = Fields(value, where, INVOICE_KEYS)
    invoice_date = given.day("invoiceDate", space.today())
    debitor = _debitor(given)
    debtor = _debtor(side, space, debitor)
    if (
        debitor is not None
        and debtor is None
        and not (given.has("customerNumber") and given.has("recipientAddress"))
    ):
        raise WorldError(f"{where}.debitor: nobody of this space has the id {debitor['id']}")
    number, address, emails, tax_id = _of_debtor(debitor, debtor)
    if given.has("customerNumber"):
        number = given.optional_text("customerNumber")
    if given.raw("recipientAddress") is not None:
        address = invoice_address(given.raw("recipientAddress"), f"{where}.recipientAddress")
    items = [
        _item(space, entry, f"{where}.items[{place}]")
        for place, entry in enumerate(given.many("items"))
    ]
    paid_status = given.choice("paidStatus", PAID_STATUSES, "unpaid")
    paid_date = given.optional_text("paidDate", invoice_date if paid_status == "paid" else None)
    return {
        "id": given.text("id") or side.new_id("invoices", "inv"),
        "number": given.text("number") or next_number(space, invoice_date),
        "invoiceDate": invoice_date,
        "dueDate": given.day("dueDate", date.fromisoformat(invoice_date)),
        "paidDate": None
        if paid_date is None
        else given.day("paidDate", date.fromisoformat(paid_date)),
        "customerNumber": number,
        "recipientAddress": address,
        "billingEmails": given.texts("billingEmails") if given.has("billingEmails") else emails,
        "taxId": given.optional_text("taxId", tax_id),
        "items": items,
        "debitor": debitor,
        "correctedInvoice": given.optional_text("correctedInvoice"),
        "totalAmount": _document_total(given, items),
        "paidStatus": paid_status,
        "sentStatus": given.choice("sentStatus", SENT_STATUSES, "unsent"),
        "eInvoice": given.flag("eInvoice", default=False),
    }


def edited(side: CobotSide, space: Space, before: Json, change: object, where: str) -> Json:
    """Return the invoice after an edit; new lines bring new totals unless those are given too."""
    changed = Fields(change, where, [key for key in INVOICE_KEYS if key != "id"])
    kept = dict(before)
    if changed.has("items") and not changed.has("totalAmount"):
        del kept["totalAmount"]
    if changed.has("debitor"):
        for key in ("customerNumber", "recipientAddress", "billingEmails", "taxId"):
            del kept[key]
    if changed.has("paidStatus"):
        del kept["paidDate"]
    wanted = {**kept, **(change if isinstance(change, dict) else {})}
    return invoice(side, space, wanted, where)


def next_number(space: Space, invoice_date: str) -> str:
    """Return the number Cobot gives to the space's next invoice: year and a count."""
    year = invoice_date[:4]
    taken = (
        {entry["number"] for entry in space.invoices.values()}
        if not space.last_numbers.get(year)
        else None
    )
    count = space.last_numbers.get(year, 0)
    while True:
        count += 1
        number = f"{year}-{count:04d}"
        if taken is None or number not in taken:
            break
    space.last_numbers[year] = count
    return number


def _debitor(given: Fields) -> Json | None:
    value = given.raw("debitor")
    if value is None:
        return None
    debitor = Fields(value, f"{given.where}.debitor", ("type", "id"))
    return {"type": debitor.choice("type", DEBITOR_KINDS, "memberships"), "id": debitor.text("id")}


def _debtor(side: CobotSide, space: Space, debitor: Json | None) -> Json | None:
    if debitor is None or side.space_of(debitor["type"], debitor["id"]) is not space:
        return None
    return side.objects(space, debitor["type"])[debitor["id"]]


def _of_debtor(
    debitor: Json | None, debtor: Json | None
) -> tuple[str | None, Json, list[str], str | None]:
    """Return customer number, address, billing e-mails and tax id as the debtor has them now."""
    if debitor is None or debtor is None:
        return None, invoice_address({}, ""), [], None
    if debitor["type"] == "memberships":
        return (
            debtor["customer_number"],
            for_invoice(debtor),
            list(debtor["billing_emails"]),
            debtor["tax_id"],
        )
    if debitor["type"] == "teams":
        emails = list(debtor["billingEmails"])
        return debtor["customerNumber"], dict(debtor["billingAddress"]), emails, debtor["taxId"]
    emails = [debtor["email"]] if debtor["email"] else []
    return None, invoice_address(debtor["address"], ""), emails, None


def _item(space: Space, value: object, where: str) -> Json:
    given = Fields(value, where, ITEM_KEYS)
    code = given.optional_text("accountingCode")
    amount, gross_given = _unit_price(space, given, code)
    quantity = given.amount("quantity", "1.0")
    total = money.line_total(amount, quantity, gross_given=gross_given)
    if given.raw("totalAmount") is not None:
        total = _given_price(given.raw("totalAmount"), total, f"{where}.totalAmount")
    return {
        "description": given.text("description", "Flex Desk"),
        "quantity": quantity,
        "accountingCode": code,
        "costCenter": _named(given, "costCenter"),
        "revenueAccount": _named(given, "revenueAccount"),
        "paid": given.flag("paid", default=False),
        "amount": amount,
        "totalAmount": total,
    }


def _unit_price(space: Space, given: Fields, code: str | None) -> tuple[Json, bool]:
    """Return the price of one unit, and whether its gross was given.

    Taxes that were left out are those the space keeps with the accounting code, else none.
    """
    where = f"{given.where}.amount"
    amount = Fields(given.raw("amount", {}), where, PRICE_KEYS)
    rate = space.tax_rate_of(code)
    default: list[Any] = [] if rate is None else [{"name": "USt", "rate": rate}]
    taxes = _taxes(amount.many("taxes") if amount.has("taxes") else default, where)
    net = Decimal(amount.amount("net"))
    gross = Decimal(amount.amount("gross")) if amount.has("gross") else None
    computed = money.priced(net, gross, amount.text("currency", "EUR"), taxes)
    return _given_price(given.raw("amount", {}), computed, where), gross is not None


def _given_price(value: object, computed: Json, where: str) -> Json:
    """Return the computed price with whatever was given in its place."""
    given = Fields(value, where, PRICE_KEYS)
    price = dict(computed)
    for key in ("net", "gross"):
        if given.has(key):
            price[key] = given.amount(key)
    price["currency"] = given.text("currency", computed["currency"])
    if given.has("taxes"):
        before = {(tax["name"], tax["rate"]): tax["amount"] for tax in computed["taxes"]}
        price["taxes"] = [
            {**tax, "amount": tax.get("amount") or before.get((tax["name"], tax["rate"]), "0.0")}
            for tax in _taxes(given.many("taxes"), where)
        ]
    return price


def _taxes(entries: list[Any], where: str) -> list[Json]:
    taxes = []
    for place, entry in enumerate(entries):
        given = Fields(entry, f"{where}.taxes[{place}]", ("name", "rate", "amount"))
        tax: Json = {"name": given.text("name", "USt"), "rate": given.amount("rate")}
        if given.has("amount"):
            tax["amount"] = given.amount("amount")
        taxes.append(tax)
    return taxes


def _named(given: Fields, key: str) -> Json | None:
    value = given.raw(key)
    if value is None:
        return None
    named = Fields(value, f"{given.where}.{key}", ("name", "number"))
    return {"name": named.text("name"), "number": named.text("number")}


def _document_total(given: Fields, items: list[Json]) -> Json:
    total = money.document_total(items)
    if given.raw("totalAmount") is None:
        return total
    return _given_price(given.raw("totalAmount"), total, f"{given.where}.totalAmount")


def accounting_code(value: object, where: str) -> Json:
    """Return an accounting code of a space; its rate may be null."""
    given = Fields(value, where, ("name", "tax_rate"))
    name = given.text("name")
    if not name:
        raise given.fail("name", "a name")
    rate = given.raw("tax_rate")
    return {
        "name": name,
        "tax_rate": None if rate is None else decimal_text(rate, f"{where}.tax_rate"),
    }
