"""Cobot's own pages, from the addresses and templates that Cobot gives for a space. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

INVOICE = "admin:invoice"
ACCOUNTING_CODES = "admin:accounting-codes"

_EXPRESSION = re.compile(r"\{([+#./;?&]?)([^{}]*)\}")
_NAMES = ("invoiceId", "invoice_id", "id")


def page_address(urls: Mapping[str, str], page: str, invoice_id: str = "") -> str | None:
    """Return the address of one of Cobot's pages, None when Cobot names none that can be used."""
    template = urls.get(page)
    if template is None:
        return None
    address = fill_template(template, dict.fromkeys(_NAMES, invoice_id) if invoice_id else {})
    if address is None:
        return None
    parts = urlsplit(address)
    return address if parts.scheme in ("https", "http") and parts.hostname else None


def fill_template(template: str, values: Mapping[str, str]) -> str | None:
    """Return a URI template (RFC 6570) filled in; None when a value that it needs is missing.

    Optional parts (query, fragment) whose values are missing are left out.
    """
    missing = False

    def expand(match: re.Match[str]) -> str:
        nonlocal missing
        operator, names = match.groups()
        known = {name: values.get(name) for name in _plain(names)}
        present = {name: value for name, value in known.items() if value}
        if operator in ("?", "&", ";"):
            pairs = [f"{name}={quote(value, safe='')}" for name, value in present.items()]
            joiner = ";" if operator == ";" else "&"
            return operator + joiner.join(pairs) if pairs else ""
        if len(present) < len(known) and operator != "#":
            missing = True
        safe = "/:?#[]@!$&'()*+,;=" if operator in ("+", "#") else ""
        filled = [quote(value, safe=safe) for value in present.values()]
        if not filled:
            return ""
        joiner = operator if operator in (".", "/") else ","
        return (operator if operator in ("#", ".", "/") else "") + joiner.join(filled)

    filled = _EXPRESSION.sub(expand, template)
    return None if missing or "{" in filled or "}" in filled else filled


def _plain(names: str) -> list[str]:
    """Return the names of an expression without their modifiers."""
    return [re.sub(r"(\*|:[0-9]+)$", "", name) for name in names.split(",")]
