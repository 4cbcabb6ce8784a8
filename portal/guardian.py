"""The small process that cleans up when a supervisor is killed with no chance to do it itself.

It reads a pipe from the supervisor: which sessions there are, and what must not be left behind.
The end of the pipe means that the supervisor is gone, however it went; then everything that it
had started is ended. Started as `python -m portal.guardian`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

STOP_SECONDS = 35
"""How long a process may take to end after SIGTERM: a worker finishes the call it is in."""
KILL_SECONDS = 2


class Guardian:
    """The supervisor's end of the pipe."""

    def __init__(self, leftovers: Sequence[Path] = (), *, keep_open: int | None = None) -> None:
        self._leftovers = leftovers
        self._keep_open = keep_open
        self._sessions: dict[int, bool] = {}
        self._popen = self._start()

    def add(self, session: int, *, ends_last: bool) -> None:
        self._sessions[session] = ends_last
        self._tell({"add": session, "last": ends_last})

    def remove(self, session: int) -> None:
        self._sessions.pop(session, None)
        self._tell({"remove": session})

    def is_gone(self) -> bool:
        return self._popen.poll() is not None

    def start_again(self) -> None:
        self._close_pipe()
        self._popen = self._start()
        for session, last in self._sessions.items():
            self._tell({"add": session, "last": last})

    def close(self) -> None:
        """Let the guardian end; it ends what was not removed before, and the leftovers."""
        self._close_pipe()
        self._popen.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        # In a session of its own: Ctrl-C in the terminal reaches the supervisor only. The lock's
        # file stays open here, so a second start waits until the cleaning is done.
        popen = subprocess.Popen(
            [sys.executable, "-m", "portal.guardian"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=() if self._keep_open is None else (self._keep_open,),
            cwd=Path(__file__).resolve().parent.parent,
        )
        self._popen = popen
        for path in self._leftovers:
            self._tell({"leftover": str(path)})
        return popen

    def _tell(self, message: dict[str, object]) -> None:
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError):  # a guardian that was killed is replaced at the next tick
            self._popen.stdin.write(json.dumps(message).encode() + b"\n")
            self._popen.stdin.flush()

    def _close_pipe(self) -> None:
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError):
            self._popen.stdin.close()


def members(session: int) -> list[int]:
    """Return the processes of a session, forked ones in groups of their own included.

    Where there is no /proc, nothing is returned and the group has to do.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name in brackets may hold spaces: count from its end. Fields: state, parent,
            # group, session.
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.parent.name))
    return found


def kill_session(session: int) -> None:
    """End everything in the session at once."""
    for pid in members(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)


def end_sessions(
    sessions: Iterable[int],
    *,
    reap: Callable[[], object] = lambda: None,
    meanwhile: Callable[[], None] = lambda: time.sleep(0.02),
    seconds: float = STOP_SECONDS,
) -> None:
    """Ask the leader of each session to end, wait, then kill what is left of them all.

    Only the leader is asked: gunicorn and RQ tell their own children, each in its own way.
    """
    all_sessions = tuple(sessions)
    left = set(all_sessions)
    for session in left:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(session, signal.SIGTERM)
    until = time.monotonic() + seconds
    while left and time.monotonic() < until:
        reap()
        for session in [s for s in left if not _leads(s)]:
            kill_session(session)
            left.discard(session)
        if left:
            meanwhile()
    for session in left:
        kill_session(session)
    # Even SIGKILL takes a moment; whoever starts again right after this must find the port free.
    until = time.monotonic() + KILL_SECONDS
    while any(members(session) for session in all_sessions) and time.monotonic() < until:
        reap()
        meanwhile()


def _leads(session: int) -> bool:
    """Tell whether the leader of the session is still there (a zombie counts as gone)."""
    try:
        if os.getsid(session) != session:
            return False
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{session}/stat")
    with suppress(OSError, IndexError):
        return stat.read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Read until the supervisor is gone, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sessions: dict[int, bool] = {}
    leftovers: list[Path] = []
    for line in sys.stdin.buffer:
        try:
            message = json.loads(line)
        except ValueError:
            break  # half a line: the supervisor was killed while writing it
        if "add" in message:
            sessions[message["add"]] = message["last"]
        elif "remove" in message:
            sessions.pop(message["remove"], None)
        else:
            leftovers.append(Path(message["leftover"]))
    for last in (False, True):
        end_sessions([session for session, is_last in sessions.items() if is_last is last])
    for path in leftovers:
        _remove(path)


if __name__ == "__main__":
    main()
