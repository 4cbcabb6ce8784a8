"""What sevdesk refuses when a voucher is saved.

Source: sevdesk's published API description (Voucher, "sevdesk-Update 2.0"); refusals that only its
users report are
refused here with 422 as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from tests.simulator.sevdesk import sums, tax_rules
from tests.simulator.sevdesk.accounts import Account
from tests.simulator.sevdesk.client import DEFAULT_CURRENCY, SevdeskClient
from tests.simulator.sevdesk.exchange import ApiError
from tests.simulator.sevdesk.fields import now, plain, read_date, read_decimal, read_flag
from tests.simulator.sevdesk.files import StoredFile
from tests.simulator.sevdesk.positions import Position
from tests.simulator.sevdesk.vouchers import Voucher

RULE_NOT_ALLOWED = 7100
"""The code sevdesk was seen to give when a tax rule does not fit the account."""


def refused(message: str, code: int | None = None) -> ApiError:
    return ApiError(422, message, code)


def voucher_from_body(client: SevdeskClient, body: Mapping[str, Any]) -> Voucher:
    """Return the voucher that the body of saveVoucher describes; nothing is stored yet.

    Raises ApiError (422).
    """
    header = body.get("voucher")
    if not isinstance(header, dict):
        raise refused("voucher is missing")
    _check_factory_object(header, "voucher", "Voucher")
    lines = body.get("voucherPosSave")
    lines = [] if lines is None else lines
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise refused("voucherPosSave has to be a list of positions")
    _check_version(client, header, lines)
    before = None if header.get("id") is None else _draft(client, str(header["id"]))
    voucher = header_from_body(client, header, before)
    voucher.positions = _kept_positions(before, lines, body.get("voucherPosDelete"))
    voucher.positions += [
        _position(client, voucher, line, index) for index, line in enumerate(lines)
    ]
    if not voucher.positions:
        raise refused("A voucher needs at least one position")
    if len({position.is_net for position in voucher.positions}) > 1:
        raise refused("Positions with net and gross prices must not be mixed in one voucher")
    voucher.file = _file(client, body.get("filename"), before)
    voucher.add_up()
    return voucher


def header_from_body(
    client: SevdeskClient, header: Mapping[str, Any], before: Voucher | None
) -> Voucher:
    """Return a voucher without positions; `before` is the draft that is changed.

    Raises ApiError (422).
    """
    if str(header.get("status")) not in ("50", "100"):
        raise refused("A voucher can only be saved with status 50 or 100")
    if header.get("voucherType") != "VOU":
        raise refused("The voucher type has to be VOU")
    if header.get("creditDebit") not in ("C", "D"):
        raise refused("creditDebit has to be C or D")
    voucher_date = _date(header, "voucherDate")
    if voucher_date is None:
        raise refused("The voucher date is missing")
    supplier = _known(header, "supplier", "Contact", client.contacts)
    supplier_name = str(header.get("supplierName") or "").strip() or None
    if supplier is None and supplier_name is None:
        raise refused("Either supplier or supplierName has to be given")
    voucher = Voucher(
        id=before.id if before else "",
        description=None if header.get("description") is None else str(header["description"]),
        credit_debit=header["creditDebit"],
        status=str(header["status"]),
        voucher_date=voucher_date,
        delivery_date=_date(header, "deliveryDate") or voucher_date,
        delivery_date_until=_date(header, "deliveryDateUntil"),
        payment_deadline=_date(header, "paymentDeadline"),
        pay_date=_date(header, "payDate"),
        tax_rule=_tax_rule(header),
        supplier=supplier,
        supplier_name=supplier_name,
        cost_centre=_known(header, "costCentre", "CostCentre", client.cost_centres),
    )
    if before is not None:
        voucher = replace(
            voucher,
            created=before.created,
            updated=now(),
            file=before.file,
            paid_amount=before.paid_amount,
        )
    _set_currency(voucher, header)
    return voucher


def body_of_draft(voucher: Voucher, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header as somebody would send it to save this draft with the changes."""

    def day(value: date | None) -> str | None:
        return None if value is None else value.isoformat()

    def thing(identifier: str | None, name: str) -> dict[str, str] | None:
        return None if identifier is None else {"id": identifier, "objectName": name}

    return {
        "description": voucher.description,
        "voucherType": voucher.voucher_type,
        "creditDebit": voucher.credit_debit,
        "status": voucher.status,
        "voucherDate": day(voucher.voucher_date),
        "deliveryDate": day(voucher.delivery_date),
        "deliveryDateUntil": day(voucher.delivery_date_until),
        "paymentDeadline": day(voucher.payment_deadline),
        "payDate": day(voucher.pay_date),
        "currency": voucher.currency,
        "propertyForeignCurrencyDeadline": day(voucher.foreign_currency_deadline),
        "propertyExchangeRate": voucher.exchange_rate,
        "taxRule": thing(voucher.tax_rule, "TaxRule"),
        "supplier": thing(voucher.supplier, "Contact"),
        "supplierName": voucher.supplier_name,
        "costCentre": thing(voucher.cost_centre, "CostCentre"),
        **changes,
    }


def check_position(client: SevdeskClient, voucher: Voucher, position: Position, where: str) -> None:
    """Refuse a position whose account and rate the voucher's tax rule does not allow."""
    account = client.accounts.get(position.account)
    if account is None:
        raise refused(f"{where}: accountDatev {position.account} was not found")
    if position.rate not in tax_rules.RATE_WORDS:
        raise refused(
            f"{where}: tax rate {plain(position.rate)} is not allowed, only 0, 7 and 19 are"
        )
    _check_rule(account, voucher, position.rate)


def _check_factory_object(value: Mapping[str, Any], where: str, object_name: str) -> None:
    if value.get("objectName") != object_name:
        raise refused(f"{where}.objectName has to be {object_name}")
    if str(value.get("mapAll")).lower() != "true":
        raise refused(f"{where}.mapAll has to be true")


def _check_version(
    client: SevdeskClient, header: Mapping[str, Any], lines: list[dict[str, Any]]
) -> None:
    """Refuse what belongs to the other version; booking in 1.0 itself is not offered here."""
    if client.version == "2.0":
        return
    if header.get("taxRule") is not None:
        raise refused("taxRule is not available in sevdesk system version 1.0")
    if any(line.get("accountDatev") is not None for line in lines):
        raise refused("accountDatev is not available in sevdesk system version 1.0")
    raise refused("Vouchers of sevdesk system version 1.0 are no longer accepted")


def _draft(client: SevdeskClient, voucher_id: str) -> Voucher:
    voucher = client.vouchers.get(voucher_id)
    if voucher is None:
        raise refused(f"Voucher {voucher_id} was not found")
    if not voucher.is_draft:
        raise refused("Only a draft can be changed")
    return voucher


def _date(header: Mapping[str, Any], key: str) -> date | None:
    value = header.get(key)
    if value is None or value == "":
        return None
    try:
        return read_date(value)
    except (ValueError, OverflowError, OSError) as err:
        raise refused(f"{key} is not a valid date") from err


def _known(
    header: Mapping[str, Any], key: str, object_name: str, known: Mapping[str, object]
) -> str | None:
    """Return the id of a reference to something that is there; None when it is not given."""
    value = header.get(key)
    if value is None:
        return None
    if (
        not isinstance(value, dict)
        or value.get("id") is None
        or value.get("objectName") != object_name
    ):
        raise refused(f"{key} has to be an object with id and objectName {object_name}")
    if str(value["id"]) not in known:
        raise refused(f"{object_name} {value['id']} was not found")
    return str(value["id"])


def _tax_rule(header: Mapping[str, Any]) -> str:
    value = header.get("taxRule")
    if value is None:
        raise refused("taxRule is missing")
    if isinstance(value, dict) and str(value.get("id")) in tax_rules.NOT_FOR_VOUCHERS:
        raise refused(f"Tax rule {value['id']} is not available for vouchers")
    rule = _known(header, "taxRule", "TaxRule", tax_rules.VOUCHER_RULES)
    if rule is None:
        raise refused("taxRule is missing")
    return rule


def _set_currency(voucher: Voucher, header: Mapping[str, Any]) -> None:
    if not header.get("currency"):
        raise refused("The currency is missing")
    voucher.currency = str(header["currency"])
    voucher.foreign_currency_deadline = _date(header, "propertyForeignCurrencyDeadline")
    if header.get("propertyExchangeRate") is not None:
        voucher.exchange_rate = _decimal(header, "propertyExchangeRate", "voucher")
    if voucher.currency != DEFAULT_CURRENCY and not (
        voucher.foreign_currency_deadline or voucher.exchange_rate
    ):
        raise refused(
            "A foreign currency needs propertyForeignCurrencyDeadline or propertyExchangeRate"
        )


def _kept_positions(
    before: Voucher | None, lines: list[dict[str, Any]], deleted: object
) -> list[Position]:
    """Return the positions of the draft that are neither sent again nor deleted."""
    if before is None:
        return []
    gone = [*lines, *(deleted if isinstance(deleted, list) else [deleted])]
    gone_ids = {
        str(each["id"]) for each in gone if isinstance(each, dict) and each.get("id") is not None
    }
    return [deepcopy(each) for each in before.positions if each.id not in gone_ids]


def _position(
    client: SevdeskClient, voucher: Voucher, line: Mapping[str, Any], index: int
) -> Position:
    where = f"voucherPosSave[{index}]"
    _check_factory_object(line, where, "VoucherPos")
    try:
        is_net = read_flag(line.get("net"))
    except ValueError as err:
        raise refused(f"{where}.net has to be true or false") from err
    account = _known(line, "accountDatev", "AccountDatev", client.accounts)
    if account is None:
        raise refused(f"{where}: accountDatev is missing")
    rate = _decimal(line, "taxRate", where)
    amount = _decimal(line, "sumNet" if is_net else "sumGross", where)
    position = Position(
        id="" if line.get("id") is None else str(line["id"]),
        account=account,
        rate=rate,
        is_net=is_net,
        sums=sums.position_sums(amount, rate, is_net=is_net)
        if rate in tax_rules.RATE_WORDS
        else sums.total([]),
        comment=None if line.get("comment") is None else str(line["comment"]),
    )
    check_position(client, voucher, position, where)
    return position


def _check_rule(account: Account, voucher: Voucher, rate: Decimal) -> None:
    """Refuse what ReceiptGuidance does not offer.

    An expense voucher may use a revenue account: that is how sales are taken back there.
    """
    if voucher.credit_debit == "D" and "REVENUE" not in account.types:
        raise refused(f"Account {account.number} is not allowed for revenue vouchers")
    code = tax_rules.VOUCHER_RULES[voucher.tax_rule].code
    rates = account.rules.get(voucher.tax_rule)
    if rates is None:
        message = f"Regular input tax rule '{code}' is not valid for account {account.number}"
        raise refused(message, RULE_NOT_ALLOWED)
    if rate not in rates or rate not in tax_rules.VOUCHER_RULES[voucher.tax_rule].rates:
        misfit = f"tax rule '{code}' and account {account.number}"
        message = f"Tax rate {plain(rate)} is not valid for {misfit}"
        raise refused(message, RULE_NOT_ALLOWED)


def _decimal(fields: Mapping[str, Any], key: str, where: str) -> Decimal:
    if fields.get(key) is None:
        raise refused(f"{where}: {key} is missing")
    try:
        return read_decimal(fields[key])
    except ValueError as err:
        raise refused(f"{where}: {key} has to be a number") from err


def _file(client: SevdeskClient, name: object, before: Voucher | None) -> StoredFile | None:
    if name is None or name == "":
        return before.file if before else None
    if str(name) not in client.temp_files:
        raise refused(f"The file {name} was not found")
    return client.temp_files[str(name)]
