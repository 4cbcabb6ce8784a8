"""Booking accounts, cost centres and the till: what a client books on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk import tax_rules
from tests.simulator.sevdesk.fields import fields_of, id_in, list_in, number_id, reference, text_in
from tests.simulator.sevdesk.ids import NewId

RECEIPT_TYPES = ("REVENUE", "EXPENSE")


@dataclass
class Account:
    """A booking account with the receipt types it serves and the rates each tax rule allows on
    it."""

    id: str
    number: str
    name: str
    types: tuple[str, ...]
    rules: dict[str, tuple[int, ...]]

    @classmethod
    def from_world(cls, value: object, where: str, new_id: NewId) -> Account:
        fields = fields_of(value, where, ("id", "number", "name", "types", "rules"))
        number = text_in(fields, "number", where)
        if not number:
            raise WorldError(f"{where}.number: an account needs a number")
        types = tuple(map(str, list_in(fields, "types", where))) or ("REVENUE",)
        if not set(types) <= set(RECEIPT_TYPES):
            raise WorldError(f"{where}.types: REVENUE and EXPENSE are the only types")
        return cls(
            id=id_in(fields, "id", where) or new_id(),
            number=number,
            name=text_in(fields, "name", where) or f"Konto {number}",
            types=types,
            rules=_rules_in(fields.get("rules"), where, types),
        )

    def to_world(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "number": self.number,
            "name": self.name,
            "types": list(self.types),
            "rules": {rule: list(rates) for rule, rates in self.rules.items()},
        }

    def guidance(self) -> dict[str, Any]:
        """Return the row of ReceiptGuidance: integers for ids, words for rates."""
        return {
            "accountDatevId": number_id(self.id),
            "accountNumber": self.number,
            "accountName": self.name,
            "description": f"Buchungskonto {self.number} {self.name}",
            "allowedReceiptTypes": list(self.types),
            "allowedTaxRules": [
                {
                    "id": int(rule),
                    "name": tax_rules.VOUCHER_RULES[rule].code,
                    "description": tax_rules.VOUCHER_RULES[rule].description,
                    "taxRates": [tax_rules.RATE_WORDS[rate] for rate in rates],
                }
                for rule, rates in self.rules.items()
            ],
        }


@dataclass
class CostCentre:
    """A Kostenstelle."""

    id: str
    number: str
    name: str

    @classmethod
    def from_world(cls, value: object, where: str, new_id: NewId) -> CostCentre:
        fields = fields_of(value, where, ("id", "number", "name"))
        number = text_in(fields, "number", where) or ""
        return cls(
            id=id_in(fields, "id", where) or new_id(),
            number=number,
            name=text_in(fields, "name", where) or f"Kostenstelle {number}".strip(),
        )

    def to_world(self) -> dict[str, Any]:
        return {"id": self.id, "number": self.number, "name": self.name}

    def to_json(self, sev_client: str, since: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "objectName": "CostCentre",
            "create": since,
            "update": since,
            "sevClient": reference(sev_client, "SevClient"),
            "number": self.number,
            "name": self.name,
            "color": None,
            "status": "100",
            "postingAccount": None,
            "defaultCentre": "0",
        }


def till(since: str) -> dict[str, Any]:
    """Return the check account that every client has from the first day."""
    return {
        "id": "1",
        "objectName": "CheckAccount",
        "create": since,
        "update": since,
        "name": "Kasse",
        "iban": None,
        "type": "register",
        "importType": None,
        "currency": "EUR",
        "defaultAccount": "1",
        "baseAccount": "0",
        "priority": "0",
        "status": "100",
        "balance": "0",
        "bankServer": None,
        "autoMapTransactions": None,
        "autoSyncTransactions": "0",
        "accountingNumber": "1600",
        "bic": None,
    }


def default_accounts() -> list[dict[str, Any]]:
    """Return the accounts of a client whose world names none: a little of the chart SKR04."""
    rows: list[tuple[str, str, str, str, dict[str, list[int]]]] = [
        ("3631", "4400", "Erlöse 19 % USt", "REVENUE", {"1": [0, 7, 19]}),
        ("3630", "4300", "Erlöse 7 % USt", "REVENUE", {"1": [7]}),
        ("3620", "4100", "Steuerfreie Umsätze § 4 UStG", "REVENUE", {"4": [0]}),
        ("3622", "4120", "Steuerfreie Ausfuhren", "REVENUE", {"2": [0]}),
        ("3623", "4125", "Innergemeinschaftliche Lieferungen", "REVENUE", {"3": [0]}),
        ("3651", "4337", "Erlöse § 13b UStG", "REVENUE", {"5": [0]}),
        ("3652", "4338", "Im Inland nicht steuerbare Leistungen", "REVENUE", {"17": [0]}),
        ("3700", "6310", "Miete", "EXPENSE", {"9": [0, 7, 19]}),
    ]
    return [
        {"id": row_id, "number": number, "name": name, "types": [kind], "rules": rules}
        for row_id, number, name, kind, rules in rows
    ]


def _rules_in(value: object, where: str, types: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    if value is None:
        return {"1": (0, 7, 19)} if "REVENUE" in types else {"9": (0, 7, 19)}
    if not isinstance(value, dict):
        raise WorldError(f"{where}.rules: an object of rule and rates is expected")
    rules: dict[str, tuple[int, ...]] = {}
    for rule, rates in value.items():
        if str(rule) not in tax_rules.VOUCHER_RULES:
            raise WorldError(f"{where}.rules: no voucher may use tax rule {rule}")
        if not isinstance(rates, list) or any(rate not in tax_rules.RATE_WORDS for rate in rates):
            raise WorldError(f"{where}.rules.{rule}: a list of the rates 0, 7 and 19 is expected")
        rules[str(rule)] = tuple(int(rate) for rate in rates)
    return rules
