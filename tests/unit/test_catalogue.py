"""The catalogue and the product agree: no code without words, no words without code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from portal.sync.messages import CATALOGUE

PORTAL = Path(__file__).resolve().parents[2] / "portal"
RAISERS = {"Cause", "SettingsRefused", "pause", "_missing", "_refuse"}
CODE_FIELDS = {"cause_code", "pause_code", "code"}
CODE_NAMES = {"REFUSED", "UNTESTED", "BY_HAND", "CHECK_FIRST", "NOT_SHOWN"}
NOT_CAUSES = {"cobot|sevdesk"}


def test_every_code_that_is_raised_has_an_entry_and_every_entry_is_raised() -> None:
    raised = set(_codes())
    assert raised - set(CATALOGUE) == set()
    assert set(CATALOGUE) - raised == set()


def _codes() -> Iterator[str]:
    for path in PORTAL.rglob("*.py"):
        if path.name in {"messages.py", "entries.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield from _codes_of(node)


def _codes_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in RAISERS:
            for argument in node.args[: 2 if name in {"SettingsRefused", "pause"} else 1]:
                yield from _known(argument, must=name == "Cause")
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _assigned(target, node.value)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield from _known(node.value, must=False)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, its)
        return
    name = getattr(target, "attr", getattr(target, "id", ""))
    if name in CODE_FIELDS | CODE_NAMES:
        yield from _known(value, must=True)


def _known(node: ast.expr, *, must: bool) -> Iterator[str]:
    """Yield the texts in an expression; where not all texts are codes, only those known."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            text = one.value
            if text in CATALOGUE or (must and _looks_like_a_code(text)):
                yield text


def _looks_like_a_code(text: str) -> bool:
    return text.replace("_", "").isalpha() and text.islower() and "_" in text
