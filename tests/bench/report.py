"""Writes the figures down: for the terminal, for programs, and into docs/performance.md."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent.parent
JSON = ROOT / "var" / "bench.json"
PAGE = ROOT / "docs" / "performance.md"
BEGIN = "<!-- Figures: written by `make bench`, from here -->"
END = "<!-- to here. -->"


def plain(figure: Figure) -> str:
    """Return a figure as one line."""
    said = f"{figure.what}: {_number(figure.median)} {figure.unit}"
    if figure.ratio is not None:
        said += f", {figure.ratio:.2f} × {figure.baseline}"
    if figure.goal is not None:
        said += f" (to reach {figure.goal}: {'yes' if figure.is_reached else 'NO'})"
    return said


def table(figures: Sequence[Json]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| # | measured | median (least to most) | baseline, median | ratio | to reach | |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_line(figure) for figure in figures]
    return "\n".join(lines)


class Said:
    """What was measured, row by row: var/bench.json, and the page made from it."""

    def __init__(self, facts: Json) -> None:
        self._all: Json = {"machine": facts, "rows": {}}

    def keep(
        self, row: int, figures: Sequence[Figure], seconds: float, *, rounds: int, scale: str
    ) -> None:
        """Write a row down, with the load of the machine while it was measured."""
        before = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {}
        self._all["rows"] = before.get("rows", {})
        self._all["rows"][str(row)] = {
            "measured": datetime.now(UTC).isoformat(timespec="minutes"),
            "rounds": rounds,
            "scale": scale,
            "seconds": round(seconds),
            "load": round(os.getloadavg()[1], 1),
            "figures": [figure.to_json() for figure in figures],
        }
        JSON.parent.mkdir(exist_ok=True)
        text = json.dumps(self._all, indent=1, ensure_ascii=False)
        JSON.write_text(f"{text}\n", encoding="utf-8")

    def lacks(self, rows: Iterable[int]) -> list[int]:
        """Return which of these rows were never measured on this machine: a page made without them
        would lose what stands there."""
        return [row for row in rows if str(row) not in self._all["rows"]]

    def write_page(self) -> None:
        """Put the figures into docs/performance.md, between its marks."""
        rows = sorted(self._all["rows"].items(), key=lambda row: int(row[0]))
        figures = [figure for _, row in rows for figure in row["figures"]]
        runs = [
            f"| {number} | {row['measured']} | {row['rounds']} | {row['scale']} |"
            f" {row['seconds']} | {row['load']} |"
            for number, row in rows
        ]
        head = (
            "| # | measured (UTC) | rounds | sizes | seconds | load |",
            "|---|---|---|---|---|---|",
        )
        parts = (BEGIN, _about(self._all), table(figures), _reached(figures))
        body = "\n\n".join((*parts, "\n".join((*head, *runs)), END))
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{body}{after}", encoding="utf-8")


def _line(figure: Json) -> str:
    base = figure["baseline"]
    cells = (
        str(figure["row"]),
        figure["what"] + (f" ({figure['note']})" if figure["note"] else ""),
        f"{_number(figure['median'])} {figure['unit']}{_spread(figure)}",
        f"{base}: {_number(figure['baseline_median'])}" if base else "",
        f"{figure['ratio']:.2f}" if figure["ratio"] is not None else "",
        figure["goal"] or "",
        {None: "", True: "reached", False: "**not reached**"}[figure["is_reached"]],
    )
    return f"| {' | '.join(cells)} |"


def _about(said: Json) -> str:
    facts = said["machine"]
    names = ("postgresql", "sqlite", "gunicorn", "flask", "sqlalchemy", "psycopg", "rq", "requests")
    versions = ", ".join(f"{name} {facts[name]}" for name in names if facts.get(name))
    return (
        f"{facts['cores']} cores ({facts['processor']}), {facts['memory_gb']} GB,"
        f" {facts['system']}; Python {facts['python']}, {versions}. The load is the average number"
        f" of processes that wanted a core while a row was measured; above {facts['cores']} others"
        " were at work beside it, and times say little without their ratio."
    )


def _reached(figures: Sequence[Json]) -> str:
    asked = [figure for figure in figures if figure["is_reached"] is not None]
    reached = sum(figure["is_reached"] for figure in asked)
    return f"{reached} of {len(asked)} goals are reached."


def _spread(figure: Json) -> str:
    least, most = figure["least"], figure["most"]
    return "" if least == most else f" ({_number(least)} to {_number(most)})"


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
