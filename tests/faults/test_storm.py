"""Row 40: the storm, short; `make storm` runs longer ones with any seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.storm import run


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1])
def test_f40_the_storm(tmp_path: Path, seed: int) -> None:
    """200 invoices: lost and wrong answers, kills, warm ends, stops, cuts, blackouts, revoked
    tokens, FLUSHALL, edits, deletions and repairs at random; then it heals.

    Held: I1 to I9; no invoice lost, none booked twice.
    """
    assert run(seed=seed, invoices=200, seconds=None, folder=tmp_path) == []
