"""The processes of a whole portal on one machine, as `flask up` and the demo run them."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from portal.crypto import new_key
from portal.embedded import EmbeddedValkey
from portal.jobqueue import BACKFILL, DRAIN, INTERACTIVE
from portal.supervisor import Process, Supervisor

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
LOOPBACK = "127.0.0.1"
DRAIN_WORKERS = 2


def flask(name: str, *words: str, env: Mapping[str, str]) -> Process:
    """Return a `flask ...` command as a process."""
    return Process(name, [PYTHON, "-m", "flask", "--app", "wsgi", *words], env)


def migration(env: Mapping[str, str]) -> Process:
    return flask("migrate", "db", "upgrade", env=env)


def web(port: int, env: Mapping[str, str]) -> Process:
    """Return the web server; threads, the time limits and silence stand in gunicorn.conf.py."""
    command = [PYTHON, "-m", "gunicorn", "--bind", f"{LOOPBACK}:{port}", "wsgi:app"]
    return Process("web", command, env)


def worker(name: str, queue: str, env: Mapping[str, str]) -> Process:
    return flask(name, "rq", "worker", queue, env=env)


def upkeep(env: Mapping[str, str]) -> Process:
    return flask("upkeep", "upkeep", "run", env=env)


def workers(env: Mapping[str, str], *, drains: int = DRAIN_WORKERS) -> list[Process]:
    """Return one worker each for interactive and backfill, and `drains` for drain."""
    return [
        worker("interactive", INTERACTIVE, env),
        *(worker(f"drain-{number}", DRAIN, env) for number in range(1, drains + 1)),
        worker("backfill", BACKFILL, env),
    ]


def free_port(*wanted: int) -> int:
    """Return the first wanted port that nothing listens on, else any free one."""
    for port in (*wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port")


def kept_secrets(path: Path) -> dict[str, str]:
    """Return SECRET_KEY and TOKEN_KEYS from the file, which is made with new ones if missing.

    Losing the file means that every space must be connected again: it belongs into the backup.
    """
    if path.exists():
        found: dict[str, str] = json.loads(path.read_text())
        return found
    made = {"SECRET_KEY": new_key(), "TOKEN_KEYS": new_key()}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(made, file)
    return made


def run_stack(folder: Path, *, port: int, given: Mapping[str, str]) -> None:
    """Run the whole portal until SIGINT or SIGTERM, with its data in `folder`.

    What `given` (the environment) does not name gets a default that keeps everything on this
    machine: an SQLite file, the embedded Valkey, keys made once. Raises ProcessFailed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    supervisor = Supervisor(
        folder=ROOT, lock=folder / "supervisor.lock", leftovers=_leftovers(folder, given)
    )
    try:
        env = _settings(folder, port, given)
        if not given.get("REDIS_URL"):
            valkey = EmbeddedValkey.in_folder(folder)
            valkey.end_left_behind()
            supervisor.start(valkey.process())
            valkey.wait_until_up(supervisor.tick)
        supervisor.watch_signals()
        supervisor.run_once(migration(env))
        for process in (web(port, env), *workers(env), upkeep(env)):
            supervisor.start(process)
        supervisor.say(f"the portal answers on {env['PUBLIC_URL']}")
    except BaseException:
        supervisor.close()
        raise
    supervisor.run()


def _leftovers(folder: Path, given: Mapping[str, str]) -> tuple[Path, ...]:
    return () if given.get("REDIS_URL") else EmbeddedValkey.in_folder(folder).leftovers


def _settings(folder: Path, port: int, given: Mapping[str, str]) -> dict[str, str]:
    env = {"PUBLIC_URL": f"http://{LOOPBACK}:{port}", "LOG_FORMAT": "console"}
    env["DATABASE_URL"] = f"sqlite:///{folder.resolve() / 'portal.db'}"
    if not (given.get("SECRET_KEY") and given.get("TOKEN_KEYS")):
        env |= kept_secrets(folder / "keys.json")
    if not given.get("REDIS_URL"):
        env["REDIS_URL"] = EmbeddedValkey.in_folder(folder).url
    return env | {name: given[name] for name in env if given.get(name)}
