"""A set of processes that start and end together, whatever happens to the one that started them.

Each runs in a session of its own, so that all it starts can be found and ended with it. Should
the supervisor itself be killed, `portal.guardian` ends the sessions in its place.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from portal.errors import PortalError
from portal.guardian import STOP_SECONDS, Guardian, end_sessions, kill_session

BACKOFF_SECONDS = (0.5, 1, 2, 4, 8, 15, 30)
"""Pauses before a crashed process is started again; after as many crashes in a row we give up."""
STEADY_SECONDS = 60
"""A process that ran this long is healthy again: its crashes are forgotten."""
TICK_SECONDS = 0.2

# The child waits for one line before it becomes the real program. By then the guardian knows its
# session, so there is no moment in which a killed supervisor could leave it behind.
GATE = 'read -r _ && exec "$@" </dev/null'


class ProcessFailed(PortalError):
    """A process ended in a way that makes the rest pointless; the message names it."""


@dataclass(frozen=True)
class Process:
    """What to run. `ends_last` is for what the others need until their end, such as Valkey."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ends_last: bool = False


@dataclass
class _Running:
    process: Process
    popen: subprocess.Popen[bytes]
    started_at: float
    crashes: int = 0
    restart_at: float | None = None
    rest: bytes = b""


class Supervisor:
    """Starts processes, passes on what they say, restarts crashed ones, ends all of them.

    With `log_folder` each process writes to its own file there; otherwise its lines go to
    standard error with its name before them. `leftovers` are files and folders that must not
    outlive the processes, such as sockets. `lock` is a file that only one supervisor can hold.
    """

    def __init__(
        self,
        *,
        folder: Path,
        log_folder: Path | None = None,
        lock: Path | None = None,
        leftovers: Sequence[Path] = (),
    ) -> None:
        self._folder = folder
        self._log_folder = log_folder
        self._lock = _take_lock(lock) if lock else None
        self._running: dict[str, _Running] = {}
        self._selector = selectors.DefaultSelector()
        self._guardian = Guardian(leftovers, keep_open=self._lock)
        self._stop_asked = False

    def start(self, process: Process) -> int:
        """Start a process and return its id. Raises ProcessFailed when its name is taken."""
        if process.name in self._running:
            raise ProcessFailed(f"{process.name} runs already")
        running = _Running(process, self._spawn(process), time.monotonic())
        self._running[process.name] = running
        self._listen(running)
        return running.popen.pid

    def run_once(self, process: Process) -> None:
        """Run a process to its end. Raises ProcessFailed when it does not end well."""
        self.start(process)
        running = self._running[process.name]
        while running.popen.poll() is None and not self._stop_asked:
            self._pass_on(TICK_SECONDS / 4)
        self.stop(process.name)
        if running.popen.returncode != 0:
            raise ProcessFailed(f"{process.name} ended with code {running.popen.returncode}")

    def pid(self, name: str) -> int:
        """Return the process id, which is also the id of the session and of the group."""
        return self._running[name].popen.pid

    def is_alive(self, name: str) -> bool:
        return name in self._running and self._running[name].popen.poll() is None

    def stop(self, name: str) -> None:
        """End one process and all it started; it is not started again."""
        running = self._running.pop(name)
        end_sessions([running.popen.pid], reap=running.popen.poll)
        self._forget(running)

    def kill(self, name: str) -> None:
        """End one process and all it started at once, as a crash would; for tests."""
        running = self._running.pop(name)
        kill_session(running.popen.pid)
        self._forget(running)

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Watch over the processes until SIGINT, SIGTERM or `until`; then end all of them."""
        self.watch_signals()
        try:
            while not self._stop_asked and not until():
                self.tick()
        finally:
            self.close()

    def tick(self) -> None:
        """Pass on what was said and restart what crashed; returns after a fraction of a second.

        Raises ProcessFailed when a process crashes again and again.
        """
        self._pass_on(TICK_SECONDS)
        now = time.monotonic()
        if self._guardian.is_gone():
            self._guardian.start_again()
        for running in list(self._running.values()):
            if running.restart_at is not None:
                if now >= running.restart_at:
                    self._restart(running)
            elif running.popen.poll() is not None:
                self._note_crash(running, now)

    def watch_signals(self) -> None:
        """From here on SIGINT, SIGTERM and SIGHUP ask for an end instead of forcing one."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    @property
    def is_stopping(self) -> bool:
        return self._stop_asked

    def close(self) -> None:
        """End all processes: first those that need the others, then the rest."""
        for last in (False, True):
            group = [r for r in self._running.values() if r.process.ends_last is last]
            end_sessions(
                [running.popen.pid for running in group],
                reap=self._reap,
                meanwhile=lambda: self._pass_on(0.02),
            )
            for running in group:
                del self._running[running.process.name]
                self._forget(running)
        self._guardian.close()
        self._selector.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def say(self, text: str) -> None:
        _print_line("supervisor", text)

    def _reap(self) -> None:
        for running in self._running.values():
            running.popen.poll()

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_asked = True

    def _spawn(self, process: Process) -> subprocess.Popen[bytes]:
        output = self._log_file(process.name) or subprocess.PIPE
        env = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **process.env}
        popen = subprocess.Popen(  # noqa: S603 the command comes from our own code
            ["/bin/sh", "-c", GATE, process.name, *process.command],
            cwd=self._folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if not isinstance(output, int):
            output.close()
        self._guardian.add(popen.pid, ends_last=process.ends_last)
        assert popen.stdin is not None
        popen.stdin.write(b"go\n")
        popen.stdin.close()
        return popen

    def _log_file(self, name: str) -> IO[bytes] | None:
        if self._log_folder is None:
            return None
        self._log_folder.mkdir(parents=True, exist_ok=True)
        return (self._log_folder / f"{name}.log").open("ab")

    def _listen(self, running: _Running) -> None:
        if running.popen.stdout is not None:
            os.set_blocking(running.popen.stdout.fileno(), False)
            self._selector.register(running.popen.stdout, selectors.EVENT_READ, running)

    def _pass_on(self, seconds: float) -> None:
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            self._print_lines(key.data)

    def _print_lines(self, running: _Running) -> None:
        pipe = running.popen.stdout
        assert pipe is not None
        said = pipe.read()
        if said == b"":
            self._selector.unregister(pipe)
        *lines, running.rest = (running.rest + (said or b"")).split(b"\n")
        if said == b"" and running.rest:
            lines, running.rest = [*lines, running.rest], b""
        for line in lines:
            _print_line(running.process.name, line.decode(errors="replace"))

    def _note_crash(self, running: _Running, now: float) -> None:
        kill_session(running.popen.pid)
        if now - running.started_at > STEADY_SECONDS:
            running.crashes = 0
        name, code = running.process.name, running.popen.returncode
        if running.crashes == len(BACKOFF_SECONDS):
            raise ProcessFailed(f"{name} ended {running.crashes + 1} times in a row, code {code}")
        pause = BACKOFF_SECONDS[running.crashes]
        running.crashes += 1
        running.restart_at = now + pause
        self.say(f"{name} ended with code {code}; next start in {pause} s")

    def _restart(self, running: _Running) -> None:
        self._forget(running)
        running.popen = self._spawn(running.process)
        running.started_at, running.restart_at = time.monotonic(), None
        self._listen(running)

    def _forget(self, running: _Running) -> None:
        running.popen.wait()
        self._guardian.remove(running.popen.pid)
        pipe = running.popen.stdout
        if pipe is not None:
            if pipe in self._selector.get_map():
                self._print_lines(running)
            if pipe in self._selector.get_map():
                self._selector.unregister(pipe)
            pipe.close()


def _print_line(name: str, text: str) -> None:
    # Full, closed or not read any more: no reason to end what the line tells of.
    with suppress(OSError, ValueError):
        print(f"{name} | {text}", file=sys.stderr, flush=True)


def _take_lock(path: Path, *, seconds: float = STOP_SECONDS + 5) -> int:
    """Return the open, locked file; waits for a guardian that is still cleaning up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(handle, 32, 0).decode().strip()
            if time.monotonic() > until or (holder.isdigit() and _is_alive(int(holder))):
                os.close(handle)
                raise ProcessFailed(f"{path.parent} is in use by process {holder or '?'}") from None
            time.sleep(TICK_SECONDS)
        else:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            return handle


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
