"""Tables as CSV files that open in a spreadsheet as they are, and do nothing there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 as something else."""
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


def csv_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as lines of a CSV file, separated by semicolons, cell by cell harmless."""
    yield BYTE_ORDER_MARK
    for row in rows:
        line = io.StringIO()
        csv.writer(line, delimiter=";").writerow([safe_cell(cell) for cell in row])
        yield line.getvalue()


def safe_cell(text: str) -> str:
    """Return the text so that no spreadsheet runs it as a formula.

    A negative number stays one: minus and digits are no formula.
    """
    if not text.startswith(DANGEROUS):
        return text
    is_number = text[0] == "-" and text[1:].replace(".", "").replace(",", "").isdigit()
    return text if is_number else "'" + text
