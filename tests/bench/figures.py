"""A measured figure: its rounds, what it is compared with, and what was to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Goal:
    """What a figure is to reach; bounds hold for the median, or for its ratio to the baseline."""

    at_most: float | None = None
    at_least: float | None = None
    is_ratio: bool = False

    def is_reached(self, value: float) -> bool:
        return (self.at_most is None or value <= self.at_most) and (
            self.at_least is None or value >= self.at_least
        )

    def __str__(self) -> str:
        sign, bound = ("≤", self.at_most) if self.at_most is not None else ("≥", self.at_least)
        return f"{sign} {bound:g}{' ×' if self.is_ratio else ''}"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    `is_count`: a number that does not hang on the machine; beyond its goal the run fails.
    """

    row: int
    what: str
    unit: str
    rounds: Sequence[float]
    baseline: str = ""
    baseline_rounds: Sequence[float] = field(default=())
    goal: Goal | None = None
    is_count: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def ratio(self) -> float | None:
        """Return the median through the baseline's."""
        below = median(self.baseline_rounds) if self.baseline_rounds else 0
        return self.median / below if below else None

    @property
    def is_reached(self) -> bool | None:
        """Return whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        value = self.ratio if self.goal.is_ratio else self.median
        return value is not None and self.goal.is_reached(value)

    @property
    def is_broken(self) -> bool:
        return self.is_count and self.is_reached is False

    def to_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "what": self.what,
            "unit": self.unit,
            "median": self.median,
            "least": min(self.rounds),
            "most": max(self.rounds),
            "rounds": list(self.rounds),
            "baseline": self.baseline or None,
            "baseline_median": median(self.baseline_rounds) if self.baseline_rounds else None,
            "baseline_rounds": list(self.baseline_rounds),
            "ratio": self.ratio,
            "goal": str(self.goal) if self.goal else None,
            "is_reached": self.is_reached,
            "is_count": self.is_count,
            "note": self.note or None,
        }


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of them lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
