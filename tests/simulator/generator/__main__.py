"""Write a generated world to a file: python -m tests.simulator.generator --out FILE."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from tests.simulator.generator import generate_world, predict


def main(arguments: list[str] | None = None) -> None:
    """Make the world, write it, and say how its invoices should end."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator.generator", description=__doc__
    )
    for name, default, meaning in (
        ("spaces", 3, "number of spaces"),
        ("members", 20, "members of each space"),
        ("invoices", 50, "invoices of each space"),
        ("seed", 1, "the same seed gives the same world"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=meaning)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="JSON file to write"
    )
    chosen = parser.parse_args(arguments)
    world = generate_world(
        spaces=chosen.spaces, members=chosen.members, invoices=chosen.invoices, seed=chosen.seed
    )
    chosen.out.write_text(json.dumps(world, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    ends = Counter((each.state, each.cause or "") for each in predict(world).values())
    for (state, cause), count in sorted(ends.items()):
        print(f"{count:6} {state} {cause}".rstrip())


if __name__ == "__main__":
    main()
