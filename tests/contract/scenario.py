"""A small world, and every question of both clients asked in it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from portal.cobot.client import CobotClient, CobotUrls
from portal.errors import NotFound, Rejected
from portal.sevdesk.client import SevdeskClient
from portal.sevdesk.records import AddressDraft, ContactDraft, VoucherDraft, VoucherPosition
from portal.transport import Sessions

SEVDESK_TOKEN = "0123456789abcdef0123456789abcdef"
REDIRECT = "http://127.0.0.1:9/oauth/callback"
SCOPES = (
    "read_user read_spaces read_memberships write_memberships read_teams read_contacts "
    "read_invoices read_activities write_activities read_subscriptions write_subscriptions "
    "read_accounting_codes read_urls"
)
HOOK = "https://portal.example/hooks/cobot/some-secret/created_invoice"


def _item(net: str, *taxes: tuple[str, str], currency: str = "EUR", **more: Any) -> dict[str, Any]:
    listed = [{"name": name, "rate": rate} for name, rate in taxes]
    amount = {"net": net, "currency": currency, "taxes": listed}
    return {
        "description": "Schreibtisch",
        "quantity": "2.0",
        "accountingCode": "Mitgliedschaft",
        "paid": False,
        "amount": amount,
        **more,
    }


VAT = ("USt", "19.0")
INVOICES: list[dict[str, Any]] = [
    {"items": [_item("110.0", VAT)], "debitor": {"type": "memberships", "id": "mem-1"}},
    {
        "items": [_item("10.0", VAT), _item("3.33", ("USt", "7.0")), _item("5")],
        "debitor": {"type": "memberships", "id": "mem-2"},
    },
    {"items": [_item("1.0", VAT, paid=True)], "debitor": {"type": "teams", "id": "tm-1"}},
    {"items": [_item("1.0", VAT)], "debitor": {"type": "contacts", "id": "con-1"}},
    {"items": [_item("9.0", VAT)], "recipientAddress": {"name": "Laufkundschaft"}},
    {
        "items": [_item("-110.0", VAT)],
        "debitor": {"type": "memberships", "id": "mem-1"},
        "correctedInvoice": "inv-0",
    },
    {"items": [_item("1", ("a", "5"), ("b", "7"), accountingCode=None)]},
    {"items": [_item("1", currency="CHF")]},
    {"items": []},
]
WORLD: dict[str, Any] = {
    "users": [{"id": "usr-1", "email": "a@example.org", "name": "Ada", "admin_of": ["spc-1"]}],
    "spaces": [
        {
            "id": "spc-1",
            "subdomain": "alpha",
            "name": "Alpha",
            "locale": "de-DE",
            "countryCode": "DE",
            "timeZone": "Europe/Berlin",
            "accounting_codes": [{"name": "Mitgliedschaft", "tax_rate": "19.0"}],
            "memberships": [
                {
                    "id": "mem-1",
                    "name": "Mia Beispiel",
                    "email": "mia@example.org",
                    "customer_number": "1007",
                    "address": {
                        "company": "Beispiel GmbH",
                        "name": "Mia Beispiel",
                        "address": "Hauptstr. 1",
                        "post_code": "10115",
                        "city": "Berlin",
                        "country": "Germany",
                    },
                },
                {"id": "mem-2", "name": "Jörg Müller", "email": "joerg@example.org"},
            ],
            "teams": [{"id": "tm-1", "name": "Team", "members": [{"id": "mem-2", "role": "paid"}]}],
            "contacts": [{"id": "con-1", "email": "gast@example.org"}],
            "invoices": [
                {"id": f"inv-{n}", "number": f"2026-{n:04}", "invoiceDate": "2026-03-01", **invoice}
                for n, invoice in enumerate(INVOICES)
            ],
        }
    ],
    "sevdesk": [
        {
            "token": SEVDESK_TOKEN,
            "client_id": "77",
            "version": "2.0",
            "next_customer_number": 1010,
            "accounts": [
                {
                    "id": 3631,
                    "number": "4400",
                    "name": "Mitgliedschaft",
                    "types": ["REVENUE"],
                    "rules": {"1": [0, 7, 19], "17": [0]},
                }
            ],
            "cost_centres": [{"id": "9", "number": "100", "name": "Haus"}],
            "contacts": [{"id": "501", "customerNumber": "1007", "name": "Beispiel GmbH"}],
            "vouchers": [],
        }
    ],
}
DRAFT = VoucherDraft(
    description="2531-Ljnk-278",
    voucher_date=date(2025, 2, 28),
    payment_deadline=date(2025, 3, 30),
    credit_debit="D",
    tax_rule_id="1",
    positions=(VoucherPosition(Decimal("220.00"), 19, 3631, "Schreibtisch"),),
    is_net=True,
    contact_id="501",
    cost_centre_id="9",
)


class Asked:
    """A client that notes which of its questions were asked."""

    def __init__(self, client: Any, asked: set[str]) -> None:
        self._client = client
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        self._asked.add(f"{type(self._client).__name__}.{name}")
        return getattr(self._client, name)


def questions() -> set[str]:
    """Return every public method of both clients."""
    return {
        f"{kind.__name__}.{name}"
        for kind in (CobotClient, SevdeskClient)
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def sign_in(www: str) -> str:
    """Return the token of a person who signed in at the simulator."""
    params = {
        "response_type": "code",
        "client_id": "demo",
        "redirect_uri": REDIRECT,
        "state": "s",
        "scope": SCOPES,
    }
    answer = requests.post(
        f"{www}/oauth/authorize",
        params=params,
        data={"user_id": "usr-1"},
        allow_redirects=False,
        timeout=10,
    )
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    form = {
        "client_id": "demo",
        "client_secret": "demo-secret",
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
    }
    answer = requests.post(f"{www}/oauth/access_token", data=form, timeout=10)
    token: str = answer.json()["access_token"]
    return token


def ask_cobot(settings: Mapping[str, str], sessions: Sessions, asked: set[str]) -> None:
    urls = CobotUrls(
        settings["COBOT_WWW_URL"], settings["COBOT_API_URL"], settings["COBOT_SPACE_URL"]
    )
    person = Asked(CobotClient(urls, sign_in(urls.www), sessions=sessions), asked)
    assert [space.subdomain for space in person.user().spaces] == ["alpha"]
    token = person.space_token(person.v1_space_id("alpha")).token
    cobot = Asked(CobotClient(urls, token, "alpha", sessions=sessions), asked)
    assert cobot.urls("spc-1")
    assert cobot.membership("mem-1").customer_number == "1007"
    everybody, unreadable = cobot.memberships()
    assert {"mem-1", "mem-2"} <= {member.id for member in everybody}
    assert unreadable == ()
    assert isinstance(cobot.accounting_codes(), tuple)
    cobot.write_customer_number("mem-2", "1010")
    assert cobot.membership("mem-2").customer_number == "1010"
    page = cobot.invoices("spc-1", date(2026, 3, 1), date(2026, 3, 1))
    assert (len(page.invoices), page.unreadable_ids) == (len(INVOICES), ())
    for invoice in page.invoices:
        assert cobot.invoice(invoice.id) == invoice
    assert cobot.invoice_pdf("inv-0").startswith(b"%PDF")
    cobot.post_activity("sevdesk: 2026-0000 nicht übertragen", "ERROR", ["inv-0"])
    assert cobot.activity_exists("2026-0000", "inv-0")
    made = cobot.subscribe("created_invoice", HOOK)
    assert cobot.subscribe("created_invoice", HOOK) == made
    assert cobot.subscriptions() == (made,)
    cobot.unsubscribe(made.id)
    cobot.revoke()
    person.revoke()


def ask_sevdesk(settings: Mapping[str, str], sessions: Sessions, asked: set[str]) -> None:
    sevdesk = Asked(
        SevdeskClient(settings["SEVDESK_API_URL"], SEVDESK_TOKEN, sessions=sessions), asked
    )
    assert sevdesk.system_version() == "2.0"
    assert sevdesk.client_id() == "77"
    assert [account.number for account in sevdesk.revenue_accounts()] == ["4400"]
    assert [centre.number for centre in sevdesk.cost_centres()] == ["100"]
    assert [contact.id for contact in sevdesk.find_contacts("1007")] == ["501"]
    number = sevdesk.next_customer_number()
    person = sevdesk.create_contact(ContactDraft(number, surename="Jörg", familyname="Müller"))
    assert [contact.id for contact in sevdesk.find_contacts(number)] == [person.id]
    assert sevdesk.contact(person.id) == person
    assert sevdesk.contact("999999") is None
    sevdesk.add_address(person.id, AddressDraft("Deichweg 3", "20359", "Hamburg", "DE", None))
    sevdesk.add_email(person.id, "joerg@example.org")
    assert sevdesk.emails_of(person.id) == ("joerg@example.org",)
    assert sevdesk.find_contacts_by_email("joerg@example.org") == (person,)
    assert sevdesk.contact_ids_by_email("joerg@example.org") == (person.id,)
    assert person in sevdesk.contacts_page(0)[0]
    assert sevdesk.find_contacts_by_name("jörg") == (person,)
    assert (person.id, "joerg@example.org") in sevdesk.emails_page(0)[0]
    assert sevdesk.post_codes_page(0) == (((person.id, "20359"),), True)
    organisation = ContactDraft(sevdesk.next_customer_number(), organisation="Müller GmbH")
    assert sevdesk.create_contact(organisation).name == "Müller GmbH"
    assert sevdesk.find_vouchers("2531-Ljnk-278", "D") == ()
    filename = sevdesk.upload(b"%PDF-1.4\n%%EOF\n", "2531.pdf")
    saved = sevdesk.save_voucher(replace(DRAFT, filename=filename))
    assert saved.sum_gross == Decimal("261.80")
    sevdesk.tag(saved.id, "Import")
    assert [voucher.id for voucher in sevdesk.find_vouchers("2531-Ljnk-278", "D")] == [saved.id]
    assert sevdesk.voucher(saved.id).sum_gross == Decimal("261.80")
    assert sevdesk.voucher("999999") is None
    assert sevdesk.vouchers_page(DRAFT.voucher_date, DRAFT.voucher_date, 0) == (
        (sevdesk.voucher(saved.id),),
        True,
    )
    position = VoucherPosition(Decimal("-261.80"), 19, 3631, "Korrektur")
    mismatch = replace(
        DRAFT,
        description="2531-Ljnk-279",
        contact_id=None,
        supplier_name="XYZ Design",
        cost_centre_id=None,
        positions=(position,),
        is_net=False,
        filename=sevdesk.upload(b"%PDF-1.4\n%%EOF\n", "2532.pdf"),
    )
    sevdesk.tag(sevdesk.save_voucher(mismatch).id, "mismatch")
    free = replace(
        mismatch,
        tax_rule_id="17",
        positions=(replace(position, tax_rate=0),),
        credit_debit="C",
        filename=sevdesk.upload(b"%PDF-1.4\n%%EOF\n", "2533.pdf"),
    )
    sevdesk.save_voucher(free)
    for refused in (replace(free, tax_rule_id="5"), replace(free, cost_centre_id="999999")):
        try:
            sevdesk.save_voucher(refused)
        except (Rejected, NotFound):
            continue
        raise AssertionError("a wrong voucher was taken")
