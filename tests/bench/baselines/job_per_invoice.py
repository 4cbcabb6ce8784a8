"""The way it is usually done: an RQ job for each invoice, a worker that forks, `requests.get`.

No connection is used twice and nothing is kept between two invoices. It does less than the portal:
no look for an earlier receipt, no history, no limits, no care for a lost answer.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from typing import Any

import requests
from sqlalchemy import create_engine, text

DUE_AFTER_DAYS = 30


def book(cobot_invoice_id: str) -> None:
    """Read the invoice, find contact and account, upload the PDF, save the receipt, tag it."""
    cobot = {
        "Authorization": os.environ["BENCH_COBOT_TOKEN"],
        "Accept": "application/vnd.api+json",
    }
    sevdesk = {"Authorization": os.environ["BENCH_SEVDESK_TOKEN"]}
    api, books = os.environ["COBOT_API_URL"], os.environ["SEVDESK_API_URL"]
    one = f"{api}/invoices/{cobot_invoice_id}"

    invoice = _json(requests.get(one, headers=cobot, timeout=30))["data"]["attributes"]
    chart = requests.get(f"{books}/ReceiptGuidance/forRevenue", headers=sevdesk, timeout=30)
    accounts = {row["accountName"]: row["accountDatevId"] for row in _json(chart)["objects"]}
    contacts = requests.get(
        f"{books}/Contact",
        params={"customerNumber": invoice["customerNumber"], "depth": "1"},
        headers=sevdesk,
        timeout=30,
    )
    contact_id = _json(contacts)["objects"][0]["id"]
    pdf = requests.get(f"{one}.pdf", headers=cobot, timeout=30)
    pdf.raise_for_status()
    upload = requests.post(
        f"{books}/Voucher/Factory/uploadTempFile",
        files={"file": ("invoice.pdf", pdf.content, "application/pdf")},
        headers=sevdesk,
        timeout=30,
    )
    receipt = _receipt(invoice, contact_id, accounts)
    receipt["filename"] = _json(upload)["objects"]["filename"]
    saved = requests.post(
        f"{books}/Voucher/Factory/saveVoucher", json=receipt, headers=sevdesk, timeout=30
    )
    voucher_id = _json(saved)["objects"]["voucher"]["id"]
    tagged = requests.post(
        f"{books}/Tag/Factory/create",
        json={"name": "Import", "object": {"id": int(voucher_id), "objectName": "Voucher"}},
        headers=sevdesk,
        timeout=30,
    )
    tagged.raise_for_status()
    with create_engine(os.environ["BENCH_DATABASE"]).begin() as connection:
        connection.execute(
            text("INSERT INTO booked (invoice, voucher) VALUES (:invoice, :voucher)"),
            {"invoice": cobot_invoice_id, "voucher": voucher_id},
        )


def _json(answer: requests.Response) -> Any:
    answer.raise_for_status()
    return answer.json()


def _receipt(invoice: dict[str, Any], contact_id: str, accounts: dict[str, str]) -> dict[str, Any]:
    issued = date.fromisoformat(invoice["invoiceDate"])
    day = issued.strftime("%d.%m.%Y")
    return {
        "voucher": {
            "objectName": "Voucher",
            "mapAll": True,
            "voucherType": "VOU",
            "creditDebit": "D",
            "status": 100,
            "voucherDate": day,
            "deliveryDate": day,
            "paymentDeadline": (issued + timedelta(DUE_AFTER_DAYS)).strftime("%d.%m.%Y"),
            "description": invoice["number"],
            "currency": "EUR",
            "taxRule": {"id": "1", "objectName": "TaxRule"},
            "supplier": {"id": int(contact_id), "objectName": "Contact"},
        },
        "voucherPosSave": [_position(item, accounts) for item in invoice["items"]],
        "voucherPosDelete": None,
    }


def _position(item: dict[str, Any], accounts: dict[str, str]) -> dict[str, Any]:
    amount = item["totalAmount"]
    return {
        "objectName": "VoucherPos",
        "mapAll": True,
        "net": True,
        "sumNet": float(amount["net"]),
        "taxRate": int(float(amount["taxes"][0]["rate"])),
        "accountDatev": {
            "id": int(accounts[item["accountingCode"]]),
            "objectName": "AccountDatev",
        },
        "comment": item["description"],
    }
