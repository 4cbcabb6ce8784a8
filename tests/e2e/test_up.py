"""`flask up`: the whole portal on one machine, and nothing of it left when it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from portal.config import Config
from portal.embedded import EmbeddedValkey
from portal.guardian import kill_session
from portal.stack import ROOT, free_port

FOLDER_NAME = "Büro Süd"


def environment(**given: str) -> dict[str, str]:
    names = {name.upper() for name in Config.model_fields}
    return {key: value for key, value in os.environ.items() if key not in names} | given


def processes_with(folder: Path) -> set[int]:
    """Return the processes, of whatever session, that were started for this folder."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            about = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if os.fsencode(folder) in about and state != "Z":
                found.add(int(entry.name))
    return found - {os.getpid()}


def kill_all_but_the_queue(up: subprocess.Popen[bytes]) -> None:
    """kill -9 of what `flask up` started, its guardian first; only Valkey is left behind."""
    about = {
        int(entry.name): (
            (entry / "stat").read_text().rpartition(")")[2].split()[1],
            (entry / "cmdline").read_bytes(),
        )
        for entry in Path("/proc").glob("[0-9]*")
    }
    started = {pid: command for pid, (parent, command) in about.items() if parent == str(up.pid)}
    guardian = next(pid for pid, command in started.items() if b"portal.guardian" in command)
    os.kill(guardian, signal.SIGKILL)
    up.kill()
    for pid, command in started.items():
        if b"valkey" not in command:
            kill_session(pid)


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / FOLDER_NAME
    yield path
    for pid in processes_with(path):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_it_comes_up_and_leaves_nothing_behind(folder: Path) -> None:
    env = environment(COBOT_CLIENT_ID="id", COBOT_CLIENT_SECRET="secret")
    port = free_port()
    command = [sys.executable, "-m", "flask", "up", "--folder", str(folder), "--port", str(port)]
    keys = ""
    for is_last in (False, True):  # the second start finds data, keys and queue of the first
        with (folder.parent / "up.log").open("ab") as log:
            up = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        wait_for(lambda up=up: is_ready(port) or up.poll() is not None)
        assert up.poll() is None, (folder.parent / "up.log").read_text()
        assert len(processes_with(folder)) >= 8
        assert keys in {"", (folder / "keys.json").read_text()}
        keys = (folder / "keys.json").read_text()
        assert (folder / "keys.json").stat().st_mode & 0o077 == 0
        queue = EmbeddedValkey.in_folder(folder).socket
        with EmbeddedValkey.in_folder(folder)._client() as client:
            assert client.get("left behind") == (b"yes" if is_last else None)
            client.set("left behind", "yes")
        if not is_last:
            kill_all_but_the_queue(up)
            up.wait(timeout=30)
            assert EmbeddedValkey.in_folder(folder).is_up()
            continue
        up.terminate()
        up.wait(timeout=30)
        wait_for(lambda: not processes_with(folder), seconds=30)
        wait_for(lambda queue=queue: not queue.exists(), seconds=10)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_names_what_only_cobot_can_give(folder: Path) -> None:
    tried = subprocess.run(
        [sys.executable, "-m", "flask", "up", "--folder", str(folder)],
        cwd=ROOT,
        env=environment(COBOT_CLIENT_ID="", COBOT_CLIENT_SECRET=""),
        capture_output=True,
        text=True,
    )
    assert tried.returncode == 1
    assert "Set COBOT_CLIENT_ID and COBOT_CLIENT_SECRET" in tried.stderr
