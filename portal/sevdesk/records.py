"""The parts of sevdesk's answers that we use, and the bodies that we send.

`from_json` is the one place that knows sevdesk's keys; it raises WrongShape with the name of a
field that is needed and missing. sevdesk sends ids, sums and counts as strings.
Source: https://api.sevdesk.de
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.answers import WrongShape, day, decimal, mapping, rows, text, text_or_none, whole

LONGEST_COMMENT = 255
"""Characters of a position's text; more is cut off."""

_RATES = {"ZERO": 0, "SEVEN": 7, "NINETEEN": 19}
_CUSTOMER = 3
"""sevdesk's category for contacts that buy from us."""
_INVOICE_ADDRESS = 47
_ACTIVE = 1000


@dataclass(frozen=True)
class BookingAccount:
    """A booking account (Buchungskonto) as ReceiptGuidance offers it."""

    id: int
    """accountDatevId"""
    number: str
    name: str
    rules: Mapping[str, frozenset[int]]
    """Tax rule id -> rates in percent that sevdesk allows with it, unknown words left out."""
    is_revenue: bool = True

    @classmethod
    def from_json(cls, row: Any) -> BookingAccount:
        """Read a row of ReceiptGuidance. A rate in a word we do not know is not allowed."""
        row = mapping(row, "account")
        rules: dict[str, frozenset[int]] = {}
        for rule in rows(row.get("allowedTaxRules"), "allowedTaxRules"):
            rule = mapping(rule, "allowedTaxRules")
            words = rows(rule.get("taxRates"), "taxRates")
            known = frozenset(_RATES[word] for word in words if word in _RATES)
            rules[text(rule.get("id"), "allowedTaxRules.id")] = known
        return cls(
            id=whole(row.get("accountDatevId"), "accountDatevId"),
            number=text_or_none(row.get("accountNumber")) or "",
            name=text_or_none(row.get("accountName")) or "",
            rules=rules,
            is_revenue="REVENUE" in rows(row.get("allowedReceiptTypes"), "allowedReceiptTypes"),
        )


@dataclass(frozen=True)
class Contact:
    id: str
    customer_number: str | None
    name: str
    """The organisation's name, or first name and family name."""

    @classmethod
    def from_json(cls, row: Any) -> Contact:
        row = mapping(row, "contact")
        person = (text_or_none(row.get("surename")), text_or_none(row.get("familyname")))
        return cls(
            id=text(row.get("id"), "id"),
            customer_number=text_or_none(row.get("customerNumber")),
            name=text_or_none(row.get("name")) or " ".join(part for part in person if part),
        )


@dataclass(frozen=True)
class ContactDraft:
    """A contact to be made: an organisation when `organisation` is filled, else a person."""

    customer_number: str
    organisation: str | None = None
    surename: str | None = None
    """sevdesk's word for the first name."""
    familyname: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the body of POST /Contact: an active customer."""
        names = {"name": self.organisation}
        if not self.organisation:
            names = {"surename": self.surename, "familyname": self.familyname}
        return {
            **{key: name for key, name in names.items() if name},
            "customerNumber": self.customer_number,
            "category": reference(_CUSTOMER, "Category"),
            "status": _ACTIVE,
        }


@dataclass(frozen=True)
class AddressDraft:
    street: str | None
    zip: str | None
    city: str | None
    country_code: str | None
    """ISO 3166 alpha-2, upper case; None where it is not known."""
    name: str | None = None

    def to_json(self, contact_id: str, country_id: str | None) -> dict[str, Any]:
        """Return the body of POST /ContactAddress; what is not known is left out."""
        fields = {"street": self.street, "zip": self.zip, "city": self.city, "name": self.name}
        body: dict[str, Any] = {
            "contact": reference(contact_id, "Contact"),
            **{key: value for key, value in fields.items() if value},
            "category": reference(_INVOICE_ADDRESS, "Category"),
        }
        if country_id is not None:
            body["country"] = reference(country_id, "StaticCountry")
        return body


@dataclass(frozen=True)
class CostCentre:
    id: str
    number: str
    name: str

    @classmethod
    def from_json(cls, row: Any) -> CostCentre:
        row = mapping(row, "costCentre")
        return cls(
            id=text(row.get("id"), "id"),
            number=text_or_none(row.get("number")) or "",
            name=text_or_none(row.get("name")) or "",
        )


@dataclass(frozen=True)
class VoucherPosition:
    """One position. `amount` counts as net or gross as the whole voucher says."""

    amount: Decimal
    tax_rate: int
    account_id: int
    comment: str

    def to_json(self, is_net: bool) -> dict[str, Any]:
        """Return one row of voucherPosSave; sevdesk computes the sum that is left out."""
        return {
            "objectName": "VoucherPos",
            "mapAll": True,
            "net": is_net,
            "sumNet" if is_net else "sumGross": json_number(self.amount),
            "taxRate": self.tax_rate,
            "accountDatev": reference(self.account_id, "AccountDatev"),
            "comment": self.comment[:LONGEST_COMMENT],
        }


@dataclass(frozen=True)
class VoucherDraft:
    """A voucher (Beleg) to be made. Exactly one of `contact_id` and `supplier_name` is filled."""

    description: str
    voucher_date: date
    payment_deadline: date
    credit_debit: str
    """"D" for revenue, "C" for expense (sevdesk's letters, against intuition)."""
    tax_rule_id: str
    positions: tuple[VoucherPosition, ...]
    is_net: bool
    status: int = 100
    contact_id: str | None = None
    supplier_name: str | None = None
    cost_centre_id: str | None = None
    filename: str | None = None
    """What uploadTempFile answered."""
    currency: str = "EUR"

    def to_json(self) -> dict[str, Any]:
        """Return the body of POST /Voucher/Factory/saveVoucher.

        The delivery date is the document's date. `filename` stands last: sevdesk asks to keep the
        order of the last two keys.
        """
        voucher: dict[str, Any] = {
            "objectName": "Voucher",
            "mapAll": True,
            "voucherType": "VOU",
            "creditDebit": self.credit_debit,
            "status": self.status,
            "voucherDate": written_day(self.voucher_date),
            "deliveryDate": written_day(self.voucher_date),
            "paymentDeadline": written_day(self.payment_deadline),
            "description": self.description,
            "currency": self.currency,
            "taxRule": {"id": self.tax_rule_id, "objectName": "TaxRule"},
        }
        if self.contact_id is not None:
            voucher["supplier"] = reference(self.contact_id, "Contact")
        else:
            voucher["supplier"] = None
            voucher["supplierName"] = self.supplier_name
        if self.cost_centre_id is not None:
            voucher["costCentre"] = reference(self.cost_centre_id, "CostCentre")
        body: dict[str, Any] = {
            "voucher": voucher,
            "voucherPosSave": [position.to_json(self.is_net) for position in self.positions],
            "voucherPosDelete": None,
        }
        if self.filename is not None:
            body["filename"] = self.filename
        return body


@dataclass(frozen=True)
class Voucher:
    """A voucher that stands in sevdesk."""

    id: str
    description: str
    voucher_date: date | None
    credit_debit: str
    status: int
    sum_gross: Decimal
    supplier_id: str | None = None
    supplier_name: str | None = None
    client_id: str | None = None
    """The id in `sevClient`."""

    @classmethod
    def from_json(cls, row: Any) -> Voucher:
        """Read a row of GET /Voucher.

        Days are taken as written (midnight in Berlin), never moved to UTC.
        """
        row = mapping(row, "voucher")
        written = row.get("voucherDate")
        return cls(
            id=text(row.get("id"), "id"),
            description=text_or_none(row.get("description")) or "",
            voucher_date=day(written, "voucherDate") if written else None,
            credit_debit=text(row.get("creditDebit"), "creditDebit"),
            status=whole(row.get("status"), "status"),
            sum_gross=decimal(row.get("sumGross"), "sumGross"),
            supplier_id=_referenced_id(row.get("supplier")),
            supplier_name=text_or_none(row.get("supplierName")),
            client_id=_referenced_id(row.get("sevClient")),
        )


def objects(reply: Any) -> Any:
    """Return what is inside the envelope; sevdesk documents some answers without it."""
    if isinstance(reply, Mapping) and "objects" in reply:
        return reply["objects"]
    return reply


def client_of(row: Any) -> str:
    """Return the id of the sevdesk client that a row belongs to."""
    found = _referenced_id(mapping(row, "row").get("sevClient"))
    if found is None:
        raise WrongShape("sevClient.id")
    return found


def reference(id_: str | int, object_name: str) -> dict[str, Any]:
    """Return sevdesk's way to name another object; ids are numbers there wherever they are."""
    is_number = isinstance(id_, int) or (id_.isascii() and id_.isdigit())
    return {"id": int(id_) if is_number else id_, "objectName": object_name}


def json_number(amount: Decimal) -> float:
    """Return the number that JSON writes with exactly this amount's digits.

    Raises ValueError for an amount that a float cannot carry (more than 15 digits).
    """
    number = float(amount)
    if Decimal(repr(number)) != amount:
        raise ValueError("amount has too many digits")
    return number


def written_day(value: date) -> str:
    """Return a day as sevdesk takes it: dd.mm.yyyy."""
    return f"{value.day:02}.{value.month:02}.{value.year:04}"


def _referenced_id(value: Any) -> str | None:
    return text_or_none(value.get("id")) if isinstance(value, Mapping) else None
