"""What can be measured of a page: axe's rules, width, sizes of targets, the ring of the focus."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

HERE = Path(__file__).parent
AXE = HERE / "vendor/axe-core@4.14.1/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN_AXE = """(tags) => axe.run(document, {runOnly: {type: "tag", values: tags}}).then(
  (found) => found.violations.flatMap((rule) => rule.nodes.map(
    (node) => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary}`)))"""


@cache
def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _look(page: Page, name: str) -> Any:
    return page.evaluate(f"() => {_source(HERE / 'looks.js').strip()}.{name}()")


def axe_violations(page: Page) -> list[str]:
    """Return what axe finds against WCAG 2.2 A and AA, one line for each element."""
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(_source(AXE))
    found: list[str] = page.evaluate(RUN_AXE, TAGS)
    return found


def too_wide(page: Page) -> list[str]:
    """Return what makes the page scroll sideways."""
    found: list[str] = _look(page, "tooWide")
    return found


def small_targets(page: Page) -> list[str]:
    """Return links and controls that are smaller than 24 by 24 px."""
    found: list[str] = _look(page, "smallTargets")
    return found


def focus(page: Page) -> dict[str, Any]:
    """Return what has the focus and how it looks; empty when nothing has it."""
    return _look(page, "focus") or {}
