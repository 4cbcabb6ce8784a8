"""Every question to sevdesk: the exact request, and what is made of the answer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers

from portal.errors import (
    NotFound,
    OutcomeUnknown,
    Rejected,
    TemporaryError,
    TokenRefused,
    UnusableAnswer,
)
from portal.sevdesk.records import (
    AddressDraft,
    BookingAccount,
    Contact,
    ContactDraft,
    CostCentre,
    Voucher,
    VoucherDraft,
    VoucherPosition,
    json_number,
)
from tests.clients.conftest import SEVDESK, SEVDESK_TOKEN, USER_AGENT
from tests.clients.samples import CONTACT, GUIDANCE, PERSON, VOUCHER

HEADERS = matchers.header_matcher(
    {"Authorization": SEVDESK_TOKEN, "Accept": "application/json", "User-Agent": USER_AGENT}
)
NO_QUERY = matchers.query_param_matcher({})
PAGING = {"limit": "1000", "offset": "0"}


def objects(found):
    return {"objects": found}


def query(**params):
    return matchers.query_param_matcher(params)


def body(expected):
    return matchers.json_params_matcher(expected)


# The client itself


def test_the_system_version_is_asked(remote, sevdesk):
    url = f"{SEVDESK}/Tools/bookkeepingSystemVersion"
    remote.get(url, json=objects({"version": "2.0"}), match=[HEADERS, NO_QUERY])
    assert sevdesk.system_version() == "2.0"


def test_a_refused_token_is_told(remote, sevdesk):
    said = {"status": 401, "message": "Authentication required"}
    remote.get(f"{SEVDESK}/Tools/bookkeepingSystemVersion", status=401, json=said)
    with pytest.raises(TokenRefused) as caught:
        sevdesk.system_version()
    assert caught.value.remote == "sevdesk"


def test_the_client_id_is_read_from_a_check_account(remote, sevdesk):
    row = {"id": "1", "sevClient": {"id": "77", "objectName": "SevClient"}}
    match = [HEADERS, query(limit="1")]
    remote.get(f"{SEVDESK}/CheckAccount", json=objects([row]), match=match)
    assert sevdesk.client_id() == "77"


def test_the_client_id_is_read_from_what_else_there_is(remote, sevdesk):
    remote.get(f"{SEVDESK}/CheckAccount", json=objects([]))
    remote.get(f"{SEVDESK}/CostCentre", json=objects([]))
    match = [query(limit="1", depth="1")]
    remote.get(f"{SEVDESK}/Contact", json=objects([CONTACT]), match=match)
    assert sevdesk.client_id() == "77"


def test_a_client_with_nothing_in_it_cannot_be_told(remote, sevdesk):
    for path in ("CheckAccount", "CostCentre", "Contact"):
        remote.get(f"{SEVDESK}/{path}", json=objects([]))
    with pytest.raises(UnusableAnswer, match="sevClient"):
        sevdesk.client_id()


def test_revenue_accounts_carry_rules_and_known_rates(remote, sevdesk):
    expense = GUIDANCE | {"allowedReceiptTypes": ["EXPENSE"]}
    remote.get(
        f"{SEVDESK}/ReceiptGuidance/forRevenue",
        json=objects([GUIDANCE, expense]),
        match=[HEADERS, NO_QUERY],
    )
    rules = {"1": frozenset({0, 7, 19}), "17": frozenset({0})}
    assert sevdesk.revenue_accounts() == (BookingAccount(3631, "4400", "Erlöse 19 %", rules),)


@pytest.mark.parametrize("field", ["accountDatevId", "allowedTaxRules", "allowedReceiptTypes"])
def test_an_account_that_lacks_a_needed_field_is_unusable(remote, sevdesk, field):
    broken = {k: v for k, v in GUIDANCE.items() if k != field}
    remote.get(f"{SEVDESK}/ReceiptGuidance/forRevenue", json=objects([broken]))
    with pytest.raises(UnusableAnswer, match=rf"objects\[0\]\.{field}"):
        sevdesk.revenue_accounts()


def test_cost_centres_are_listed(remote, sevdesk):
    rows = [{"id": "9", "number": "100", "name": "Haus"}, {"id": 10, "number": 200, "name": None}]
    match = [HEADERS, query(**PAGING)]
    remote.get(f"{SEVDESK}/CostCentre", json=objects(rows), match=match)
    expected = (CostCentre("9", "100", "Haus"), CostCentre("10", "200", ""))
    assert sevdesk.cost_centres() == expected


# Contacts


def test_contacts_are_found_by_exactly_their_number_persons_included(remote, sevdesk):
    match = [HEADERS, query(customerNumber="1008", depth="1", **PAGING)]
    longer = PERSON | {"customerNumber": "10080"}
    remote.get(f"{SEVDESK}/Contact", json=objects([CONTACT, PERSON, longer]), match=match)
    assert sevdesk.find_contacts("1008") == (Contact("502", "1008", "Mia Maria Beispiel"),)


def test_a_contact_is_read_by_its_id(remote, sevdesk):
    remote.get(f"{SEVDESK}/Contact/501", json=objects([CONTACT]), match=[HEADERS, NO_QUERY])
    assert sevdesk.contact("501") == Contact("501", "1007", "Beispiel GmbH")


@pytest.mark.parametrize("what", ["contact", "voucher"])
@pytest.mark.parametrize(
    ("status", "found"), [(400, {}), (404, {}), (200, objects([])), (200, objects([None]))]
)
def test_what_is_not_there_is_none(remote, sevdesk, what, status, found):
    remote.get(f"{SEVDESK}/{what.title()}/7", status=status, json=found)
    assert getattr(sevdesk, what)("7") is None


@pytest.mark.parametrize("what", ["contact", "voucher"])
def test_another_refusal_does_not_look_like_nothing(remote, sevdesk, what):
    remote.get(f"{SEVDESK}/{what.title()}/7", status=422)
    with pytest.raises(Rejected):
        getattr(sevdesk, what)("7")


def way(contact_id, value, type_="EMAIL"):
    contact = {"id": contact_id, "objectName": "Contact"}
    return {"id": "1", "contact": contact, "type": type_, "value": value}


def test_only_the_own_email_addresses_of_a_contact_are_given(remote, sevdesk):
    rows = [
        way("501", "mia@example.org"),
        way("502", "other@example.org"),
        way("501", "030 1", "PHONE"),
        way("501", None),
        {"id": "2", "contact": None, "type": "EMAIL", "value": "x@example.org"},
    ]
    params = {"contact[id]": "501", "contact[objectName]": "Contact", "type": "EMAIL"} | PAGING
    match = [HEADERS, matchers.query_param_matcher(params)]
    remote.get(f"{SEVDESK}/CommunicationWay", json=objects(rows), match=match)
    assert sevdesk.emails_of("501") == ("mia@example.org",)


def test_contacts_are_found_by_email_whatever_the_case(remote, sevdesk):
    rows = [way("501", "Mia@Example.org"), way("502", "mia@example.org.uk"), way("501", "x@y.z")]
    match = [HEADERS, query(type="EMAIL", value="mia@example.org", **PAGING)]
    remote.get(f"{SEVDESK}/CommunicationWay", json=objects(rows), match=match)
    remote.get(f"{SEVDESK}/Contact/501", json=objects([CONTACT]))
    assert [c.id for c in sevdesk.find_contacts_by_email("mia@example.org")] == ["501"]


@pytest.mark.parametrize("number", ["1005", 1005])
def test_the_next_customer_number_is_text(remote, sevdesk, number):
    url = f"{SEVDESK}/Contact/Factory/getNextCustomerNumber"
    remote.get(url, json=objects(number), match=[HEADERS, NO_QUERY])
    assert sevdesk.next_customer_number() == "1005"


@pytest.mark.parametrize("is_wrapped", [True, False], ids=["wrapped", "bare"])
@pytest.mark.parametrize(
    ("draft", "names"),
    [
        (ContactDraft("1007", organisation="Beispiel GmbH"), {"name": "Beispiel GmbH"}),
        (
            ContactDraft("1007", surename="Mia", familyname="Beispiel"),
            {"surename": "Mia", "familyname": "Beispiel"},
        ),
        (ContactDraft("1007", familyname="Beispiel"), {"familyname": "Beispiel"}),
    ],
)
def test_a_contact_is_made_as_an_active_customer(remote, sevdesk, draft, names, is_wrapped):
    expected = {
        **names,
        "customerNumber": "1007",
        "category": {"id": 3, "objectName": "Category"},
        "status": 1000,
    }
    reply = objects(CONTACT) if is_wrapped else CONTACT
    match = [HEADERS, NO_QUERY, body(expected)]
    remote.post(f"{SEVDESK}/Contact", status=201, json=reply, match=match)
    assert sevdesk.create_contact(draft) == Contact("501", "1007", "Beispiel GmbH")


@pytest.mark.parametrize("reply", ["", "{}", '{"objects": null}', '{"objects": {"name": "x"}}'])
def test_a_contact_made_without_an_id_in_the_answer_is_outcome_unknown(remote, sevdesk, reply):
    remote.post(f"{SEVDESK}/Contact", status=201, body=reply)
    with pytest.raises(OutcomeUnknown):
        sevdesk.create_contact(ContactDraft("1007", organisation="x"))


ADDRESS = AddressDraft("Hauptstr. 1", "10115", "Berlin", "DE", "Beispiel GmbH")
ADDRESS_BODY = {
    "contact": {"id": 501, "objectName": "Contact"},
    "street": "Hauptstr. 1",
    "zip": "10115",
    "city": "Berlin",
    "name": "Beispiel GmbH",
    "category": {"id": 47, "objectName": "Category"},
}


def test_an_address_is_added_with_its_country_which_is_looked_up_once(remote, sevdesk):
    rows = [{"id": "1", "code": "de", "nameEn": "Germany"}, {"id": "2", "code": "at"}]
    match = [HEADERS, query(code="de", **PAGING)]
    remote.get(f"{SEVDESK}/StaticCountry", json=objects(rows), match=match)
    expected = ADDRESS_BODY | {"country": {"id": 1, "objectName": "StaticCountry"}}
    remote.post(f"{SEVDESK}/ContactAddress", status=201, match=[HEADERS, body(expected)])
    sevdesk.add_address("501", ADDRESS)
    sevdesk.add_address("501", ADDRESS)
    assert [call.request.method for call in remote.calls] == ["GET", "POST", "POST"]


def test_the_united_kingdom_is_taken_among_three_rows_of_its_code(remote, sevdesk):
    rows = [
        {"id": "7", "code": "gb", "nameEn": "Scotland"},
        {"id": "8", "code": "gb", "nameEn": "United Kingdom"},
        {"id": "9", "code": "gb", "nameEn": "Wales"},
    ]
    remote.get(f"{SEVDESK}/StaticCountry", json=objects(rows))
    expected = ADDRESS_BODY | {"country": {"id": 8, "objectName": "StaticCountry"}}
    remote.post(f"{SEVDESK}/ContactAddress", status=201, match=[body(expected)])
    sevdesk.add_address("501", replace(ADDRESS, country_code="GB"))


@pytest.mark.parametrize("status", [200, 404])
def test_an_unknown_country_is_left_out(remote, sevdesk, status):
    remote.get(f"{SEVDESK}/StaticCountry", status=status, json=objects([{"id": 1, "code": "de"}]))
    remote.post(f"{SEVDESK}/ContactAddress", status=201, match=[body(ADDRESS_BODY)])
    sevdesk.add_address("501", replace(ADDRESS, country_code="ZZ"))


def test_an_address_of_which_little_is_known_is_added_without_asking_for_a_country(remote, sevdesk):
    expected = {
        "contact": {"id": 501, "objectName": "Contact"},
        "city": "Berlin",
        "category": {"id": 47, "objectName": "Category"},
    }
    remote.post(f"{SEVDESK}/ContactAddress", status=201, match=[body(expected)])
    sevdesk.add_address("501", AddressDraft(None, "", "Berlin", None))


def test_an_email_address_is_added(remote, sevdesk):
    expected = {
        "contact": {"id": 501, "objectName": "Contact"},
        "type": "EMAIL",
        "value": "mia@example.org",
        "key": {"id": 2, "objectName": "CommunicationWayKey"},
        "main": True,
    }
    match = [HEADERS, NO_QUERY, body(expected)]
    remote.post(f"{SEVDESK}/CommunicationWay", status=201, body="", match=match)
    sevdesk.add_email("501", "mia@example.org")


# Vouchers

DRAFT = VoucherDraft(
    description="2531-Ljnk-278",
    voucher_date=date(2025, 2, 28),
    payment_deadline=date(2025, 3, 30),
    credit_debit="D",
    tax_rule_id="1",
    positions=(VoucherPosition(Decimal("220.00"), 19, 3631, "Schreibtisch, März"),),
    is_net=True,
    contact_id="501",
    cost_centre_id="9",
    filename="0f3c.pdf",
)
SAVED = Voucher(
    id="7001",
    description="2531-Ljnk-278",
    voucher_date=date(2025, 2, 28),
    credit_debit="D",
    status=100,
    sum_gross=Decimal("261.8"),
    supplier_id="501",
    client_id="77",
)


def test_a_document_is_uploaded_as_it_is(remote, sevdesk):
    files = {"file": ("2531.pdf", b"%PDF-1.7 \x00", "application/pdf")}
    remote.post(
        f"{SEVDESK}/Voucher/Factory/uploadTempFile",
        status=201,
        json=objects({"filename": "0f3c.pdf", "pages": 1}),
        match=[HEADERS, NO_QUERY, matchers.multipart_matcher(files)],
    )
    assert sevdesk.upload(b"%PDF-1.7 \x00", "2531.pdf") == "0f3c.pdf"


@pytest.mark.parametrize("status", [201, 500, 503])
def test_an_upload_without_a_usable_answer_may_be_done_again(remote, sevdesk, status):
    url = f"{SEVDESK}/Voucher/Factory/uploadTempFile"
    remote.post(url, status=status, json=objects({}))
    with pytest.raises(TemporaryError):
        sevdesk.upload(b"%PDF", "2531.pdf")


def test_an_upload_that_is_refused_is_told(remote, sevdesk):
    remote.post(f"{SEVDESK}/Voucher/Factory/uploadTempFile", status=422)
    with pytest.raises(Rejected):
        sevdesk.upload(b"%PDF", "2531.pdf")


def test_a_voucher_is_saved_with_the_figures_of_the_help_page(remote, sevdesk):
    expected = {
        "voucher": {
            "objectName": "Voucher",
            "mapAll": True,
            "voucherType": "VOU",
            "creditDebit": "D",
            "status": 100,
            "voucherDate": "28.02.2025",
            "deliveryDate": "28.02.2025",
            "paymentDeadline": "30.03.2025",
            "description": "2531-Ljnk-278",
            "currency": "EUR",
            "taxRule": {"id": "1", "objectName": "TaxRule"},
            "supplier": {"id": 501, "objectName": "Contact"},
            "costCentre": {"id": 9, "objectName": "CostCentre"},
        },
        "voucherPosSave": [
            {
                "objectName": "VoucherPos",
                "mapAll": True,
                "net": True,
                "sumNet": 220.0,
                "taxRate": 19,
                "accountDatev": {"id": 3631, "objectName": "AccountDatev"},
                "comment": "Schreibtisch, März",
            }
        ],
        "voucherPosDelete": None,
        "filename": "0f3c.pdf",
    }
    remote.post(
        f"{SEVDESK}/Voucher/Factory/saveVoucher",
        status=201,
        json=objects({"voucher": VOUCHER, "voucherPos": [], "filename": "0f3c.pdf"}),
        match=[HEADERS, NO_QUERY, body(expected)],
    )
    assert sevdesk.save_voucher(DRAFT) == SAVED
    sent = remote.calls[0].request.body.decode()
    assert '"sumNet": 220.0,' in sent
    assert list(json.loads(sent)) == ["voucher", "voucherPosSave", "voucherPosDelete", "filename"]


def test_a_voucher_without_contact_names_its_supplier_in_words():
    written = replace(
        DRAFT, contact_id=None, supplier_name="XYZ Design", cost_centre_id=None, filename=None
    ).to_json()
    assert written["voucher"]["supplier"] is None
    assert written["voucher"]["supplierName"] == "XYZ Design"
    assert "costCentre" not in written["voucher"]
    assert "filename" not in written


def test_in_gross_mode_only_the_gross_sum_is_sent_and_a_long_text_is_cut():
    position = VoucherPosition(Decimal("-261.80"), 19, 3631, "x" * 300)
    written = replace(DRAFT, is_net=False, positions=(position,)).to_json()["voucherPosSave"][0]
    assert (written["net"], written["sumGross"], "sumNet" in written) == (False, -261.8, False)
    assert len(written["comment"]) == 255


@given(st.decimals(min_value=-(10**10), max_value=10**10, places=2))
def test_an_amount_becomes_a_json_number_with_the_same_digits(amount):
    written = json.dumps({"sumNet": json_number(amount)})
    assert json.loads(written, parse_float=Decimal)["sumNet"] == amount


def test_an_amount_that_no_float_can_carry_is_refused():
    with pytest.raises(ValueError, match="digits"):
        json_number(Decimal("12345678901234567.89"))


@pytest.mark.parametrize(
    "reply",
    ["", "{}", '{"objects": {}}', '{"objects": {"voucher": {"status": "100"}}}', "<html>", "[]"],
)
def test_a_voucher_saved_without_an_id_in_the_answer_is_outcome_unknown(remote, sevdesk, reply):
    remote.post(f"{SEVDESK}/Voucher/Factory/saveVoucher", status=200, body=reply)
    with pytest.raises(OutcomeUnknown):
        sevdesk.save_voucher(DRAFT)


def test_what_a_short_answer_leaves_out_is_as_it_was_sent(remote, sevdesk):
    row = {"id": 7001, "sumGross": 261.8, "description": None, "creditDebit": None}
    url = f"{SEVDESK}/Voucher/Factory/saveVoucher"
    remote.post(url, status=201, json=objects({"voucher": row}))
    saved = sevdesk.save_voucher(DRAFT)
    assert (saved.id, saved.sum_gross) == ("7001", Decimal("261.8"))
    assert (saved.description, saved.credit_debit, saved.status) == ("2531-Ljnk-278", "D", 100)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 422}, Rejected),
        ({"status": 400}, Rejected),
        ({"status": 401}, TokenRefused),
        ({"status": 429}, TemporaryError),
        ({"status": 500}, OutcomeUnknown),
        ({"status": 502, "body": "<html>"}, OutcomeUnknown),
        ({"body": requests.ReadTimeout()}, OutcomeUnknown),
        ({"body": requests.ConnectionError("reset")}, OutcomeUnknown),
    ],
)
def test_a_voucher_is_sent_once_whatever_comes_back(sevdesk, answer, kind):
    with responses.RequestsMock() as remote:
        remote.post(f"{SEVDESK}/Voucher/Factory/saveVoucher", **answer)
        with pytest.raises(kind):
            sevdesk.save_voucher(DRAFT)
        assert len(remote.calls) == 1


def test_a_refused_voucher_carries_what_support_needs(remote, sevdesk):
    said = {"error": {"message": "Rule not allowed", "code": 7100, "exceptionUUID": "u-1"}}
    remote.post(f"{SEVDESK}/Voucher/Factory/saveVoucher", status=422, json=said)
    with pytest.raises(Rejected) as caught:
        sevdesk.save_voucher(DRAFT)
    error = caught.value
    assert (error.message, error.remote_code, error.request_id) == (
        "Rule not allowed",
        "7100",
        "u-1",
    )


def test_vouchers_are_found_by_exactly_their_number_and_side(remote, sevdesk):
    rows = [
        VOUCHER,
        VOUCHER | {"id": "7002", "description": "2531-Ljnk-2789"},
        VOUCHER | {"id": "7003", "creditDebit": "C"},
        VOUCHER | {"id": "7004", "description": None},
    ]
    match = [HEADERS, query(descriptionLike="2531-Ljnk-278", creditDebit="D", **PAGING)]
    remote.get(f"{SEVDESK}/Voucher", json=objects(rows), match=match)
    assert sevdesk.find_vouchers("2531-Ljnk-278", "D") == (SAVED,)


def test_vouchers_beyond_the_first_page_are_found_too(remote, sevdesk):
    full = [VOUCHER | {"id": str(n), "description": f"1-{n}"} for n in range(1000)]
    base = {"descriptionLike": "1", "creditDebit": "D", "limit": "1000"}
    last = VOUCHER | {"id": "5000", "description": "1"}
    for offset, rows in (("0", full), ("1000", full), ("2000", [last])):
        match = [query(**base, offset=offset)]
        remote.get(f"{SEVDESK}/Voucher", json=objects(rows), match=match)
    assert [v.id for v in sevdesk.find_vouchers("1", "D")] == ["5000"]


def test_a_list_that_never_ends_is_unusable(remote, sevdesk, monkeypatch):
    monkeypatch.setattr("portal.sevdesk.client.MOST_PAGES", 3)
    remote.get(f"{SEVDESK}/CostCentre", json=objects([{"id": "1", "number": "1"}] * 1000))
    with pytest.raises(UnusableAnswer, match="does not end"):
        sevdesk.cost_centres()
    assert len(remote.calls) == 3


def test_a_voucher_is_read_by_its_id(remote, sevdesk):
    remote.get(f"{SEVDESK}/Voucher/7001", json=objects([VOUCHER]), match=[HEADERS, NO_QUERY])
    assert sevdesk.voucher("7001") == SAVED


def test_the_day_of_a_voucher_is_as_written_and_not_moved_to_utc(remote, sevdesk):
    row = VOUCHER | {"voucherDate": "2025-12-31T00:00:00+01:00", "supplier": None}
    remote.get(f"{SEVDESK}/Voucher/7001", json=objects([row | {"supplierName": "XYZ"}]))
    found = sevdesk.voucher("7001")
    assert (found.voucher_date, found.supplier_id, found.supplier_name) == (
        date(2025, 12, 31),
        None,
        "XYZ",
    )


@pytest.mark.parametrize("field", ["id", "creditDebit", "status", "sumGross"])
def test_a_voucher_that_lacks_a_needed_field_is_unusable(remote, sevdesk, field):
    row = {k: v for k, v in VOUCHER.items() if k != field}
    remote.get(f"{SEVDESK}/Voucher/7001", json=objects([row]))
    with pytest.raises(UnusableAnswer, match=f"{field} is missing"):
        sevdesk.voucher("7001")


def test_a_tag_is_put_on_a_voucher(remote, sevdesk):
    expected = {"name": "mismatch", "object": {"id": 7001, "objectName": "Voucher"}}
    match = [HEADERS, NO_QUERY, body(expected)]
    remote.post(f"{SEVDESK}/Tag/Factory/create", status=200, body="", match=match)
    sevdesk.tag("7001", "mismatch")


def test_a_tag_on_a_voucher_that_is_gone_is_told(remote, sevdesk):
    remote.post(f"{SEVDESK}/Tag/Factory/create", status=404)
    with pytest.raises(NotFound):
        sevdesk.tag("7001", "mismatch")


def test_a_client_shows_no_token(sevdesk):
    assert SEVDESK_TOKEN not in repr(sevdesk)
