"""The portal's database as somebody else reads it: plain SQL, none of the product's own code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

Row = dict[str, Any]
MOMENTS = ("_at", "_since")
FACTS = ("facts", "cause_params")


class Database:
    """Reads and, where a test has to move time, changes rows; the same on both engines."""

    def __init__(self, url: str) -> None:
        for short in ("postgres://", "postgresql://"):
            if url.startswith(short):
                url = "postgresql+psycopg://" + url.removeprefix(short)
        self.is_sqlite = url.startswith("sqlite")
        self._engine = create_engine(url, poolclass=NullPool)

    def rows(self, statement: str, **values: object) -> list[Row]:
        """Return the rows of a SELECT: moments aware, JSON parsed, amounts in cents."""
        with self._begin() as connection:
            found = connection.execute(text(statement), values).mappings().all()
        return [{name: self._value(name, value) for name, value in row.items()} for row in found]

    def one(self, statement: str, **values: object) -> Row:
        found = self.rows(statement, **values)
        assert len(found) == 1, f"{len(found)} rows of {statement} {values}"
        return found[0]

    def change(self, statement: str, **values: object) -> int:
        """Run an UPDATE or DELETE and return how many rows it hit."""
        with self._begin() as connection:
            return connection.execute(text(statement), values).rowcount

    def change_many(self, statement: str, rows: Sequence[Row]) -> None:
        """Run one statement for each of these rows, in one transaction."""
        with self._begin() as connection:
            connection.execute(text(statement), list(rows))

    def moment(self, seconds: float) -> datetime | str:
        """Return the time so many seconds from now, as it is written in the database."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        return at.strftime("%Y-%m-%d %H:%M:%S.%f") if self.is_sqlite else at

    def dump(self) -> Iterator[tuple[str, bytes]]:
        """Yield every table's name and all that stands in it."""
        with self._begin() as connection:
            names = connection.execute(
                text(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                    if self.is_sqlite
                    else "SELECT table_name FROM information_schema.tables"
                    " WHERE table_schema = 'public'"
                )
            ).scalars()
            for name in names.all():
                cells = [
                    bytes(cell) if isinstance(cell, (bytes, memoryview)) else str(cell).encode()
                    for row in connection.execute(text(f'SELECT * FROM "{name}"'))  # noqa: S608
                    for cell in row
                ]
                yield f"table {name}", b"\n".join(cells)

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("PRAGMA busy_timeout=20000")
            yield connection

    def _value(self, name: str, value: Any) -> Any:
        if (name == "at" or name.endswith(MOMENTS)) and isinstance(value, str):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        if name in FACTS and isinstance(value, str):
            return json.loads(value)
        if name in {"gross", "sevdesk_gross"} and value is not None:
            return int(value) if self.is_sqlite else int(value * 100)
        if name.startswith(("is_", "has_", "was_")) and isinstance(value, int):
            return bool(value)
        return value
