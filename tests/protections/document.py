"""The table of docs/security.md, made from the rows."""

from __future__ import annotations

from itertools import groupby

from tests.protections.rows import ROWS

BEGIN = "<!-- rows: written by `make security-document` -->\n"
END = "<!-- end of the rows -->\n"


HEAD = "| item (level) | what we do | file | test |\n|---|---|---|---|\n"


def written(text: str) -> str:
    """Return the document with the table as the rows say it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


def table() -> str:
    parts = []
    for area, rows in groupby(ROWS, key=lambda row: row.area):
        parts.append(f"\n### {area}\n\n{HEAD}")
        for row in rows:
            does = row.does.replace("|", "\\|")
            place, _, name = row.test.partition("::")
            parts.append(
                f"| {row.items} ({row.level}) | {does} | `{row.file}` | `{place}`: {name} |\n"
            )
    return "".join(parts) + "\n"
