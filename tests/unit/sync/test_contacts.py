import pytest

from portal.cobot.records import Address, Debtor
from portal.sevdesk.records import AddressDraft, ContactDraft
from portal.sync.causes import Cause
from portal.sync.contacts import (
    AdoptContact,
    ContactFound,
    CreateContact,
    MemberLink,
    NoContact,
    address_draft,
    choose_contact,
    contact_draft,
    contact_of_invoice,
    needs_name,
    plan_member,
)
from portal.sync.messages import CATALOGUE
from portal.sync.wording import CREATED_BECAUSE
from tests.unit.sync.factories import contact, invoice, membership

LINK = MemberLink("501", number_written="1005", number_before="17")


def test_contact_that_an_admin_chose_goes_before_everything():
    assert contact_of_invoice(invoice(), "777", LINK) == "777"
    guest = invoice(debtor=Debtor("contacts", "con-1"), customer_number=None)
    assert contact_of_invoice(guest, "777", None) == "777"


@pytest.mark.parametrize("number", [None, "", " ", "1005", " 1005 ", "17"])
def test_linked_member_keeps_its_contact_under_every_number_of_its_own(number):
    assert contact_of_invoice(invoice(customer_number=number), None, LINK) == "501"


def test_linked_member_without_a_number_of_its_own_takes_only_invoices_without_number():
    link = MemberLink("501", number_written=None, number_before=None)
    assert contact_of_invoice(invoice(customer_number=None), None, link) == "501"
    assert contact_of_invoice(invoice(customer_number="1005"), None, link) is None


def test_number_that_a_person_set_since_goes_before_the_linked_member():
    assert contact_of_invoice(invoice(customer_number="2000"), None, LINK) is None


@pytest.mark.parametrize("kind", ["teams", "contacts"])
def test_teams_and_guests_have_no_member_link(kind):
    assert contact_of_invoice(invoice(debtor=Debtor(kind, "mem-1")), None, LINK) is None


def test_invoice_without_any_row_of_ours_is_left_to_the_customer_number():
    assert contact_of_invoice(invoice(), None, None) is None


def test_one_contact_with_the_customer_number_is_found():
    others = [contact("502", "10050"), contact("503", None), contact("504", "01005")]
    assert choose_contact(invoice(), [*others, contact()]) == ContactFound("501")
    assert choose_contact(invoice(), [contact(), contact()]) == ContactFound("501")


@pytest.mark.parametrize("found", [[], [contact("502", "10050")]])
def test_no_contact_with_the_customer_number_is_a_mismatch(found):
    assert choose_contact(invoice(), found) == NoContact(
        Cause("contact_missing", {"number": "1005"})
    )


def test_several_contacts_with_the_customer_number_are_a_mismatch_that_says_so():
    found = choose_contact(invoice(), [contact("501"), contact("502")])
    assert found == NoContact(Cause("contact_ambiguous", {"number": "1005"}))


@pytest.mark.parametrize("name", ["XYZ Design", " xyz  DESIGN ", "Xenia Yilmaz"])
def test_where_the_name_has_to_agree_company_or_person_does(name):
    held = contact("501", "1005", name)
    of_both = invoice(recipient=Address(name="Xenia Yilmaz", company="XYZ Design"))
    assert choose_contact(of_both, [held], needs_name=True) == ContactFound("501")


@pytest.mark.parametrize("name", ["Ganz Fremde GmbH", ""])
def test_where_the_name_has_to_agree_the_number_alone_is_a_strangers(name):
    nameless = invoice(recipient=Address(name=None, company=" "))
    for one in (invoice(), nameless):
        found = choose_contact(one, [contact("501", "1005", name)], needs_name=True)
        assert found == NoContact(Cause("contact_of_stranger", {"number": "1005"}))


@pytest.mark.parametrize(
    ("number_before", "expected"),
    [
        (" 1005", True),  # the one that Cobot gave
        ("17", False),  # another was set since, by a person or by us
        ("", False),
        (None, True),  # nobody has read the member yet
    ],
)
def test_a_number_proves_less_for_a_member_without_contact(number_before, expected):
    assert needs_name(invoice(), number_before) is expected


@pytest.mark.parametrize("number", [None, "", "  "])
def test_invoice_without_customer_number_matches_no_contact(number):
    found = choose_contact(invoice(customer_number=number), [contact("1", None), contact("2", "")])
    assert isinstance(found, NoContact)
    assert found.cause.code == "contact_missing"
    assert found.cause.code in CATALOGUE


MIA = contact("501", "1005", "Mia Beispiel")


@pytest.mark.parametrize(
    ("member", "known", "decision"),
    [
        # The e-mail agrees, however it is written.
        (membership("Mia B.", email=" MIA@example.org ", number="1005"),
         [(MIA, ("x@example.org", "mia@Example.org"))], AdoptContact(MIA)),
        # The name agrees: of the member, of the address, of the company.
        (membership("mia  beispiel", email=None, number="1005"), [(MIA, ())], AdoptContact(MIA)),
        (membership("Mia B.", number="1005", name="Mia Beispiel"), [(MIA, ())], AdoptContact(MIA)),
        (membership("Tom", number="1005", company="XYZ  DESIGN"),
         [(contact(), ())], AdoptContact(contact())),
        # The number alone is a stranger's.
        (membership("Tom Muster", email="tom@example.org", number="1005"),
         [(MIA, ("mia@example.org",))], CreateContact("number_of_stranger")),
        (membership(None, email=None, number="1005"),
         [(contact(name=""), ("",))], CreateContact("number_of_stranger")),
        (membership("", email="", number="1005"),
         [(contact(name=" "), ("", " "))], CreateContact("number_of_stranger")),
        # Without the number, name and e-mail prove nothing.
        (membership(number=None), [(MIA, ("mia@example.org",))], CreateContact()),
        (membership(number="2000"), [(MIA, ("mia@example.org",))], CreateContact()),
        (membership(number="1005"), [], CreateContact()),
        # Two with the number: neither, even if one agrees.
        (membership(number="1005"), [(MIA, ()), (contact("502"), ())],
         CreateContact("number_ambiguous")),
    ],
)  # fmt: skip
def test_new_member_is_a_known_contact_only_when_number_and_name_or_email_agree(
    member, known, decision
):
    assert plan_member(member, known) == decision
    if isinstance(decision, CreateContact) and decision.why:
        assert decision.why in CREATED_BECAUSE


@pytest.mark.parametrize(
    ("member", "draft"),
    [
        (membership("Mia Beispiel", company=" XYZ  Design "),
         ContactDraft("1005", organisation="XYZ Design")),
        (membership("Mia Beispiel"), ContactDraft("1005", surename="Mia", familyname="Beispiel")),
        (membership("Ana Maria de Souza", company="  "),
         ContactDraft("1005", surename="Ana Maria de", familyname="Souza")),
        (membership("Madonna"), ContactDraft("1005", familyname="Madonna")),
        (membership("", name="Mia Beispiel"),
         ContactDraft("1005", surename="Mia", familyname="Beispiel")),
        (membership(None), ContactDraft("1005", familyname="mia@example.org")),
        (membership(None, email=None),
         ContactDraft("1005", surename="Kundennummer", familyname="1005")),
    ],
)  # fmt: skip
def test_contact_is_an_organisation_with_a_company_and_else_a_person(member, draft):
    assert contact_draft(member, "1005") == draft


def test_address_is_taken_over_with_the_code_of_its_country():
    member = membership(street="Hauptstr. 1", post_code="10115", city="Berlin", country="Germany")
    assert address_draft(member) == AddressDraft(
        "Hauptstr. 1", "10115", "Berlin", "DE", "Mia Beispiel"
    )


def test_address_of_a_company_bears_its_name_and_an_unknown_country_is_left_out():
    member = membership(company="XYZ Design", city="Wien", country="Kakanien")
    assert address_draft(member) == AddressDraft(None, None, "Wien", None, "XYZ Design")


def test_country_alone_is_no_address():
    assert address_draft(membership(country="Germany", company="XYZ Design", street=" ")) is None
