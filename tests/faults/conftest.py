"""One stack for the rows that share settings; results go where docs/faults.md is made from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.ground import PORTAL, Ground

ROWS = 40
NUMBER = re.compile(r"test_f(\d\d)_")
RESULTS = pytest.StashKey[dict[str, Any]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/faults/"):
            item.add_marker(pytest.mark.faults)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep the outcome of each row's tests."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    found = NUMBER.search(item.name)
    if found is None or (report.when != "call" and report.passed):
        return
    if report.when == "call" or report.failed or report.skipped:
        rows = item.config.stash[RESULTS]
        row = rows.setdefault(found[1], {"tests": {}})
        row["tests"][item.name] = report.outcome
        given = getattr(item, "callspec", None)
        if given is not None and "seed" in given.params:
            row["seed"] = given.params["seed"]
        if report.skipped and isinstance(report.longrepr, tuple):
            row["skipped"] = report.longrepr[2].removeprefix("Skipped: ")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the results down when FAULTS_RESULTS names a file."""
    path = os.environ.get("FAULTS_RESULTS")
    if path and session.config.stash[RESULTS]:
        Path(path).write_text(json.dumps(session.config.stash[RESULTS], indent=1))


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Two drain workers, no limits, short waits, and a space for each row."""
    folder = tmp_path_factory.mktemp("ground")
    with Ground(folder, *(f"f{row:02}" for row in range(1, ROWS + 1)), "other") as started:
        yield started


@pytest.fixture
def space(ground: Ground, request: pytest.FixtureRequest) -> Iterator[str]:
    """The row's own space, connected; afterwards no fault is left."""
    found = NUMBER.search(request.node.name)
    assert found is not None, "a row's test is named after its number"
    name = f"f{found[1]}"
    # RQ ends a worker that finds the queue gone in the middle of something.
    ground.revive(*PORTAL)
    ground.connect(name)
    yield name
    for way in ground.ways.values():
        way.heal()
    ground.no_faults()
