"""Gaps in numbers, and what was edited after booking."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from portal.sync.months import Booked, edits_of, gaps_in
from tests.unit.sync.factories import invoice, line


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        (["R-1", "R-2", "R-3"], []),
        (["R-001", "R-004"], ["R-002", "R-003"]),
        (["2026-0009", "2026-0011"], ["2026-0010"]),
        (["A-1", "A-3", "B-7"], ["A-2"]),
        (["2531-Ljnk-278", "2531-Ljnk-280"], ["2531-Ljnk-279"]),
        (["R-1", "R-900000"], []),
        (["ohne", ""], []),
    ],
)
def test_gaps_are_the_numbers_between_two_that_are_there(
    numbers: list[str], missing: list[str]
) -> None:
    assert gaps_in(numbers) == missing


def test_edits_are_named_field_by_field() -> None:
    booked = invoice(line())
    first = booked.lines[0]
    facts = {"code": first.accounting_code, "net": str(first.net), "rate": "19.0"}
    was = Booked(booked.number, booked.invoice_date, Decimal(f"{booked.gross:.2f}"), "7", (facts,))
    assert edits_of(was, booked) == []
    moved = replace(booked, invoice_date=date(2020, 1, 1), customer_number="8")
    assert [edit.field for edit in edits_of(was, moved)] == ["date"]
    recoded = replace(booked, lines=(replace(first, accounting_code="anders"),))
    assert [edit.field for edit in edits_of(was, recoded)] == ["line_1"]
    more = replace(booked, lines=(first, first), gross=booked.gross * 2)
    assert [edit.field for edit in edits_of(was, more)] == ["gross", "line_count"]
