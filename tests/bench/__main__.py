"""Measure, print a table, write var/bench.json and the figures of docs/performance.md.

`python -m tests.bench [--rows 1,5] [--rounds 5] [--scale whole|small]`. Each row is written down as
soon as it is measured; rows that are not measured now keep what stands in var/bench.json.
docs/performance.md is written by a whole run of all rows, or with --write.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator

from tests.bench import (
    budget,
    counts,
    hooks,
    latency,
    log_page,
    machine,
    others,
    own_cost,
    pages,
    report,
    tenants,
    workers,
)
from tests.bench.figures import Figure
from tests.bench.run import Run

ROWS: dict[int, Callable[[Run], Iterator[Figure]]] = {
    1: hooks.measure,
    2: counts.measure,
    3: own_cost.measure,
    4: budget.measure,
    5: log_page.measure,
    6: tenants.measure,
    7: workers.measure,
    8: latency.measure,
    9: pages.measure,
    10: others.measure,
}


def main() -> int:
    """Return 1 when a count is over its bound; a timing never fails."""
    asked = _arguments()
    rows = sorted({int(row) for row in asked.rows.split(",")}) if asked.rows else sorted(ROWS)
    run = Run(asked.rounds, asked.scale == "small", lambda said: print(said, flush=True))
    said = report.Said(machine.facts(os.environ.get("TEST_DATABASE_URL")))
    figures: list[Figure] = []
    for row in rows:
        began = time.monotonic()
        run.tell(f"row {row} ...")
        found = []
        for figure in ROWS[row](run):
            found.append(figure)
            run.tell(f"  {report.plain(figure)}")
        figures += found
        seconds = time.monotonic() - began
        said.keep(row, found, seconds, rounds=run.rounds, scale=asked.scale)
        run.tell(f"  ({seconds:.0f} s)")
    if asked.write or (rows == sorted(ROWS) and not run.is_small):
        lacking = said.lacks(ROWS)
        if lacking:
            run.tell(f"docs/performance.md stays as it is: rows {lacking} were never measured here")
        else:
            said.write_page()
    print("", report.table([figure.to_json() for figure in figures]), "", sep="\n")
    broken = [figure for figure in figures if figure.is_broken]
    for figure in broken:
        print(f"too many: {report.plain(figure)}", file=sys.stderr)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rows", default="", help="1,5 instead of all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", choices=("whole", "small"), default="whole")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md anyway")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
