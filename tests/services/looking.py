"""What the tests of checks, rehearsals, imports and backfills share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from portal.database import db
from portal.models import Space, Task
from portal.services import task_runs, tasks
from portal.services.drain import drain
from tests.services.conftest import Json, Remote, connect
from tests.simulator.generator import generate_world


def ended(task: Task) -> Task:
    """Run a look to its end; return it as it stands then."""
    found = task_runs.run_to_end(task)
    assert found.state in ("done", "ready"), (found.state, found.cause_code)
    return found


def reset(remote: Remote, world: Json) -> None:
    remote.control("POST", "/reset", {"world": world})
    remote.control("DELETE", "/faults")


def generated(remote: Remote, *, invoices: int, seed: int = 5, members: int = 12) -> Json:
    """Put up a made-up world of one space with these invoices."""
    world = json.loads(
        json.dumps(generate_world(spaces=1, members=members, invoices=invoices, seed=seed))
    )
    reset(remote, world)
    return dict(world)


def connected(remote: Remote, world: Json, **settings: Any) -> Space:
    """Connect the only space of a made-up world."""
    sub, token = world["spaces"][0]["subdomain"], world["sevdesk"][0]["token"]
    space = connect(remote, "usr-0", sub, token, **settings)
    space.caught_up_on = space.start_date
    db.session.commit()
    return space


def methods(remote: Remote, after: int) -> set[str]:
    return {call.split()[1] for call in remote.calls(after)}


def drain_all(space: Space, *, until: Callable[[], bool] | None = None) -> None:
    """Drain until nothing is due, or until something is so."""
    while drain(space.id):
        if until is not None and until():
            return


def items_of(task: Task) -> dict[str, tuple[str, str | None]]:
    """Return verdict and cause of each item by its number."""
    found = tasks.items(task, limit=5000)
    db.session.commit()
    return {item.number or item.remote_id: (item.verdict, item.cause_code) for item in found}
