"""The demo ends with whatever started it, also when that is killed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from portal.stack import ROOT

# Stands for the demo: it is watched over in the same way and would stay for ever.
CHILD = """
import os, pathlib, signal, sys, time
from tests.demo.parent import end_with_parent
ended = pathlib.Path({folder!r}) / "ended"
signal.signal(signal.SIGTERM, lambda *_: (ended.write_text(""), sys.exit()))
end_with_parent(every_seconds=0.02)
pathlib.Path({folder!r}, "pid").write_text(str(os.getpid()))
time.sleep(60)
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""


def wait_for(what: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    child = CHILD.format(folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", PARENT, child], cwd=ROOT) as parent:
        wait_for((tmp_path / "pid").exists)
        assert not (tmp_path / "ended").exists()
        parent.kill()
    wait_for((tmp_path / "ended").exists)


def test_make_is_its_parent_with_no_shell_between(tmp_path: Path) -> None:
    stand_in = tmp_path / "python"
    # Not Python itself: its path may hold a blank, which no "#!" line can say.
    stand_in.write_text('#!/bin/sh\necho "$PPID $ONCE $*"\n')
    stand_in.chmod(0o755)
    command = ["make", "-s", "-o", "setup", "demo", f"PY={shlex.quote(str(stand_in))}", "ONCE=1"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as make:
        said, _ = make.communicate()
    assert said.split() == [str(make.pid), "1", "-m", "tests.demo"]
