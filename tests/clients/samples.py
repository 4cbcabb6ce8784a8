"""Answers as the remote sides give them, our own minimal wording."""

from __future__ import annotations

from typing import Any


def amounts(net: str, gross: str, rate: str = "19.0", **more: Any) -> dict[str, Any]:
    taxes = [{"name": "USt", "rate": rate, "amount": "0.0"}]
    return {"net": net, "gross": gross, "currency": "EUR", "taxes": taxes, **more}


def item(**changes: Any) -> dict[str, Any]:
    return {
        "description": "Flex Desk",
        "quantity": "2.0",
        "accountingCode": "Mitgliedschaft",
        "costCenter": None,
        "revenueAccount": {"name": "Mitgliedschaft", "number": "8400"},
        "paid": False,
        "amount": amounts("110.0", "130.9"),
        "totalAmount": amounts("220.00", "261.80"),
        **changes,
    }


def invoice_resource(
    relationships: dict[str, Any] | None = None, id_: str = "inv-1", **changes: Any
) -> dict[str, Any]:
    attributes = {
        "number": "2531-Ljnk-278",
        "invoiceDate": "2025-02-28",
        "dueDate": "2025-02-28",
        "paidStatus": "unpaid",
        "customerNumber": "1007",
        "pdf": {"url": "https://api.cobot.me/invoices/inv-1.pdf?token=t", "archived": False},
        "recipientAddress": {
            "name": "Mia Beispiel",
            "company": "Beispiel GmbH",
            "fullAddress": "Hauptstr. 1\n10115 Berlin",
            "street": "Hauptstr. 1",
            "postCode": "10115",
            "city": "Berlin",
            "state": None,
            "countryCode": "DE",
        },
        "items": [item()],
        "payableAmount": "261.80",
        "totalAmount": amounts("220.00", "261.80"),
        **changes,
    }
    if relationships is None:
        relationships = {
            "debitor": {"data": {"id": "mem-1", "type": "memberships"}},
            "space": {"data": {"id": "spc-1", "type": "spaces"}},
            "paymentMethods": {"links": {"related": "https://api.cobot.me/x"}},
        }
    return {
        "id": id_,
        "type": "invoices",
        "attributes": attributes,
        "relationships": relationships,
    }


MEMBERSHIP = {
    "id": "mem-1",
    "name": "Mia Beispiel",
    "email": "mia@example.org",
    "phone": None,
    "user": None,
    "address": {
        "company": "Beispiel GmbH",
        "name": "Mia Beispiel",
        "full_address": "Hauptstr. 1\n10115 Berlin",
        "address": "Hauptstr. 1",
        "post_code": "10115",
        "city": "Berlin",
        "state": None,
        "country": "Germany",
    },
    "customer_number": "10000",
    "team_id": None,
    "plan": {"name": "Flex", "currency": "EUR", "accounting_code": "Mitgliedschaft"},
    "confirmed_at": "2026/02/01 12:00:00 +0000",
}

USER = {
    "data": {
        "id": "usr-1",
        "type": "users",
        "attributes": {"email": "a@example.org"},
        "relationships": {"adminOf": {"data": [{"id": "spc-1", "type": "spaces"}]}},
    },
    "included": [
        {
            "id": "spc-1",
            "type": "spaces",
            "attributes": {
                "name": "Alpha",
                "subdomain": "alpha",
                "countryCode": "DE",
                "locale": "de-DE",
                "timeZone": "Europe/Berlin",
            },
        },
        {"id": "spc-9", "type": "spaces", "attributes": {"name": "Other", "subdomain": "other"}},
        {"id": "mem-1", "type": "memberships"},
    ],
}

SUBSCRIPTION = {
    "id": "sub-1",
    "event": "created_invoice",
    "url": "https://alpha.cobot.me/api/subscriptions/sub-1",
    "active": True,
    "callback_url": "https://p.example/hooks/cobot/SECRET/created_invoice",
}

CONTACT = {
    "id": "501",
    "objectName": "Contact",
    "name": "Beispiel GmbH",
    "customerNumber": "1007",
    "category": {"id": "3", "objectName": "Category"},
    "sevClient": {"id": "77", "objectName": "SevClient"},
}

PERSON = {
    "id": "502",
    "objectName": "Contact",
    "name": None,
    "surename": "Mia Maria",
    "familyname": "Beispiel",
    "customerNumber": "1008",
}

VOUCHER = {
    "id": "7001",
    "objectName": "Voucher",
    "description": "2531-Ljnk-278",
    "voucherDate": "2025-02-28T00:00:00+01:00",
    "creditDebit": "D",
    "status": "100",
    "sumNet": "220",
    "sumTax": "41.8",
    "sumGross": "261.8",
    "supplier": {"id": "501", "objectName": "Contact"},
    "supplierName": None,
    "sevClient": {"id": "77", "objectName": "SevClient"},
}

GUIDANCE = {
    "accountDatevId": 3631,
    "accountNumber": "4400",
    "accountName": "Erlöse 19 %",
    "description": "free text",
    "allowedReceiptTypes": ["REVENUE"],
    "allowedTaxRules": [
        {"id": 1, "name": "USTPFL_UMS_EINN", "taxRates": ["ZERO", "SEVEN", "NINETEEN", "TEN"]},
        {"id": 17, "name": "NICHT_IM_INLAND", "taxRates": ["ZERO"]},
    ],
}
