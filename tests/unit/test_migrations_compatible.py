"""While a release is rolled out its migrations have run and the version before still works.

So a migration only adds. What is to go is left unused by one release and removed by the next: then
the removal names the release that no longer uses it, in `UNUSED_SINCE`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.core import PACKAGE

FIRST = "0001"
"""What it makes, no version before it could use."""
TAKES_AWAY = {
    "drop_table", "drop_column", "rename_table", "drop_constraint", "create_unique_constraint",
    "create_check_constraint", "create_foreign_key", "create_exclude_constraint",
}  # fmt: skip
"""Calls after which what the version before reads or writes may be missing or refused."""
CHANGES = {"new_column_name", "type_", "nullable"}
STATEMENT = re.compile(
    r"\bDROP\s+(TABLE|COLUMN)|\bRENAME\b|\bALTER\s+COLUMN\b|\bSET\s+NOT\s+NULL"
    r"|ADD\s+CONSTRAINT|\bTRUNCATE\b|\bREVOKE\b",
    re.IGNORECASE,
)
MIGRATIONS = sorted((PACKAGE / "migrations/versions").glob("[0-9]*.py"))


def breaks(source: str) -> Iterator[str]:
    """Yield what in a migration's way up would break the version before."""
    tree = ast.parse(source)
    unused = any(
        isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "UNUSED_SINCE"
        for node in tree.body
    )
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef) or function.name == "downgrade":
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield from _of_call(node, node.func.attr, unused)


def _of_call(node: ast.Call, name: str, unused: bool) -> Iterator[str]:
    given = {word.arg: word.value for word in node.keywords}
    if name in TAKES_AWAY and not (unused and name.startswith("drop_")):
        yield name
    if name == "alter_column" and CHANGES & given.keys() and not _allows_more(given):
        yield name
    if name == "add_column":
        [column] = [one for one in ast.walk(node) if _is_column(one)]
        words = {word.arg: word.value for word in column.keywords}
        is_needed = isinstance(words.get("nullable"), ast.Constant) and not words["nullable"].value
        if is_needed and "server_default" not in words:
            yield "add_column that must be given"
    if name == "execute":
        text = " ".join(
            part.value
            for part in ast.walk(node)
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )
        if found := STATEMENT.search(text):
            yield f"execute {found[0]}"
        if re.search(r"ADD\s+COLUMN.*NOT\s+NULL", text, re.I | re.S) and not re.search(
            r"\bDEFAULT\b", text, re.IGNORECASE
        ):
            yield "execute ADD COLUMN that must be given"


def _allows_more(given: dict[str | None, ast.expr]) -> bool:
    """A column that may be empty from now on breaks nobody."""
    nullable = given.get("nullable")
    only = CHANGES & given.keys() == {"nullable"}
    return only and isinstance(nullable, ast.Constant) and nullable.value is True


def _is_column(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Column"


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_only_adds(path: Path) -> None:
    if path.name.startswith(FIRST):
        return
    assert list(breaks(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("space", "name")',
        'op.drop_table("space")',
        'op.rename_table("space", "room")',
        'op.add_column("space", sa.Column("x", sa.String(), nullable=False))',
        'batch.add_column(sa.Column("x", sa.String(), nullable=False))',
        'op.alter_column("space", "name", new_column_name="title")',
        'op.alter_column("space", "name", nullable=False)',
        'op.create_unique_constraint("uq", "space", ["name"])',
        'op.execute("ALTER TABLE space DROP COLUMN name")',
        'op.execute("ALTER TABLE space ADD COLUMN x INTEGER NOT NULL")',
        'op.execute(sa.text("ALTER TABLE space RENAME TO room"))',
    ],
)
def test_what_would_break_the_version_before_is_found(line: str) -> None:
    assert list(breaks(f"def upgrade():\n    {line}\n"))
    assert not list(breaks(f"def downgrade():\n    {line}\n"))


@pytest.mark.parametrize(
    "line",
    [
        'op.create_table("room", sa.Column("id", sa.Integer(), nullable=False))',
        'op.add_column("space", sa.Column("x", sa.String(), nullable=True))',
        'op.add_column("space", sa.Column("x", sa.String(), nullable=False, server_default=""))',
        'op.alter_column("space", "name", nullable=True)',
        'op.create_index("ix", "space", ["name"])',
        'op.execute("ALTER TABLE space ADD COLUMN x INTEGER DEFAULT 0 NOT NULL")',
    ],
)
def test_what_adds_is_taken(line: str) -> None:
    assert not list(breaks(f"def upgrade():\n    {line}\n"))


def test_what_no_release_uses_may_go() -> None:
    source = 'UNUSED_SINCE = "1.4"\ndef upgrade():\n    op.drop_column("space", "name")\n'
    assert not list(breaks(source))
