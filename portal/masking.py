"""What of a request or an answer may be kept: figures, days, codes. Pure.

Kept is what is known to be harmless; every other text (names, addresses, descriptions) becomes
MASK. So a field that the remote side invents tomorrow is masked too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any

MASK = "[…]"
MOST_ENTRIES = 20
"""So many entries of a list or fields of an object are kept."""
DEEPEST = 8
LONGEST_TEXT = 500

PLAIN = frozenset(
    [
        "accountingcode",
        "code",
        "correctedinvoice",
        "creditdebit",
        "currency",
        "customernumber",
        "detail",
        "error",
        "errors",
        "exceptionuuid",
        "id",
        "mapall",
        "message",
        "number",
        "objectname",
        "paidstatus",
        "pointer",
        "status",
        "taxtype",
        "type",
        "vouchertype",
    ]
)
"""Fields whose text is a code or a message of the remote side; secrets within it are masked."""
PERSONAL = re.compile(r"phone|mobile|zip|post_?code|iban|bic|bank|tax_?(id|number)|vat|birth", re.I)
"""Fields whose figures belong to a person."""

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?\b")
SHORTEST_TOKEN = 32
_TOKEN = re.compile(rf"\b[0-9A-Fa-f]{{{SHORTEST_TOKEN},}}\b")
_HEX_ID = re.compile(r"[0-9a-f]{32}")
"""An id of Cobot, which by its shape could be a token of sevdesk. Source: the examples in
https://dev.cobot.me/api-docs/invoices"""
_FIGURES = re.compile(r"[-+]?[0-9]{1,12}([.,:TZ+-]+[0-9]{0,12}){0,8}")
SHORTEST_SECRET = 8
"""A shorter one is no secret, and its letters may be any word's."""


def without_secrets(text: str, hidden: Sequence[str] = ()) -> str:
    """Return the text with e-mail addresses, IBANs and the hidden texts masked."""
    text = without_hidden(text, hidden)
    return _IBAN.sub("[IBAN]", _EMAIL.sub("[e-mail]", text))


def without_hidden(text: str, hidden: Sequence[str]) -> str:
    """Return the text with the hidden texts masked."""
    for secret in hidden:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[...]")
    return text


def masked(value: Any, hidden: Sequence[str] = ()) -> Any:
    """Return what of a parsed body may be kept, in the same shape; long lists are cut."""
    return _masked(value, "", hidden, DEEPEST)


def _masked(value: Any, name: str, hidden: Sequence[str], depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if depth == 0:
        return MASK
    if isinstance(value, str):
        return _masked_text(value, name, hidden)
    if isinstance(value, dict | Mapping):  # to ask for the first alone is cheap
        fields = {
            _shown_name(str(key), hidden): _masked(part, str(key), hidden, depth - 1)
            for key, part in islice(value.items(), MOST_ENTRIES)
        }
        return fields | _rest(len(value))
    if isinstance(value, list | tuple):
        entries = [_masked(one, name, hidden, depth - 1) for one in value[:MOST_ENTRIES]]
        return [*entries, _rest(len(value))] if len(value) > MOST_ENTRIES else entries
    if isinstance(value, int | float | Decimal):
        if _kind_of(name) == _PERSONAL:
            return MASK
        return float(value) if isinstance(value, Decimal) else value
    return _masked_text(str(value), name, hidden)


def _masked_text(text: str, name: str, hidden: Sequence[str]) -> str:
    kind = _kind_of(name)
    if kind == _PERSONAL:
        return MASK
    if _FIGURES.fullmatch(text) or not text:
        return text
    if kind == _ID and _HEX_ID.fullmatch(text):
        return without_hidden(text, hidden)
    return MASK if kind == _OTHER else _text(text, hidden)[:LONGEST_TEXT]


_PERSONAL, _ID, _PLAIN, _OTHER = range(4)


@lru_cache(maxsize=1000)
def _kind_of(name: str) -> int:
    """Return what a field of this name may hold. There are few names, and each comes often."""
    if PERSONAL.search(name):
        return _PERSONAL
    if name.lower() == "id":
        return _ID
    return _PLAIN if name.lower() in PLAIN else _OTHER


def _shown_name(name: str, hidden: Sequence[str]) -> str:
    if any(secret in name for secret in hidden):
        return _text(name, hidden)[:60]
    return _clean_name(name)


@lru_cache(maxsize=1000)
def _clean_name(name: str) -> str:
    return _text(name, ())[:60]


def _rest(entries: int) -> dict[str, int]:
    return {"…": entries - MOST_ENTRIES} if entries > MOST_ENTRIES else {}


def _text(text: str, hidden: Sequence[str]) -> str:
    if len(text) < SHORTEST_TOKEN and text.isascii() and text.isalpha():
        # A word, as all names of fields are: no address, no IBAN, and too short for a token.
        return without_hidden(text, hidden)
    shown = "".join(character if character.isprintable() else " " for character in text)
    return _TOKEN.sub("[token]", without_secrets(shown, hidden))
