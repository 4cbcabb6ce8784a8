"""The form of the catalogue's entries, and how their placeholders are filled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

MONEY_PARAMS = frozenset({"a", "b"})
"""Parameters that hold an amount in euro with a point; they are shown in the reader's way."""

DECIMAL_PARAMS = frozenset({"rate"})
"""Parameters that hold a plain number with a point."""

RETRY_KINDS = (
    "after_fix",  # a person repairs something over there, then presses retry
    "after_fix_by_group",  # the same, and one repair heals all with this cause
    "after_choice_by_group",  # choosing a setting heals all with this cause
    "choice",  # a person decides about this one invoice
    "automatic",  # we try again by ourselves
    "all_automatic",  # everything of the space goes on by itself after the repair
    "optional",  # booked; a person may complete it
    "manual",  # to be entered in sevdesk by hand
    "support",  # support staff must look
    "none",  # nothing to do
)

LINKS = (
    "settings",  # our page with the space's sevdesk data
    "space_settings",  # our page where a space is paused and disconnected
    "sign_in",  # sign in with Cobot again
    "accounts",  # accounting codes beside booking accounts
    "cobot_invoice",
    "sevdesk_voucher",
    "sevdesk_contacts",
)


def N_(text: str) -> str:  # noqa: N802 - the name by which gettext's tools know it
    """Mark a text for translation; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Entry:
    """One cause: what happened, what to do (None: nothing), how it is tried again, where to go."""

    code: str
    cause: str
    fix: str | None
    retry: str
    link: str | None = None


def fill(text: str, params: Mapping[str, str]) -> str:
    """Return the (translated) text with its parameters; one that is missing shows as "?"."""
    return text % defaultdict(lambda: "?", params)
