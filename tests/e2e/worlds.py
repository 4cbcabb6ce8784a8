"""Small worlds for single stories: one space, one sevdesk client, nothing left to chance."""

from __future__ import annotations

from hashlib import sha256

from tests.stack import Json

ADMIN, SUPPORT = "usr-admin", "usr-support"
COST_CENTRE = "100"
CODE, ACCOUNT = "Mitgliedschaft", "4400"


def token_of(subdomain: str) -> str:
    """Return the sevdesk token of a space's client."""
    return sha256(subdomain.encode()).hexdigest()[:32]


def world_of(*subdomains: str) -> Json:
    """Return a world with these spaces, one admin for all of them."""
    ids = [f"spc-{subdomain}" for subdomain in subdomains]
    return {
        "users": [
            {"id": ADMIN, "email": "a@example.org", "name": "Ada", "admin_of": ids},
            {"id": SUPPORT, "email": "s@example.org", "name": "Sue", "admin_of": []},
        ],
        "spaces": [_space(subdomain) for subdomain in subdomains],
        "sevdesk": [_client(subdomain, place) for place, subdomain in enumerate(subdomains)],
    }


def known(subdomain: str) -> Json:
    """Return who pays an invoice of the member that has a contact."""
    return {"type": "memberships", "id": f"mem-known-{subdomain}"}


def unknown(subdomain: str) -> Json:
    """Return who pays an invoice of the member whose number no contact has."""
    return {"type": "memberships", "id": f"mem-unknown-{subdomain}"}


def invoice(subdomain: str, number: str, **given: object) -> Json:
    """Return an invoice of the known member over 119.00, booked on one account."""
    return {
        "number": number,
        "invoiceDate": "2026-03-01",
        "debitor": known(subdomain),
        "items": [line()],
        **given,
    }


def line(code: str | None = CODE, net: str = "100.0", rate: str = "19.0") -> Json:
    taxes = [{"name": "USt", "rate": rate}]
    return {
        "description": "Flex Desk",
        "accountingCode": code,
        "amount": {"net": net, "currency": "EUR", "taxes": taxes},
    }


def member(member_id: str, name: str, number: str | None, company: str | None = None) -> Json:
    return {
        "id": member_id,
        "name": name,
        "email": f"{member_id}@example.org",
        "customer_number": number,
        "address": {
            "company": company,
            "name": name,
            "address": "Hafenstraße 12",
            "post_code": "20457",
            "city": "Hamburg",
            "country": "Germany",
        },
        "confirmed_at": "2025/01/15 09:00:00 +0000",
    }


def _space(subdomain: str) -> Json:
    return {
        "id": f"spc-{subdomain}",
        "subdomain": subdomain,
        "name": f"Space {subdomain}",
        "locale": "de-DE",
        "accounting_codes": [{"name": CODE, "tax_rate": "19.0"}],
        "memberships": [
            member(known(subdomain)["id"], "Xenia Yilmaz", "1005", "XYZ Design"),
            member(unknown(subdomain)["id"], "Lars Petersen", "4711"),
        ],
    }


def _client(subdomain: str, place: int) -> Json:
    rules = {"1": [0, 7, 19], "4": [0], "5": [0], "17": [0]}
    return {
        "token": token_of(subdomain),
        "client_id": str(7100 + place),
        "next_customer_number": 1006,
        "accounts": [
            {"id": "3631", "number": ACCOUNT, "name": CODE, "types": ["REVENUE"], "rules": rules}
        ],
        "cost_centres": [{"id": "9", "number": COST_CENTRE, "name": "Haus"}],
        "contacts": [{"id": "501", "customerNumber": "1005", "name": "XYZ Design"}],
    }
