"""Searching by how a text begins, in a way that both databases answer from an index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text, and_, literal
from sqlalchemy.orm import InstrumentedAttribute

from portal.database import db

LONGEST = 300
LAST_CHARACTER = "\U0010ffff"


def starts_with(column: InstrumentedAttribute[Any], prefix: str) -> ColumnElement[bool]:
    """Return the condition that the column begins with exactly this text; nothing is a wildcard.

    As a range, byte by byte: SQLite ignores case in LIKE and so uses no index for it, and
    PostgreSQL uses none for LIKE where row level security holds (it may tell of hidden rows); the
    comparisons of text_pattern_ops are known to be silent.
    """
    last = prefix + LAST_CHARACTER
    if db.engine.dialect.name == "sqlite":
        return and_(column >= prefix, column < last)
    return and_(
        column.bool_op("~>=~")(literal(prefix, Text)), column.bool_op("~<~")(literal(last, Text))
    )


def folded(name: str) -> str:
    """Return a name as the search compares it: lower case, single blanks."""
    return " ".join(name.casefold().split())[:LONGEST]


def folded_last(name: str) -> str:
    """Return the same beginning with the last word: people search for family names."""
    first, _, last = folded(name).rpartition(" ")
    return f"{last} {first}".strip()
