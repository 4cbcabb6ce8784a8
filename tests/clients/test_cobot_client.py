"""Every question to Cobot: the exact request, and what is made of the answer."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from responses import matchers

from portal.cobot.client import CobotClient, CobotUrls
from portal.cobot.records import (
    Address,
    CobotSpace,
    CobotUser,
    Debtor,
    Invoice,
    Line,
    Membership,
    Plan,
    Subscription,
    Tax,
)
from portal.errors import (
    Forbidden,
    NotFound,
    OutcomeUnknown,
    Rejected,
    TemporaryError,
    TokenRefused,
    UnusableAnswer,
)
from tests.clients.conftest import API, COBOT_TOKEN, SPACE, USER_AGENT, WWW
from tests.clients.samples import (
    MEMBERSHIP,
    SUBSCRIPTION,
    USER,
    amounts,
    invoice_resource,
    item,
)

V1 = matchers.header_matcher(
    {
        "Authorization": f"Bearer {COBOT_TOKEN}",
        "Accept": "application/json",
        "User-Agent": USER_AGENT,
    }
)
V2 = matchers.header_matcher(
    {
        "Authorization": f"Bearer {COBOT_TOKEN}",
        "Accept": "application/vnd.api+json",
        "User-Agent": USER_AGENT,
    }
)
NO_QUERY = matchers.query_param_matcher({})
CALLBACK = SUBSCRIPTION["callback_url"]


def body(expected):
    return matchers.json_params_matcher(expected)


# People, spaces and tokens


def test_user_names_only_the_spaces_that_the_person_administers(remote, cobot):
    query = matchers.query_param_matcher({"include": "adminOf"})
    remote.get(f"{API}/user", json=USER, match=[V2, query])
    alpha = CobotSpace("spc-1", "alpha", "Alpha", "de-DE", "DE", "Europe/Berlin")
    assert cobot.user() == CobotUser("usr-1", "a@example.org", (alpha,))


def test_a_person_without_spaces_administers_none(remote, cobot):
    data = {"id": "usr-1", "type": "users", "attributes": {"email": "a@example.org"}}
    remote.get(f"{API}/user", json={"data": data})
    assert cobot.user().spaces == ()


def test_the_older_id_of_a_space_is_asked_by_its_subdomain(remote, cobot):
    remote.get(f"{WWW}/api/spaces/alpha", json={"id": "space-alpha"}, match=[V1, NO_QUERY])
    assert cobot.v1_space_id("alpha") == "space-alpha"


def test_the_own_token_is_exchanged_for_the_spaces_token(remote, cobot):
    reply = {"token": "s-tok", "scope": ["read_invoices", "read_user"], "client_id": "CID"}
    remote.post(
        f"{WWW}/api/access_tokens/{COBOT_TOKEN}/space",
        json=reply,
        match=[V1, NO_QUERY, body({"space_id": "space-alpha"})],
    )
    found = cobot.space_token("space-alpha")
    assert (found.token, found.scopes) == ("s-tok", ("read_invoices", "read_user"))
    assert "s-tok" not in repr(found)


def test_an_exchange_without_a_token_in_the_answer_is_outcome_unknown(remote, cobot):
    remote.post(f"{WWW}/api/access_tokens/{COBOT_TOKEN}/space", json={"scope": []})
    with pytest.raises(OutcomeUnknown) as caught:
        cobot.space_token("spc-1")
    assert caught.value.endpoint == "POST /api/access_tokens/{token}/space"
    assert COBOT_TOKEN not in str(caught.value)


@pytest.mark.parametrize("status", [204, 404, 401])
def test_revoking_succeeds_also_where_the_token_is_gone(remote, cobot, status):
    remote.delete(f"{WWW}/api/access_tokens/{COBOT_TOKEN}", status=status, match=[V1])
    cobot.revoke()


def test_revoking_without_an_answer_is_told(remote, cobot):
    remote.delete(f"{WWW}/api/access_tokens/{COBOT_TOKEN}", status=500)
    with pytest.raises(OutcomeUnknown):
        cobot.revoke()


def test_urls_are_addresses_or_templates_by_identifier(remote, cobot):
    rows = [
        {"id": "1", "type": "urls", "attributes": {"identifier": "admin:dashboard", "url": "u"}},
        {
            "id": "2",
            "type": "urls",
            "attributes": {"identifier": "admin:i", "urlTemplate": "t{id}"},
        },
        {"id": "3", "type": "urls", "attributes": {"identifier": "admin:none"}},
    ]
    remote.get(f"{API}/spaces/spc-1/urls", json={"data": rows}, match=[V2, NO_QUERY])
    assert cobot.urls("spc-1") == {"admin:dashboard": "u", "admin:i": "t{id}"}


# Members


def test_a_membership_has_address_and_number(remote, cobot):
    remote.get(f"{SPACE}/api/memberships/mem-1", json=MEMBERSHIP, match=[V1, NO_QUERY])
    address = Address("Beispiel GmbH", "Mia Beispiel", "Hauptstr. 1", "10115", "Berlin", "Germany")
    assert cobot.membership("mem-1") == Membership(
        id="mem-1",
        name="Mia Beispiel",
        email="mia@example.org",
        customer_number="10000",
        address=address,
        confirmed_at=datetime(2026, 2, 1, 12, tzinfo=UTC),
        plan=Plan("Flex", "Mitgliedschaft"),
    )


@pytest.mark.parametrize(
    ("plan", "known"),
    [
        ({"name": "Fix ", "accounting_code": None}, Plan("Fix")),
        ({"name": "Fix", "accounting_code": 4400}, Plan("Fix")),
        ({"name": None, "accounting_code": "4400"}, None),
        (None, None),
        ("Fix", None),
    ],
)
def test_a_plan_that_cannot_be_read_does_not_hide_the_member(remote, cobot, plan, known):
    remote.get(f"{SPACE}/api/memberships/mem-1", json=MEMBERSHIP | {"plan": plan})
    assert cobot.membership("mem-1").plan == known


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"customer_number": 10000}, "10000"),
        ({"customer_number": " 10000 "}, "10000"),
        ({"customer_number": ""}, None),
        ({"customer_number": None}, None),
    ],
)
def test_a_customer_number_may_be_a_number_or_blank(remote, cobot, changes, number):
    remote.get(f"{SPACE}/api/memberships/mem-1", json=MEMBERSHIP | changes)
    assert cobot.membership("mem-1").customer_number == number


def test_a_membership_of_which_only_the_id_is_known_is_read(remote, cobot):
    remote.get(f"{SPACE}/api/memberships/mem-1", json={"id": "mem-1"})
    assert cobot.membership("mem-1") == Membership("mem-1", None)


@pytest.mark.parametrize(
    ("full_address", "street", "post_code", "city"),
    [
        ("Hauptstr. 1\n10115 Berlin", "Hauptstr. 1", "10115", "Berlin"),
        ("Hof 2\r\nHauptstr. 1\r\n1010  Wien\r\nAustria", "Hof 2, Hauptstr. 1", "1010", "Wien"),
        ("Hauptstr. 1", "Hauptstr. 1", None, None),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_the_older_single_address_field_is_split_at_its_lines(
    remote, cobot, full_address, street, post_code, city
):
    address = {"full_address": full_address, "address": None, "post_code": None, "city": None}
    remote.get(f"{SPACE}/api/memberships/mem-1", json=MEMBERSHIP | {"address": address})
    found = cobot.membership("mem-1").address
    assert (found.street, found.post_code, found.city) == (street, post_code, city)


def test_only_the_customer_number_is_written(remote, cobot):
    remote.put(
        f"{SPACE}/api/memberships/mem-1",
        status=204,
        match=[V1, NO_QUERY, body({"customer_number": "1007"})],
    )
    cobot.write_customer_number("mem-1", "1007")


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Forbidden), (429, TemporaryError), (500, OutcomeUnknown)]
)
def test_a_customer_number_that_is_not_written_is_told(remote, cobot, status, kind):
    remote.put(f"{SPACE}/api/memberships/mem-1", status=status)
    with pytest.raises(kind):
        cobot.write_customer_number("mem-1", "1007")


# Invoices


def test_an_invoice_has_exact_sums_lines_and_debtor(remote, cobot):
    remote.get(f"{API}/invoices/inv-1", json={"data": invoice_resource()}, match=[V2, NO_QUERY])
    assert cobot.invoice("inv-1") == Invoice(
        id="inv-1",
        number="2531-Ljnk-278",
        invoice_date=date(2025, 2, 28),
        lines=(
            Line(
                description="Flex Desk",
                net=Decimal("220.00"),
                gross=Decimal("261.80"),
                currency="EUR",
                quantity=Decimal("2.0"),
                taxes=(Tax("USt", Decimal("19.0")),),
                accounting_code="Mitgliedschaft",
                revenue_account_number="8400",
            ),
        ),
        net=Decimal("220.00"),
        gross=Decimal("261.80"),
        currency="EUR",
        space_id="spc-1",
        customer_number="1007",
        recipient=Address("Beispiel GmbH", "Mia Beispiel", "Hauptstr. 1", "10115", "Berlin", "DE"),
        debtor=Debtor("memberships", "mem-1"),
        paid_status="unpaid",
    )


def read_invoice(remote, cobot, resource):
    remote.get(f"{API}/invoices/inv-1", json={"data": resource})
    return cobot.invoice("inv-1")


@pytest.mark.parametrize(
    ("relationships", "debtor"),
    [
        ({"team": {"data": {"id": "tm-1", "type": "teams"}}}, Debtor("teams", "tm-1")),
        ({"contact": {"data": {"id": "c-1", "type": "contacts"}}}, Debtor("contacts", "c-1")),
        (
            {
                "debitor": {"data": {"id": "tm-1", "type": "teams"}},
                "membership": {"data": {"id": "mem-1", "type": "memberships"}},
            },
            Debtor("teams", "tm-1"),
        ),
        (
            {
                "debitor": {"data": None},
                "membership": {"data": {"id": "mem-1", "type": "memberships"}},
            },
            Debtor("memberships", "mem-1"),
        ),
        ({"debitor": {"links": {"related": "https://x"}}}, None),
        ({}, None),
    ],
)
def test_the_debtor_is_read_first_then_its_older_copies(remote, cobot, relationships, debtor):
    invoice = read_invoice(remote, cobot, invoice_resource(relationships))
    assert invoice.debtor == debtor
    assert invoice.space_id is None


def test_a_correction_names_the_invoice_that_it_corrects(remote, cobot):
    related = {"correctedInvoice": {"data": {"id": "inv-0", "type": "invoices"}}}
    resource = invoice_resource(related, totalAmount=amounts("-220.0", "-261.8"))
    invoice = read_invoice(remote, cobot, resource)
    assert (invoice.corrected_invoice_id, invoice.gross) == ("inv-0", Decimal("-261.8"))


def test_lines_may_lack_code_account_and_tax_and_have_their_own_currency(remote, cobot):
    total = {"net": "5", "gross": "5", "currency": "CHF", "taxes": []}
    bare = item(accountingCode=" ", revenueAccount=None, paid=True, totalAmount=total)
    resource = invoice_resource(items=[bare, item()], customerNumber=None, pdf={"archived": True})
    invoice = read_invoice(remote, cobot, resource)
    line = invoice.lines[0]
    assert (line.accounting_code, line.revenue_account_number, line.taxes) == (None, None, ())
    assert (line.paid, line.currency, invoice.currency) == (True, "CHF", "EUR")
    assert (invoice.customer_number, invoice.pdf_is_final) == (None, True)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"number": None}, "number"),
        ({"number": ""}, "number"),
        ({"invoiceDate": "28.02.2025"}, "invoiceDate"),
        ({"invoiceDate": None}, "invoiceDate"),
        ({"items": None}, "items"),
        ({"items": ["x"]}, r"items\[0\]\.item"),
        ({"items": [item(), item(totalAmount=None)]}, r"items\[1\]\.totalAmount"),
        ({"items": [item(totalAmount=amounts("1,00", "1"))]}, r"items\[0\]\.totalAmount\.net"),
        (
            {"items": [item(totalAmount=amounts("1", "1", rate="viel"))]},
            r"items\[0\]\.totalAmount\.taxes\[0\]\.rate",
        ),
        ({"totalAmount": {"net": "1", "gross": 1.5e300}}, r"totalAmount\.gross"),
        ({"totalAmount": amounts("1", "1") | {"currency": None}}, r"totalAmount\.currency"),
    ],
)
def test_an_invoice_that_lacks_a_needed_field_is_unusable_and_the_field_is_named(
    remote, cobot, changes, field
):
    with pytest.raises(UnusableAnswer, match=f"{field} is missing") as caught:
        read_invoice(remote, cobot, invoice_resource(**changes))
    assert "Mia" not in str(caught.value)


@pytest.mark.parametrize("reply", [None, [], {}, {"data": None}, {"data": {"id": "inv-1"}}, 7])
def test_an_answer_that_is_no_invoice_is_unusable(remote, cobot, reply):
    remote.get(f"{API}/invoices/inv-1", json=reply)
    with pytest.raises(UnusableAnswer):
        cobot.invoice("inv-1")


def test_a_page_of_invoices_is_asked_by_days_and_says_how_many_pages_there_are(remote, cobot):
    query = {
        "filter[from]": "2025-02-01",
        "filter[to]": "2025-02-28",
        "page[size]": "200",
        "page[number]": "2",
    }
    reply = {
        "data": [invoice_resource(), invoice_resource(id_="inv-2", number=None)],
        "meta": {"totalPages": 3, "currentPage": 2},
        "links": {"next": "/x"},
    }
    remote.get(
        f"{API}/spaces/spc-1/invoices",
        json=reply,
        match=[V2, matchers.query_param_matcher(query)],
    )
    page = cobot.invoices("spc-1", date(2025, 2, 1), date(2025, 2, 28), 2)
    assert [invoice.id for invoice in page.invoices] == ["inv-1"]
    assert page.unreadable_ids == ("inv-2",)
    assert (page.current_page, page.total_pages) == (2, 3)


def test_the_pdf_is_given_as_it_is(remote, cobot):
    pdf = b"%PDF-1.7\n\x00\xff"
    remote.get(f"{API}/invoices/inv-1.pdf", body=pdf, match=[V2, NO_QUERY])
    assert cobot.invoice_pdf("inv-1") == pdf


def test_what_is_not_a_pdf_is_unusable(remote, cobot):
    remote.get(f"{API}/invoices/inv-1.pdf", body=b"<html>", status=200)
    with pytest.raises(UnusableAnswer, match="not a PDF"):
        cobot.invoice_pdf("inv-1")


def test_an_id_cannot_lead_to_another_path(remote, cobot):
    remote.get(f"{API}/invoices/a%2F..%2Fb%3Fc", status=404)
    with pytest.raises(NotFound) as caught:
        cobot.invoice("a/../b?c")
    assert caught.value.endpoint == "GET /invoices/{id}"


# The feed


@pytest.mark.parametrize(
    ("level", "source_ids", "more"),
    [
        ("ERROR", ["inv-1"], {"level": "ERROR", "source_ids": ["inv-1"]}),
        (None, [], {}),
    ],
)
def test_an_activity_is_posted_for_admins(remote, cobot, level, source_ids, more):
    expected = {"text": "sevdesk: kein Buchungskonto", "channels": ["admin"], **more}
    remote.post(
        f"{SPACE}/api/activities", status=201, body="", match=[V1, NO_QUERY, body(expected)]
    )
    cobot.post_activity("sevdesk: kein Buchungskonto", level, source_ids)


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Forbidden), (422, Rejected), (504, OutcomeUnknown)]
)
def test_an_activity_that_is_not_posted_is_told(remote, cobot, status, kind):
    remote.post(f"{SPACE}/api/activities", status=status)
    with pytest.raises(kind):
        cobot.post_activity("text", "ERROR", ["inv-1"])


ACTIVITY = {
    "created_at": "2026/03/01 12:00:00 +0000",
    "type": "text",
    "channels": ["admin"],
    "attributes": {"text": "sevdesk: Rechnung 2026-0042 nicht übertragen"},
}


@pytest.mark.parametrize(
    ("text", "since", "exists"),
    [
        ("Rechnung 2026-0042", None, True),
        ("Rechnung 2026-0043", None, False),
        ("Rechnung 2026-0042", datetime(2026, 3, 1, 12, tzinfo=UTC), True),
        ("Rechnung 2026-0042", datetime(2026, 3, 1, 13, tzinfo=UTC), False),
    ],
)
def test_an_activity_is_looked_for_by_its_text(remote, cobot, text, since, exists):
    query = matchers.query_param_matcher({"source_ids": "inv-1"})
    other = {"created_at": None, "type": "new_invoice", "attributes": {"invoice_id": "inv-1"}}
    remote.get(f"{SPACE}/api/activities", json=[other, ACTIVITY], match=[V1, query])
    assert cobot.activity_exists(text, "inv-1", since) is exists


def test_without_a_source_the_newest_activities_are_looked_through(remote, cobot):
    query = matchers.query_param_matcher({"last": "100"})
    remote.get(f"{SPACE}/api/activities", json=[], match=[query])
    assert cobot.activity_exists("text") is False


# Webhooks


def subscription(**changes):
    return SUBSCRIPTION | changes


WANTED = Subscription("sub-1", "created_invoice", str(CALLBACK), active=True)


def test_subscriptions_are_listed_without_showing_their_secret(remote, cobot):
    remote.get(f"{SPACE}/api/subscriptions", json=[SUBSCRIPTION], match=[V1, NO_QUERY])
    found = cobot.subscriptions()
    assert found == (WANTED,)
    assert "SECRET" not in repr(found)


def test_subscribing_names_event_and_address(remote, cobot):
    expected = {"event": "created_invoice", "callback_url": CALLBACK}
    remote.post(
        f"{SPACE}/api/subscriptions", status=201, json=SUBSCRIPTION, match=[V1, body(expected)]
    )
    assert cobot.subscribe("created_invoice", CALLBACK) == WANTED


def test_a_subscription_that_stands_already_is_returned(remote, cobot):
    remote.post(f"{SPACE}/api/subscriptions", status=409)
    others = [subscription(id="sub-0", event="updated_invoice"), SUBSCRIPTION]
    remote.get(f"{SPACE}/api/subscriptions", json=others)
    assert cobot.subscribe("created_invoice", CALLBACK) == WANTED


def test_a_subscription_that_cobot_switched_off_is_made_anew(remote, cobot):
    remote.post(f"{SPACE}/api/subscriptions", status=409)
    remote.get(f"{SPACE}/api/subscriptions", json=[subscription(id="sub-0", active=False)])
    remote.delete(f"{SPACE}/api/subscriptions/sub-0", status=204)
    remote.post(f"{SPACE}/api/subscriptions", status=201, json=SUBSCRIPTION)
    assert cobot.subscribe("created_invoice", CALLBACK) == WANTED


def test_a_conflict_with_nothing_in_the_list_is_told(remote, cobot):
    remote.post(f"{SPACE}/api/subscriptions", status=409)
    remote.get(f"{SPACE}/api/subscriptions", json=[])
    with pytest.raises(Rejected):
        cobot.subscribe("created_invoice", CALLBACK)


def test_a_refused_subscription_does_not_show_the_hook_secret(remote, cobot):
    said = {"errors": {"callback_url": f"{CALLBACK} is not reachable"}}
    remote.post(f"{SPACE}/api/subscriptions", status=422, json=said)
    with pytest.raises(Rejected) as caught:
        cobot.subscribe("created_invoice", CALLBACK)
    assert caught.value.message == "callback_url: [...] is not reachable"


@pytest.mark.parametrize("status", [200, 204, 404])
def test_unsubscribing_succeeds_also_where_it_is_gone(remote, cobot, status):
    remote.delete(f"{SPACE}/api/subscriptions/sub-1", status=status, match=[V1, NO_QUERY])
    cobot.unsubscribe("sub-1")


def test_a_refused_token_is_told_everywhere(remote, cobot):
    remote.get(f"{SPACE}/api/subscriptions", status=401, body=json.dumps({"error": "no"}))
    with pytest.raises(TokenRefused):
        cobot.subscriptions()


def test_a_client_shows_no_token_and_needs_a_subdomain_for_the_older_api(cobot, sessions):
    assert COBOT_TOKEN not in repr(cobot)
    urls = CobotUrls(www=WWW, api=API, space="https://{subdomain}.cobot.me")
    general = CobotClient(urls, COBOT_TOKEN, sessions=sessions)
    with pytest.raises(ValueError, match="subdomain"):
        general.membership("mem-1")
