"""All contacts of a sevdesk client at once, for work that would ask for each number alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app

from portal.models import InvoiceSync, Space
from portal.services.clients import Remotes
from portal.services.task_looks import MOST_PAGES, Look
from portal.services.work import Work
from portal.sevdesk.records import Contact

MAX_AGE_SECONDS = 300


@dataclass(frozen=True)
class ContactBook:
    """The contacts by customer number, as read a moment ago."""

    contacts: tuple[Contact, ...]
    by_number: dict[str, tuple[Contact, ...]]

    @classmethod
    def of(cls, contacts: Sequence[Contact]) -> ContactBook:
        # A list that grows between two pages shows one contact twice.
        unique = {contact.id: contact for contact in contacts}
        sorted_: dict[str, list[Contact]] = {}
        for contact in unique.values():
            sorted_.setdefault((contact.customer_number or "").strip(), []).append(contact)
        return cls(tuple(unique.values()), {key: tuple(some) for key, some in sorted_.items()})

    def find(self, customer_number: str | None) -> tuple[Contact, ...]:
        """Return every contact with exactly this number."""
        number = (customer_number or "").strip()
        return self.by_number.get(number, ()) if number else ()


def read(look: Look) -> ContactBook:
    """Return the book for a look, read anew for it."""
    found = look.pages("contacts", look.remotes.sevdesk.contacts_page)
    return ContactBook.of(found)


def recent(space: Space, remotes: Remotes) -> ContactBook:
    """Return the book as it was some minutes ago at the most.

    Pages read before a budget was used up are kept. Raises RemoteError.
    """
    kept = current_app.extensions.setdefault("portal_contact_books", {})
    key = space.sevdesk_token_key
    read_at, pages, book = kept.get(key, (0.0, {}, None))
    if time.monotonic() - read_at > MAX_AGE_SECONDS:
        read_at, pages, book = time.monotonic(), {}, None
    if book is None:
        kept[key] = (read_at, pages, None)
        for page in range(MOST_PAGES):
            if page not in pages:
                pages[page] = remotes.sevdesk.contacts_page(page)
            if pages[page][1]:
                break
        book = ContactBook.of([contact for some, _ in pages.values() for contact in some])
        kept[key] = (read_at, {}, book)
    found: ContactBook = book
    return found


def find(work: Work, row: InvoiceSync, customer_number: str) -> tuple[Contact, ...]:
    """Return the contacts with the number of an invoice.

    Those of a backfill are looked up in the book; what it does not show is asked for by itself, it
    may have been made since.
    """
    if row.is_backfill:
        found = recent(work.space, work.remotes).find(customer_number)
        if len(found) == 1:
            return found
    return work.remotes.sevdesk.find_contacts(customer_number)
