"""Which contact a member from before the connection is."""

from __future__ import annotations

import pytest

from portal.cobot.records import Address, Membership
from portal.sevdesk.records import Contact
from portal.sync.member_matching import ContactFacts, match_members


def member(id_: str = "m", **more: object) -> Membership:
    address = Address(company=None, name="Mia Beispiel", post_code="20099")
    facts = {"name": "Mia Beispiel", "email": "mia@example.org", "address": address, **more}
    return Membership(id=id_, **facts)  # type: ignore[arg-type]


def contact(id_: str, number: str | None = None, name: str = "Jemand", **more: object):
    return ContactFacts(Contact(id_, number, name), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("contacts", "action", "why"),
    [
        ([contact("1", "7", "mia  BEISPIEL")], "link", "number"),
        ([contact("1", "7", emails=("Mia@Example.org",))], "link", "number"),
        ([contact("1", "7")], "ambiguous", "number_of_stranger"),
        ([contact("1", "7"), contact("2", "7")], "ambiguous", "number_ambiguous"),
        ([contact("1", "8", emails=("mia@example.org",))], "link", "email"),
        (
            [contact(one, emails=("mia@example.org",)) for one in "12"],
            "ambiguous",
            "email_ambiguous",
        ),
        (
            [contact("1", "9", "Mia Beispiel", post_codes=("20099",))],
            "ambiguous",
            "name_and_post_code",
        ),
        ([contact("1", "9", "Mia Beispiel", post_codes=("20457",))], "create", None),
        ([], "create", None),
    ],
)
def test_number_then_email_and_name_with_post_code_only_hints(contacts, action, why) -> None:
    [match] = match_members([member(customer_number="7")], contacts, set()).values()
    assert (match.action, match.why) == (action, why)


def test_one_contact_is_never_given_to_two_members() -> None:
    mail = [contact("1", "8", emails=("mia@example.org",))]
    found = match_members([member("a"), member("b")], mail, set())
    assert {match.why for match in found.values()} == {"shared"}
    [taken] = match_members([member("a")], mail, {"1"}).values()
    assert (taken.action, taken.why) == ("ambiguous", "contact_taken")
