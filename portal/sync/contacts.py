"""Which sevdesk contact an invoice or a member belongs to, and how a new contact looks.

Sources: Cobot help, "Connecting Cobot to sevdesk": the receipt goes to the contact with the
invoice's customer number, without one it is tagged "mismatch"; a new member becomes a contact.
What is not said there is our decision, docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.cobot.records import Invoice, Membership
from portal.sevdesk.records import AddressDraft, Contact, ContactDraft
from portal.sync.accounts import fold_name
from portal.sync.causes import Cause
from portal.sync.countries import country_code

__all__ = [
    "NO_CONTACT",
    "AdoptContact",
    "ContactFound",
    "CreateContact",
    "MemberLink",
    "NoContact",
    "address_draft",
    "choose_contact",
    "contact_draft",
    "contact_of_invoice",
    "country_code",
    "needs_name",
    "plan_member",
]

NO_NUMBER = "\N{EN DASH}"
"""Stands in a cause's `number` where the invoice has no customer number."""
NO_CONTACT = ("contact_missing", "contact_ambiguous", "contact_of_stranger")
"""Why a voucher is made without a contact."""


@dataclass(frozen=True)
class MemberLink:
    """What we remember of a membership: its contact, the customer number we wrote to Cobot, and
    the one that Cobot had before (None: no number written, no number before)."""

    contact_id: str
    number_written: str | None = None
    number_before: str | None = None


@dataclass(frozen=True)
class ContactFound:
    contact_id: str


@dataclass(frozen=True)
class NoContact:
    """The voucher is made without a contact, tagged "mismatch"; the cause is one of NO_CONTACT."""

    cause: Cause


@dataclass(frozen=True)
class AdoptContact:
    """The member is this contact already."""

    contact: Contact


@dataclass(frozen=True)
class CreateContact:
    """A new contact is to be made. `why` is filled where the member's number was found and not
    taken: "number_of_stranger" or "number_ambiguous"; the history says so."""

    why: str | None = None


def contact_of_invoice(
    invoice: Invoice, debtor_link: str | None, member: MemberLink | None
) -> str | None:
    """Return the contact that our own rows name for this invoice, None when they name none.

    First the one an admin chose for the debtor; then that of the linked membership, if the
    invoice's number is empty, the one we wrote, or the one before. Another number was set by a
    person since, and counts: `choose_contact`.
    """
    if debtor_link:
        return debtor_link
    if member is None or invoice.debtor is None or invoice.debtor.kind != "memberships":
        return None
    ours = {"", _number(member.number_written), _number(member.number_before)}
    return (member.contact_id or None) if _number(invoice.customer_number) in ours else None


def needs_name(invoice: Invoice, number_before: str | None) -> bool:
    """Say whether the contact with the invoice's number must have the name on it as well, where who
    pays is to become a contact and is none yet.

    `number_before` is the one that Cobot gave them; None: nobody knows it. Cobot and sevdesk both
    count upwards, so in sevdesk it is likely a stranger's. A number that a person set since, or
    that sevdesk gave, counts by itself.
    """
    return number_before is None or _number(invoice.customer_number) == _number(number_before)


def choose_contact(
    invoice: Invoice, found: Sequence[Contact], *, needs_name: bool = False
) -> ContactFound | NoContact:
    """Return the one contact with the invoice's customer number, or why there is none.

    `found` is what sevdesk answered for that number; contacts with another number are left out.
    """
    number = _number(invoice.customer_number)
    if not number:
        return NoContact(Cause("contact_missing", {"number": NO_NUMBER}))
    hits = _with_number(number, found)
    if not hits:
        return NoContact(Cause("contact_missing", {"number": number}))
    if len(hits) > 1:
        return NoContact(Cause("contact_ambiguous", {"number": number}))
    recipient = (invoice.recipient.company, invoice.recipient.name)
    names = {fold_name(name or "") for name in recipient} - {""}
    if needs_name and fold_name(hits[0].name) not in names:
        return NoContact(Cause("contact_of_stranger", {"number": number}))
    return ContactFound(hits[0].id)


def plan_member(
    membership: Membership, found: Sequence[tuple[Contact, tuple[str, ...]]]
) -> AdoptContact | CreateContact:
    """Decide whether a new member is a contact already. `found` holds contacts and their e-mails.

    Only the single contact with the member's number is adopted, and only when its e-mail or name
    agrees: Cobot and sevdesk both count upwards, so an equal number alone is likely a stranger's.
    """
    number = _number(membership.customer_number)
    hits = _with_number(number, [contact for contact, _ in found]) if number else []
    if not hits:
        return CreateContact()
    if len(hits) > 1:
        return CreateContact("number_ambiguous")
    contact = hits[0]
    emails = {fold_name(email) for held, known in found if held.id == contact.id for email in known}
    names = {fold_name(name or "") for name in (membership.address.company, *_names(membership))}
    agrees = (fold_name(membership.email or "") in emails - {""}) or (
        fold_name(contact.name) in names - {""}
    )
    return AdoptContact(contact) if agrees else CreateContact("number_of_stranger")


def contact_draft(membership: Membership, customer_number: str) -> ContactDraft:
    """Return the contact to be made: an organisation when the address names a company.

    Else a person: the last word is the family name, the rest the first name. A member without any
    name is known by the e-mail address, else by the number, since sevdesk shows a name.
    """
    company = _text(membership.address.company)
    if company:
        return ContactDraft(customer_number=customer_number, organisation=company)
    name = next(
        (name for name in _names(membership) if name),
        _text(membership.email) or f"Kundennummer {customer_number}",
    )
    *first, last = name.split()
    return ContactDraft(
        customer_number=customer_number, surename=" ".join(first) or None, familyname=last
    )


def address_draft(membership: Membership) -> AddressDraft | None:
    """Return the contact's address, None when Cobot knows neither street, post code nor city."""
    address = membership.address
    street, post_code, city = map(_text, (address.street, address.post_code, address.city))
    if not (street or post_code or city):
        return None
    return AddressDraft(
        street=street,
        zip=post_code,
        city=city,
        country_code=country_code(address.country),
        name=_text(address.company) or next((name for name in _names(membership) if name), None),
    )


def _names(membership: Membership) -> tuple[str | None, str | None]:
    """Return the names of the person, best first."""
    return _text(membership.name), _text(membership.address.name)


def _with_number(number: str, contacts: Sequence[Contact]) -> list[Contact]:
    # The search is sevdesk's: compare again here, and count a contact that came twice once.
    by_id = {c.id: c for c in contacts if _number(c.customer_number) == number}
    return list(by_id.values())


def _number(number: str | None) -> str:
    return (number or "").strip()


def _text(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None
