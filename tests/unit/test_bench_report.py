"""Single rows that are measured anew take nothing of the page away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import report


def test_rows_that_were_never_measured_here_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "JSON", tmp_path / "bench.json")
    for row in (1, 3):
        said = report.Said({})
        said.keep(row, [], 1.0, rounds=5, scale="whole")
    assert said.lacks([1, 2, 3, 4]) == [2, 4]
    assert said.lacks([1, 3]) == []
