"""Processes that start and end together: nothing may stay behind, whoever is killed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal import supervisor as supervisor_module
from portal.embedded import LONGEST_SOCKET_PATH, EmbeddedValkey
from portal.stack import ROOT, free_port, kept_secrets
from portal.supervisor import Process, ProcessFailed, Supervisor

# A parent that makes a child in a process group of its own, as RQ does with its horses.
FAMILY = """
import os, pathlib, time
child = os.fork()
if child == 0:
    os.setpgrp()
    time.sleep(600)
pathlib.Path({path!r}).write_text(f"{{os.getpid()}} {{child}}")
time.sleep(600)
"""


def python(name: str, code: str) -> Process:
    return Process(name, [sys.executable, "-c", code])


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(what: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def read_pids(path: Path) -> list[int]:
    wait_for(lambda: path.exists() and len(path.read_text().split()) == 2)
    return [int(pid) for pid in path.read_text().split()]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    started = Supervisor(folder=ROOT, log_folder=tmp_path / "logs")
    yield started
    started.close()


def test_stop_ends_a_process_and_the_children_in_groups_of_their_own(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(python("family", FAMILY.format(path=str(tmp_path / "pids"))))
    pids = read_pids(tmp_path / "pids")
    supervisor.stop("family")
    assert not any(map(is_alive, pids))


def test_a_process_that_ignores_sigterm_is_killed(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module.end_sessions, "__kwdefaults__", {
        **supervisor_module.end_sessions.__kwdefaults__, "seconds": 0.3,
    })  # fmt: skip
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(600)"
    pid = supervisor.start(python("deaf", deaf))
    wait_for(lambda: "deaf" in (tmp_path / "logs" / "deaf.log").read_text())
    supervisor.stop("deaf")
    assert not is_alive(pid)


def test_a_crashed_process_is_started_again_after_a_pause(supervisor: Supervisor) -> None:
    first = supervisor.start(python("web", "import time; time.sleep(600)"))
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        supervisor.tick()
        return supervisor.is_alive("web") and supervisor.pid("web") != first

    wait_for(is_back)


def test_a_process_that_crashes_again_and_again_ends_it_all(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_SECONDS", (0.01, 0.01))
    supervisor.start(python("broken", "raise SystemExit(3)"))
    with pytest.raises(ProcessFailed, match=r"broken ended 3 times in a row, code 3"):
        wait_for(lambda: supervisor.tick() is not None)


def test_a_step_that_fails_is_an_error(supervisor: Supervisor) -> None:
    supervisor.run_once(python("fine", "pass"))
    with pytest.raises(ProcessFailed, match="migrate ended with code 2"):
        supervisor.run_once(python("migrate", "raise SystemExit(2)"))


def test_lines_carry_the_name_of_their_process(capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor(folder=ROOT)
    supervisor.run_once(python("web", "print('one'); print('two', end='')"))
    supervisor.close()
    assert capsys.readouterr().err == "web | one\nweb | two\n"


OUTER = """
import sys, time
from pathlib import Path
from portal.embedded import EmbeddedValkey
from portal.supervisor import Process, Supervisor
folder = Path({folder!r})
valkey = EmbeddedValkey.in_folder(folder)
supervisor = Supervisor(folder=Path.cwd(), log_folder=folder / "logs", lock=folder / "lock",
                        leftovers=valkey.leftovers)
valkey.end_left_behind()
supervisor.start(valkey.process())
valkey.wait_until_up()
supervisor.start(Process("family", [sys.executable, "-c", {family!r}]))
supervisor.run()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("folder_name", ["short", "Büro Süd", "long" + 80 * "g"])
def test_nothing_stays_behind_when_the_supervisor_ends(
    tmp_path: Path, end: signal.Signals, folder_name: str
) -> None:
    folder = tmp_path / folder_name
    folder.mkdir()
    family = FAMILY.format(path=str(folder / "pids"))
    code = OUTER.format(folder=str(folder), family=family)
    for _ in range(2):  # a second start works
        outer = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        pids = read_pids(folder / "pids")
        valkey = EmbeddedValkey.in_folder(folder)
        assert len(os.fsencode(valkey.socket)) <= LONGEST_SOCKET_PATH
        assert valkey.is_up()
        with valkey._client() as client:
            assert client.client_list(), "what RQ's workers ask at their start"
        pids.append(int(valkey.pid_file.read_text()))
        outer.send_signal(end)
        outer.wait()
        wait_for(lambda pids=pids: not any(map(is_alive, pids)))
        wait_for(lambda valkey=valkey: not valkey.socket.exists() and not valkey.pid_file.exists())
        if valkey.socket.parent != folder:
            wait_for(lambda valkey=valkey: not valkey.socket.parent.exists())
        (folder / "pids").unlink()


def test_a_server_left_behind_is_ended_and_its_data_stay(tmp_path: Path) -> None:
    valkey = EmbeddedValkey.in_folder(tmp_path)
    orphan = subprocess.Popen(valkey.process().command, stdout=subprocess.DEVNULL)
    valkey.wait_until_up()
    with valkey._client() as client:
        client.set("kept", "yes")
    valkey.end_left_behind()
    assert orphan.wait(timeout=10) == 0
    supervisor = Supervisor(folder=ROOT, log_folder=tmp_path / "logs", leftovers=valkey.leftovers)
    supervisor.start(valkey.process())
    valkey.wait_until_up()
    with valkey._client() as client:
        assert client.get("kept") == b"yes"
    supervisor.close()
    assert not valkey.socket.exists()


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    first = Supervisor(folder=ROOT, lock=tmp_path / "lock")
    with pytest.raises(ProcessFailed, match=f"in use by process {os.getpid()}"):
        Supervisor(folder=ROOT, lock=tmp_path / "lock")
    first.close()
    Supervisor(folder=ROOT, lock=tmp_path / "lock").close()


def test_a_guardian_that_was_killed_is_replaced(supervisor: Supervisor) -> None:
    old = supervisor._guardian._popen
    supervisor.start(python("web", "import time; time.sleep(600)"))
    old.kill()
    wait_for(supervisor._guardian.is_gone)
    supervisor.tick()
    assert supervisor._guardian._popen is not old
    assert not supervisor._guardian.is_gone()


def test_a_taken_port_is_answered_by_another_one() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_keys_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = kept_secrets(path)
    assert kept_secrets(path) == first
    assert path.stat().st_mode & 0o777 == 0o600


class _Unwritable(io.StringIO):
    """Standard error on a full disk, or with nobody who reads it any more."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, _text: str) -> int:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [OSError(28, "no space left"), BrokenPipeError(32, "broken pipe"), ValueError("closed file")],
)
def test_a_log_that_cannot_be_written_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_SECONDS", (0.01, 0.01, 600))
    monkeypatch.setattr(sys, "stderr", _Unwritable(error))
    supervisor = Supervisor(folder=ROOT)
    try:
        pid = supervisor.start(python("web", "print('one'); import time; time.sleep(600)"))
        os.kill(pid, signal.SIGKILL)

        def is_back() -> bool:
            supervisor.tick()
            return supervisor.is_alive("web") and supervisor.pid("web") != pid

        wait_for(is_back)
        supervisor.say("still here")
    finally:
        supervisor.close()


def test_a_full_disk_ends_nothing() -> None:
    code = """
import sys
from pathlib import Path
from portal.supervisor import Process, Supervisor
supervisor = Supervisor(folder=Path.cwd())
supervisor.run_once(Process("web", [sys.executable, "-c", "print('one')"]))
supervisor.say("two")
supervisor.close()
"""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stderr=full, check=False, timeout=60
        )
    assert ended.returncode == 0
