"""Small parts of sevdesk's answers, read by the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.answers import mapping, rows, text, text_or_none
from portal.sevdesk.records import objects


def first(found: Any) -> Any:
    """Return the one object that sevdesk wraps in a list or not."""
    if not isinstance(found, list):
        return found
    return next(iter(rows(found, "objects")), None)


def uploaded(reply: Any) -> str:
    return text(mapping(objects(reply), "objects").get("filename"), "objects.filename")


def email(row: Any) -> tuple[str, str]:
    """Return owner and address of a row; two empty texts where it is no e-mail address."""
    row = mapping(row, "communicationWay")
    owner = row.get("contact")
    owner_id = text_or_none(owner.get("id")) if isinstance(owner, Mapping) else None
    address = text_or_none(row.get("value")) if row.get("type") == "EMAIL" else None
    return (owner_id, address) if owner_id and address else ("", "")


def post_code(row: Any) -> tuple[str, str]:
    """Return owner and post code of an address; two empty texts where it has none."""
    row = mapping(row, "contactAddress")
    owner = row.get("contact")
    owner_id = text_or_none(owner.get("id")) if isinstance(owner, Mapping) else None
    code = text_or_none(row.get("zip"))
    return (owner_id, code) if owner_id and code else ("", "")


def country(row: Any) -> tuple[str, str, str]:
    row = mapping(row, "country")
    code = text_or_none(row.get("code")) or ""
    return text(row.get("id"), "id"), code.casefold(), text_or_none(row.get("nameEn")) or ""
