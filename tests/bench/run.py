"""What a row is told: how large, how often, and where."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

POSTGRESQL, SQLITE = "PostgreSQL", "SQLite"


@dataclass(frozen=True)
class Run:
    """One call of `make bench`."""

    rounds: int
    is_small: bool
    tell: Callable[[str], None] = print

    def size(self, whole: int, small: int) -> int:
        return small if self.is_small else whole

    @property
    def databases(self) -> tuple[str, ...]:
        """Both, where a server of PostgreSQL is at hand."""
        return (POSTGRESQL, SQLITE) if os.environ.get("TEST_DATABASE_URL") else (SQLITE,)

    @property
    def main_database(self) -> str:
        return self.databases[0]

    @contextmanager
    def folder(self) -> Iterator[Path]:
        with TemporaryDirectory(prefix="portal-bench-") as name:
            yield Path(name)
