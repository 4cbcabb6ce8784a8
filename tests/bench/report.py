"""Writes the figures down: for the terminal, for programs, and into docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
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


def write_json(
    figures: Sequence[Figure], facts: Json, seconds: float, *, rounds: int, scale: str
) -> Json:
    """Write var/bench.json: every round of every figure, and what it was measured on."""
    said = {
        "machine": facts,
        "rounds": rounds,
        "scale": scale,
        "seconds": round(seconds),
        "figures": [figure.to_json() for figure in figures],
    }
    JSON.parent.mkdir(exist_ok=True)
    JSON.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return said


def write_page() -> None:
    """Put the figures of var/bench.json into docs/performance.md, between its marks."""
    said = json.loads(JSON.read_text(encoding="utf-8"))
    parts = (BEGIN, _about(said), table(said["figures"]), _reached(said["figures"]), END)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + "\n\n".join(parts) + after, encoding="utf-8")


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
        f" {facts['system']}; Python {facts['python']}, {versions}. {said['rounds']} rounds each,"
        f" sizes: {said['scale']}; the run took {said['seconds'] / 60:.0f} minutes, the load of"
        f" the machine before it was {facts['load_before']}."
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
