"""Calls about the client itself: version, booking accounts, cost centres, check accounts, fixed
lists."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response, request

from tests.simulator.sevdesk import contacts, countries, tax_rules
from tests.simulator.sevdesk.accounts import Account, till
from tests.simulator.sevdesk.exchange import (
    ApiError,
    bad_request,
    body_of_request,
    current_client,
    envelope,
    page,
)
from tests.simulator.sevdesk.fields import moment, reference


def register(blueprint: Blueprint) -> None:
    """Add the calls to the API."""
    blueprint.get("/Tools/bookkeepingSystemVersion")(bookkeeping_system_version)
    blueprint.get("/ReceiptGuidance/forRevenue")(guidance_for_revenue)
    blueprint.get("/ReceiptGuidance/forExpense")(guidance_for_expense)
    blueprint.get("/ReceiptGuidance/forAllAccounts")(guidance_for_all_accounts)
    blueprint.get("/ReceiptGuidance/forTaxRule")(guidance_for_tax_rule)
    blueprint.get("/ReceiptGuidance/forAccountNumber")(guidance_for_account_number)
    blueprint.get("/CostCentre")(cost_centres)
    blueprint.post("/CostCentre")(create_cost_centre)
    blueprint.get("/CheckAccount")(check_accounts)
    blueprint.get("/StaticCountry")(static_countries)
    blueprint.get("/Category")(categories)


def bookkeeping_system_version() -> Response:
    return envelope({"version": current_client().version})


def guidance_for_revenue() -> Response:
    return _guidance(each for each in _accounts() if "REVENUE" in each.types)


def guidance_for_expense() -> Response:
    return _guidance(each for each in _accounts() if "EXPENSE" in each.types)


def guidance_for_all_accounts() -> Response:
    return _guidance(_accounts())


def guidance_for_tax_rule() -> Response:
    code = request.args.get("taxRule", "")
    ids = {rule.id for rule in tax_rules.VOUCHER_RULES.values() if rule.code == code}
    fitting = [each for each in _accounts() if ids & set(each.rules)]
    if not fitting:
        raise ApiError(422, "No account guides were found for the requested tax rule.")
    return _guidance(fitting)


def guidance_for_account_number() -> Response:
    number = request.args.get("accountNumber", "")
    fitting = [each for each in _accounts() if each.number == number]
    if not fitting:
        raise ApiError(422, "The account you requested could not be found.")
    return _guidance(fitting)


def cost_centres() -> Response:
    client = current_client()
    rows = [each.to_json(client.id, moment(client.since)) for each in client.cost_centres.values()]
    return page(rows)


def create_cost_centre() -> Response:
    client, body = current_client(), body_of_request()
    if not body.get("name") or not body.get("number"):
        raise bad_request("A cost centre needs a name and a number")
    centre = client.put_cost_centre(
        {"name": str(body["name"]), "number": str(body["number"])}, "body"
    )
    return envelope(centre.to_json(client.id, moment(client.since)), 201)


def check_accounts() -> Response:
    client = current_client()
    return page([till(moment(client.since)) | {"sevClient": reference(client.id, "SevClient")}])


def static_countries() -> Response:
    """List the countries, or those of one code; "GB" has three rows."""
    code = request.args.get("code")
    client_id = current_client().id
    rows = [row for row in countries.rows() if code is None or row["code"] == code.lower()]
    return page([row | {"sevClient": reference(client_id, "SevClient")} for row in rows])


def categories() -> Response:
    kinds = {"ContactAddress": contacts.ADDRESS_CATEGORIES, "Contact": contacts.CATEGORIES}
    wanted = request.args.get("objectType")
    client_id = current_client().id
    rows = [
        {
            "id": row_id,
            "objectName": "Category",
            "name": name,
            "objectType": kind,
            "sevClient": reference(client_id, "SevClient"),
        }
        for kind, names in kinds.items()
        if wanted in (None, kind)
        for row_id, name in names.items()
    ]
    return page(rows)


def _accounts() -> list[Account]:
    return list(current_client().accounts.values())


def _guidance(accounts: Iterable[Account]) -> Response:
    """Return the rows; this table alone has no sevClient and no paging."""
    return envelope([each.guidance() for each in accounts])
