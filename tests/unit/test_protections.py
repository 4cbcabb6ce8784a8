"""docs/security.md says what is so: every item has a row, and each row's place and test exist."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.protections.document import written
from tests.protections.rows import ROWS, Row

NAMED = [
    "3.3.1", "3.3.2", "3.3.3", "3.3.4", "7.2.3", "7.2.4", "7.3.1", "7.3.2", "7.4.1", "7.4.2",
    "7.4.5", "3.5.1", "3.5.3", "3.4.1", "3.4.3", "3.4.4", "3.4.5", "3.4.6", "3.4.8", "14.3.2",
    "3.6.1", "10.1.2", "10.2.1", "10.2.3", "10.1.1", "10.5.2", "8.2.2", "8.3.2", "8.4.1",
    "11.5.1", "11.3.2", "11.3.3", "13.3.1", "13.3.4", "14.2.1", "1.3.6", "13.2.4", "13.2.5",
    "16.4.1", "16.2.5", "16.2.1", "16.3.1", "16.3.2", "16.3.3", "2.4.1", "2.3.3", "2.3.4",
    "15.4.2", "16.5.2", "16.5.3", "15.1.1", "15.1.2", "13.4.2", "1.2.10",
]  # fmt: skip
"""The items of ASVS 5.0 that apply here."""


def test_every_item_has_a_row() -> None:
    have = {item for row in ROWS for item in row.items.split(", ")}
    assert [item for item in NAMED if item not in have] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.items}-{row.test.rpartition('::')[2]}")
def test_a_row_names_what_there_is(row: Row) -> None:
    """The place exactly once, so that taking it away (make protections) takes this away."""
    assert (ROOT / row.file).read_text(encoding="utf-8").count(row.old) == 1
    assert row.new != row.old
    path, _, name = row.test.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_document_is_what_the_rows_say() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    assert written(text) == text, "make security-document"
