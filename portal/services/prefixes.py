"""Searching by how a text begins, in a way that both databases answer from an index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import InstrumentedAttribute

from portal.database import db

LONGEST = 300
LAST_CHARACTER = "\U0010ffff"


def starts_with(column: InstrumentedAttribute[Any], prefix: str) -> ColumnElement[bool]:
    """Return the condition that the column begins with exactly this text; nothing is a wildcard.

    PostgreSQL uses its text_pattern_ops index for LIKE; SQLite ignores case in LIKE and so uses no
    index for it, but one for a range (there, texts compare byte by byte).
    """
    if db.engine.dialect.name == "sqlite":
        return and_(column >= prefix, column < prefix + LAST_CHARACTER)
    return column.startswith(prefix, autoescape=True)


def folded(name: str) -> str:
    """Return a name as the search compares it: lower case, single blanks."""
    return " ".join(name.casefold().split())[:LONGEST]


def folded_last(name: str) -> str:
    """Return the same beginning with the last word: people search for family names."""
    first, _, last = folded(name).rpartition(" ")
    return f"{last} {first}".strip()
