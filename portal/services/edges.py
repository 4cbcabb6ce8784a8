"""The places where a worker may die: every commit between two remote calls."""

from __future__ import annotations

from enum import StrEnum


class Edge(StrEnum):
    """Every commit between two remote calls: the places where a worker may die.

    The tests of faults kill a worker at each of them, so a new commit needs a name here.
    """

    LATER = "later"
    PAUSED = "paused"
    FAILED = "failed"
    SKIPPED = "skipped"
    FETCHED = "fetched"
    WAITS_FOR_MEMBER = "waits_for_member"
    SENDING = "sending"
    UNKNOWN = "unknown"
    CONTACT_GONE = "contact_gone"
    SAVED = "saved"
    IMPORT_TAGGED = "import_tagged"
    TAGGED = "tagged"
    LOOKED = "looked"
    TELLING = "telling"
    TELLING_LATER = "telling_later"
    TOLD = "told"
    MEMBER_READ = "member_read"
    CONTACT_SENDING = "contact_sending"
    CONTACT_MADE = "contact_made"
    CONTACT_LINKED = "contact_linked"
    ADDRESS_SENDING = "address_sending"
    ADDRESS_LATER = "address_later"
    ADDRESS_DONE = "address_done"
    EMAIL_SENDING = "email_sending"
    EMAIL_LATER = "email_later"
    EMAIL_DONE = "email_done"
    NUMBER_WRITTEN = "number_written"
    NOTING = "noting"
    NOTED = "noted"
    MEMBER_DONE = "member_done"


BEFORE_A_WRITE = {Edge.SENDING, Edge.CONTACT_SENDING}
"""What is committed here cannot be undone by anybody: a receipt or a contact is made next."""

OF_ONE_SEVDESK = {Edge.CONTACT_LINKED, Edge.CONTACT_MADE}
"""What is committed here names a contact: it holds for the sevdesk that was asked alone."""

LAST_OF_A_ROW = {Edge.TAGGED}
"""Mostly nothing follows these for the same row: what is due next is asked in the same
transaction."""
