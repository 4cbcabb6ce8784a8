"""One simulator, asked everything once; its exchanges are what the tests look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.contract.recording import Exchange, RecordingSessions
from tests.contract.scenario import WORLD, ask_cobot, ask_sevdesk

ROOT = Path(__file__).parents[2]
NAMES = ("cobot-api2.openapi.yml", "sevdesk.openapi.yaml")


@dataclass(frozen=True)
class Recorded:
    settings: dict[str, str]
    exchanges: list[Exchange]
    asked: set[str]

    def of(self, setting: str) -> list[Exchange]:
        """Return the exchanges below one of the simulator's base addresses."""
        return [e for e in self.exchanges if e.url.startswith(self.settings[setting] + "/")]


@pytest.fixture(scope="session")
def specs() -> Path:
    """The folder of the published descriptions (CONTRACT_SPECS)."""
    named = os.environ.get("CONTRACT_SPECS")
    folder = Path(named) if named else ROOT.parent / "shared" / "specs"
    missing = [name for name in NAMES if not (folder / name).is_file()]
    if missing:
        reason = f"{' and '.join(missing)} not in {folder}: see docs/contracts.md, CONTRACT_SPECS"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def recorded() -> Iterator[Recorded]:
    command = [sys.executable, "-m", "tests.simulator", "--port", "0", "--cobot-per-minute", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        sessions = RecordingSessions()
        try:
            assert process.stdout is not None
            settings = json.loads(process.stdout.readline())
            reset = f"{settings['control_url']}/reset"
            requests.post(reset, json={"world": WORLD}, timeout=10).raise_for_status()
            asked: set[str] = set()
            ask_cobot(settings, sessions, asked)
            ask_sevdesk(settings, sessions, asked)
            yield Recorded(settings, sessions.exchanges, asked)
        finally:
            sessions.close()
            process.terminate()
