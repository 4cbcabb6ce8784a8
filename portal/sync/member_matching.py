"""Which contact a member from before the connection is: by number, then e-mail; a name only hints.

Cobot and sevdesk both count customer numbers upwards, so an equal number alone is likely a
stranger's: e-mail or name must agree, as for new members. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from portal.cobot.records import Membership
from portal.sevdesk.records import Contact
from portal.sync.accounts import fold_name

MOST_CANDIDATES = 5


@dataclass(frozen=True)
class ContactFacts:
    """A contact with what a member is compared by."""

    contact: Contact
    emails: tuple[str, ...] = ()
    post_codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MemberMatch:
    """What is to be done with a member.

    `action` is "link" (to `contact`), "create", or "ambiguous": a person decides among
    `candidates`. `why`: "number", "email", or of an ambiguous one "number_of_stranger",
    "number_ambiguous", "email_ambiguous", "name_and_post_code", "contact_taken", "shared",
    "same_person".
    """

    action: str
    why: str | None = None
    contact: Contact | None = None
    candidates: tuple[Contact, ...] = ()


def match_members(
    members: Sequence[Membership],
    contacts: Sequence[ContactFacts],
    taken: frozenset[str] | set[str],
) -> dict[str, MemberMatch]:
    """Match every member by its id. `taken` are contacts that other members have already.

    Two members that would get one contact are both a person's to decide, and so are two that seem
    to be one person and would get a contact each.
    """
    book = _Book(contacts)
    found = {member.id: _match(member, book, taken) for member in members}
    for member_id in _alike([one for one in members if found[one.id].action == "create"]):
        found[member_id] = MemberMatch("ambiguous", "same_person")
    counts: dict[str, int] = {}
    for match in found.values():
        if match.contact is not None:
            counts[match.contact.id] = counts.get(match.contact.id, 0) + 1
    return {
        member_id: _shared(match)
        if match.contact is not None and counts[match.contact.id] > 1
        else match
        for member_id, match in found.items()
    }


def _alike(members: Sequence[Membership]) -> set[str]:
    """Return the ids of those who share an e-mail address, or a name and a post code."""
    groups: dict[tuple[str, ...], set[str]] = {}
    for member in members:
        code = fold_name(member.address.post_code or "")
        email = fold_name(member.email or "")
        if email:
            groups.setdefault((email,), set()).add(member.id)
        for name in _names(member) if code else ():
            groups.setdefault((name, code), set()).add(member.id)
    return {one for group in groups.values() if len(group) > 1 for one in group}


class _Book:
    def __init__(self, contacts: Sequence[ContactFacts]) -> None:
        self.by_number: dict[str, list[ContactFacts]] = {}
        self.by_email: dict[str, list[ContactFacts]] = {}
        self.by_place: dict[tuple[str, str], list[ContactFacts]] = {}
        for facts in contacts:
            number = (facts.contact.customer_number or "").strip()
            if number:
                self.by_number.setdefault(number, []).append(facts)
            for email in {fold_name(email) for email in facts.emails} - {""}:
                self.by_email.setdefault(email, []).append(facts)
            name = fold_name(facts.contact.name)
            for code in {fold_name(code) for code in facts.post_codes} - {""}:
                if name:
                    self.by_place.setdefault((name, code), []).append(facts)


def _match(member: Membership, book: _Book, taken: frozenset[str] | set[str]) -> MemberMatch:
    number = (member.customer_number or "").strip()
    of_number = book.by_number.get(number, []) if number else []
    email = fold_name(member.email or "")
    of_email = book.by_email.get(email, []) if email else []
    hint = "number_of_stranger" if of_number else None
    if len(of_number) == 1 and _agrees(member, of_number[0]):
        return _link(of_number[0].contact, "number", taken)
    if len(of_number) > 1:
        agreeing = [facts for facts in of_number if _agrees(member, facts)]
        return _ambiguous("number_ambiguous", agreeing or of_number)
    if len(of_email) == 1:
        return _link(of_email[0].contact, "email", taken)
    if of_email:
        return _ambiguous("email_ambiguous", of_email)
    of_place = _at_place(member, book)
    if of_place:
        return _ambiguous("name_and_post_code", of_place)
    if hint:
        return _ambiguous(hint, of_number)
    return MemberMatch("create")


def _agrees(member: Membership, facts: ContactFacts) -> bool:
    emails = {fold_name(email) for email in facts.emails} - {""}
    return fold_name(member.email or "") in emails or fold_name(facts.contact.name) in _names(
        member
    )


def _at_place(member: Membership, book: _Book) -> list[ContactFacts]:
    code = fold_name(member.address.post_code or "")
    found: dict[str, ContactFacts] = {}
    for name in _names(member):
        for facts in book.by_place.get((name, code), []) if code else []:
            found[facts.contact.id] = facts
    return list(found.values())


def _names(member: Membership) -> set[str]:
    names = (member.address.company, member.name, member.address.name)
    return {fold_name(name or "") for name in names} - {""}


def _link(contact: Contact, why: str, taken: frozenset[str] | set[str]) -> MemberMatch:
    if contact.id in taken:
        return MemberMatch("ambiguous", "contact_taken", None, (contact,))
    return MemberMatch("link", why, contact, (contact,))


def _ambiguous(why: str, found: Sequence[ContactFacts]) -> MemberMatch:
    candidates = tuple(facts.contact for facts in found[:MOST_CANDIDATES])
    return MemberMatch("ambiguous", why, None, candidates)


def _shared(match: MemberMatch) -> MemberMatch:
    return replace(match, action="ambiguous", why="shared", contact=None)
