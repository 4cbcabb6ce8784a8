"""Write the table of docs/faults.md: `report SQLITE.json POSTGRES.json`.

Everything above the mark in docs/faults.md is written by hand and stays.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

MARK = "<!-- From here on written by `make faults`. -->"
ROWS = 40
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "faults.md"


def main() -> None:
    """Merge the results, print the sum, and end with 1 when a row failed or is missing."""
    names = ("SQLite", "PostgreSQL")
    runs: dict[str, dict[str, Any]] = {
        name: json.loads(Path(path).read_text()) if Path(path).exists() else {}
        for name, path in zip(names, sys.argv[1:3], strict=True)
    }
    heads = ("row", "what was done", "what held", "SQLite", "PostgreSQL", "seed")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    about = _docstrings()
    passed = failed = 0
    for number in (f"{row:02}" for row in range(1, ROWS + 1)):
        found = [runs[name].get(number) for name in names]
        said = [_outcome(one) for one in found]
        is_bad = {"FAILED", "missing"} & set(said)
        is_good = not is_bad and any(one.startswith("passed") for one in said)
        passed, failed = passed + is_good, failed + (not is_good)
        done, held = (" **And:** ".join(parts) for parts in zip(*about[number], strict=True))
        seeds = {one["seed"] for one in found if one and "seed" in one}
        seed = ", ".join(str(one) for one in sorted(seeds)) or "none: nothing at random"
        lines.append(f"| {int(number)} | {done} | {held} | {said[0]} | {said[1]} | {seed} |")
    hand = PAGE.read_text(encoding="utf-8").partition(MARK)[0] if PAGE.exists() else ""
    PAGE.write_text(f"{hand}{MARK}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{passed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


def _docstrings() -> dict[str, list[tuple[str, str]]]:
    """Return what the tests of each row do and hold, in their own words."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_f"):
                said = " ".join((ast.get_docstring(node) or "").split())
                done, _, held = said.partition(" Held: ")
                row = found.setdefault(node.name[6:8], [])
                if (done, held) not in row:
                    row.append((done, held))
    return found


def _outcome(row: dict[str, Any] | None) -> str:
    if row is None:
        return "missing"
    outcomes = list(row["tests"].values())
    if "failed" in outcomes:
        return "FAILED"
    if "passed" not in outcomes:
        return f"does not apply: {row.get('skipped', '')}"
    return f"passed{f' ({len(outcomes)} runs)' if len(outcomes) > 1 else ''}"


if __name__ == "__main__":
    main()
