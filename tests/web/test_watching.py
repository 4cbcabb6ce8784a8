"""Dashboard and alert rules name figures that exist, and none is left unseen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
import yaml
from flask import Flask

from portal.jobqueue import QUEUES
from portal.services import metrics, queues
from tests.conftest import ROOT
from tests.web.conftest import Cast

ALERTS = yaml.safe_load((ROOT / "deploy/prometheus-alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text(encoding="utf-8"))
SHOWN = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
NAME = re.compile(r"portal_\w+")
LABELS = re.compile(r"(portal_\w+)\{([^}]*)\}|by \(([^)]*)\) \([^()]*(portal_\w+)")


@pytest.fixture
def figures(make_app: Callable[..., Flask], cast: Cast) -> dict[str, set[str]]:
    """Every figure with the names of its labels, each counted at least once."""
    app = make_app(metrics_token="metrics-token-of-the-tests")
    found: dict[str, set[str]] = {}
    with app.app_context():
        counters = app.extensions["portal"].counters
        for name, (_, labels) in metrics.COUNTED.items():
            counters.add(name, *labels)
        for name, (_, labels) in metrics.TIMED.items():
            counters.observe(name, *labels, seconds=1)
        for family in metrics._Figures().collect():
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
            found.setdefault(family.name, set())
    return found


def test_every_figure_that_is_named_exists(figures: dict[str, set[str]]) -> None:
    expressions = [*SHOWN, *(rule["expr"] for rule in RULES)]
    named = {name for expression in expressions for name in NAME.findall(expression)}
    assert named - figures.keys() == set()


def test_every_label_that_is_named_exists(figures: dict[str, set[str]]) -> None:
    for expression in [*SHOWN, *(rule["expr"] for rule in RULES)]:
        for name, matched, grouped, of in LABELS.findall(expression):
            wanted = set(re.findall(r"(\w+)=~?", matched)) | set(re.findall(r"\w+", grouped))
            known = figures[name or of]
            assert not known or wanted <= known, expression


def test_the_dashboard_shows_every_figure(figures: dict[str, set[str]]) -> None:
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in NAME.findall(str(SHOWN))}
    told = {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in figures}
    assert told - shown == set()


def test_every_alert_says_what_to_do() -> None:
    handbook = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert rule["annotations"].keys() == {"summary", "action"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert f"`{rule['alert']}`" in handbook


def test_nobody_who_works_is_missed_in_silence(core_app: Flask) -> None:
    """Each queue has workers of its own, and what never ran has no figure that could be high."""
    [gone] = [rule["expr"] for rule in RULES if rule["alert"] == "PortalWorkersGone"]
    assert "min by (queue) (portal_workers) == 0" in gone
    assert 'absent(portal_heartbeat_seconds{process="upkeep"})' in gone
    assert {line.name for line in queues.lines() or ()} == set(QUEUES)


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_handbook_lists_every_figure(figures: dict[str, set[str]]) -> None:
    handbook = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    families = {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in figures}
    assert {name for name in families if f"`{name}" not in handbook} == set()
