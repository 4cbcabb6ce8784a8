"""What is deployed, run as a host would: the Procfile under honcho, PostgreSQL and a Redis.

The folder it runs in holds what the image holds, and no more: what the Dockerfile copies, taken
from the last commit. So the story passes without tests, simulator and tools beside the product.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest

from portal import stack as parts
from portal.supervisor import Process
from tests.browserless import Browserless
from tests.demo.__main__ import SETTINGS, WORLD
from tests.demo.story import DUE_AFTER_DAYS, Cast, Story
from tests.stack import START_SECONDS, Stack
from tests.unit.test_deployment import PROCESSES, PROCFILE, STAGES, copied

pytestmark = pytest.mark.long

BIN = Path(sys.executable).parent


def unpack(folder: Path) -> Path:
    """Put into the folder what the image would hold, as of the last commit; return it."""
    paths = [*copied(STAGES[0]), "Procfile"]
    if not (parts.ROOT / ".git").exists():
        pytest.skip("needs the repository: what is committed is what is deployed")
    packed = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD", *paths],
        cwd=parts.ROOT,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")
    compile_catalogues = [sys.executable, "-m", "babel.messages.frontend", "-q", "compile", "-d"]
    subprocess.run(
        [*compile_catalogues, str(folder / "portal/translations")], check=True, capture_output=True
    )
    return folder


class Deployed(Stack):
    """The product by its Procfile; simulator and queue as ever."""

    def __init__(self, folder: Path, app: Path, **more: object) -> None:
        super().__init__(folder, **more)  # type: ignore[arg-type]
        self._app = app

    def start(self) -> None:
        port = parts.free_port()
        self.portal_url = f"http://{parts.LOOPBACK}:{port}"
        self._run(self._valkey.process())
        remote = self._start_simulator()
        self._valkey.wait_until_up()
        self.env = self._settings(remote)
        self.supervisor.run_once(self._honcho("release", "run", *PROCFILE["release"].split()))
        # The first one named gets the port as PORT, as on any host of this kind.
        named = ["web", *(name for name in PROCESSES if name != "web")]
        self._run(self._honcho("procfile", "start", "-p", str(port), *named))
        self.wait_until(self._is_ready, "the portal to be ready", seconds=START_SECONDS)

    def _honcho(self, name: str, *words: str) -> Process:
        command = [sys.executable, "-m", "honcho", "-d", str(self._app), *words]
        return Process(name, command, self._environment())

    def _environment(self) -> Mapping[str, str]:
        # The commands of the Procfile are found on PATH, the product in the unpacked folder.
        path = f"{BIN}:{os.environ['PATH']}"
        return {**self.env, "PATH": path, "PYTHONPATH": str(self._app)}


@pytest.mark.timeout(300)
def test_the_procfile_tells_the_whole_story(tmp_path: Path) -> None:
    if not os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("needs PostgreSQL: make long starts one")
    app = unpack(tmp_path / "app")
    assert not (app / "tests").exists()
    cast = Cast(json.loads(WORLD.read_text(encoding="utf-8")))
    (tmp_path / "stack").mkdir()
    with Deployed(tmp_path / "stack", app, world=WORLD, settings=SETTINGS) as stack:
        assert stack.env["DATABASE_URL"].startswith("postgres")
        person = Browserless(stack.portal_url)
        person.sign_in(cast.admin["id"])
        person.connect(
            cast.subdomain, cast.token, due_after_days=DUE_AFTER_DAYS, cost_centre=cast.cost_centre
        )
        told: list[object] = []
        faults = Story(stack, person, cast, told.append).run()
        assert faults == []
        assert len(told) >= 6
        assert "Traceback" not in stack.log_of("procfile")
        looked = subprocess.run(
            [str(BIN / "flask"), "doctor"],
            cwd=app,
            env={**os.environ, **stack._environment()},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert looked.returncode == 0, looked.stdout
        assert "postgresql answers" in looked.stdout
        for queue in ("interactive", "drain", "backfill"):
            assert f"1 on {queue}" in looked.stdout
