"""Links into Cobot's own pages, as API 2 lists them for a space."""

import uuid

from tests.simulator.checks import Json
from tests.simulator.cobot.state import Space

PLAIN = (
    ("admin:dashboard", "The dashboard in the admin section", "/admin"),
    (
        "admin:accounting-codes",
        "Manage a space's accounting codes in the admin section",
        "/admin/accounting_codes",
    ),
    ("admin:invoice-settings", "Manage a space's invoice settings", "/admin/invoice_settings"),
    ("admin:memberships", "All memberships of a space", "/admin/memberships"),
    ("space:homepage", "The public page of a space", "/"),
)
TEMPLATES = (
    ("admin:invoice", "A single invoice", "/admin/invoices/{invoiceId}"),
    ("admin:membership", "A single membership", "/admin/memberships/{membershipId}"),
    ("admin:team", "A single team", "/admin/teams/{teamId}"),
    ("admin:contact", "A single space contact", "/admin/contacts/{contactId}"),
)


def space_urls(space: Space, base: str) -> list[Json]:
    """Return the links of a space: some ready, some as templates (RFC 6570)."""
    entries = [(*entry, "url") for entry in PLAIN] + [
        (*entry, "urlTemplate") for entry in TEMPLATES
    ]
    return [
        {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{space.id} {identifier}")),
            "type": "urls",
            "attributes": {"identifier": identifier, "label": label, key: f"{base}{path}"},
        }
        for identifier, label, path, key in entries
    ]
