"""What a receipt in the simulated sevdesk says, in the words of the product's promises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

import requests

Json = dict[str, Any]


@dataclass(frozen=True)
class Receipt:
    """One voucher. Dates are ISO dates, the cost centre is its number, accounts are numbers."""

    number: str
    date: str
    delivered: str
    due: str
    gross: Decimal
    status: str
    contact: str | None
    supplier: str | None
    cost_centre: str | None
    accounts: tuple[str, ...]
    tags: frozenset[str]
    pdf_sha256: str | None


def receipts_of(client: Json) -> dict[str, list[Receipt]]:
    """Return the vouchers of a sevdesk client (of `/_control/state`) by invoice number."""
    centres = {row["id"]: row["number"] for row in client["cost_centres"]}
    found: dict[str, list[Receipt]] = {}
    for voucher in client["vouchers"]:
        found.setdefault(voucher["description"], []).append(_receipt(voucher, centres))
    return found


def the_receipt(client: Json, number: str) -> Receipt:
    """Return the receipt of an invoice; none or several is an error."""
    found = receipts_of(client).get(number, [])
    assert len(found) == 1, f"{len(found)} receipts for {number}"
    return found[0]


def differences(found: Receipt, **wanted: object) -> list[str]:
    """Return in words what of the receipt is not as wanted."""
    return [
        f"{found.number}: {name} is {getattr(found, name)!r}, not {value!r}"
        for name, value in wanted.items()
        if getattr(found, name) != value
    ]


def pdf_sha256(invoice: Json) -> str:
    """Return the SHA-256 of the PDF that Cobot hands out for an invoice it has just shown."""
    answer = requests.get(invoice["data"]["attributes"]["pdf"]["url"], timeout=30)
    answer.raise_for_status()
    assert answer.content.startswith(b"%PDF-")
    return sha256(answer.content).hexdigest()


def total(receipts: Iterable[Receipt]) -> Decimal:
    return sum((receipt.gross for receipt in receipts), Decimal(0))


def _receipt(voucher: Json, centres: dict[str, str]) -> Receipt:
    return Receipt(
        number=voucher["description"],
        date=_day(voucher["voucherDate"]),
        delivered=_day(voucher["deliveryDate"]),
        due=_day(voucher["paymentDeadline"]),
        gross=Decimal(voucher["sumGross"]),
        status=voucher["status"],
        contact=(voucher["supplier"] or {}).get("id"),
        supplier=voucher["supplierName"],
        cost_centre=centres.get((voucher["costCentre"] or {}).get("id")),
        accounts=tuple(position["accountNumber"] for position in voucher["positions"]),
        tags=frozenset(voucher["tags"]),
        pdf_sha256=(voucher["file"] or {}).get("sha256"),
    )


def _day(moment: str | None) -> str:
    return (moment or "")[:10]
