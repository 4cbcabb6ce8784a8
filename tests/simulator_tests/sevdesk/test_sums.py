"""The one place where the simulator says how sevdesk adds up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulator.sevdesk.sums import Sums, position_sums, total


@pytest.mark.parametrize(
    ("amount", "rate", "is_net", "expected"),
    [
        ("220", "19", True, ("220.00", "41.80", "261.80")),
        ("0.50", "7", True, ("0.50", "0.04", "0.54")),
        ("-0.50", "7", True, ("-0.50", "-0.04", "-0.54")),
        ("261.80", "19", False, ("220.00", "41.80", "261.80")),
        ("5.00", "19", False, ("4.20", "0.80", "5.00")),
        ("10.005", "0", True, ("10.01", "0.00", "10.01")),
    ],
)
def test_sums_of_a_position(
    amount: str, rate: str, is_net: bool, expected: tuple[str, ...]
) -> None:
    found = position_sums(Decimal(amount), Decimal(rate), is_net=is_net)
    assert (found.net, found.tax, found.gross) == tuple(map(Decimal, expected))


def test_total_adds_rounded_taxes_and_rounds_nothing_again() -> None:
    line = position_sums(Decimal("0.13"), Decimal(19), is_net=True)
    assert total([line] * 3) == Sums(Decimal("0.39"), Decimal("0.06"), Decimal("0.45"))
    assert total([]) == Sums(Decimal(0), Decimal(0), Decimal(0))
