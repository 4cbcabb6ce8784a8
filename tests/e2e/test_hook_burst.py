"""Cobot's monthly run: thousands of hooks in one burst from one address, each of them kept.

Real gunicorn, real connections. A single refusal in ten switches a subscription off, so nothing but
202 will do: with the queue, without it, and with one that hangs.
"""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from portal import stack as parts
from portal.core import create_core
from portal.crypto import digest
from portal.database import db, utcnow
from portal.embedded import EmbeddedValkey
from portal.models import InboxEvent, Space
from portal.supervisor import Supervisor
from tests.conftest import ROOT, test_config
from tests.jobs.test_workers import environment

pytestmark = pytest.mark.long

HOOKS = 5000
SENDERS = 24
"""Connections at a time; three times as many as the server has threads."""
SECRET = "s" * 43


class Web:
    """Gunicorn alone, with a queue of its own and one connected space."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.valkey = EmbeddedValkey.in_folder(folder)
        self.supervisor = Supervisor(folder=ROOT, log_folder=folder / "logs")
        self.supervisor.start(self.valkey.process())
        self.valkey.wait_until_up()
        self.port = parts.free_port()
        config = test_config(
            database_url=database_url,
            redis_url=self.valkey.url,
            public_url=f"http://127.0.0.1:{self.port}",
        )
        self.app = create_core(config)
        with self.app.app_context():
            db.session.add(
                Space(
                    cobot_id="s-1",
                    subdomain="alpha",
                    name="Alpha",
                    connected_at=utcnow(),
                    hook_digest=digest(SECRET),
                )
            )
            db.session.commit()
            db.session.remove()
        self.supervisor.start(parts.web(self.port, environment(config)))
        until = time.monotonic() + 30
        while not self._is_up():
            assert time.monotonic() < until, (folder / "logs/web.log").read_text()
            time.sleep(0.1)

    def _is_up(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def kept(self) -> int:
        with self.app.app_context():
            count = db.session.scalar(select(func.count()).select_from(InboxEvent))
            db.session.remove()
        return int(count or 0)

    def close(self) -> None:
        self.supervisor.close()
        with self.app.app_context():
            db.engine.dispose()

    def burst(self, name: str, hooks: int = HOOKS) -> Counter[int]:
        """Send so many hooks at once, each of another invoice; return the statuses."""
        shares = [range(first, hooks, SENDERS) for first in range(SENDERS)]
        with ThreadPoolExecutor(SENDERS) as pool:
            return sum(pool.map(lambda share: self._send(name, share), shares), Counter())

    def _send(self, name: str, numbers: range) -> Counter[int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        statuses: Counter[int] = Counter()
        path = f"/hooks/cobot/{SECRET}/created_invoice"
        for number in numbers:
            url = f"https://alpha.cobot.me/api/invoices/{name}-{number}"
            body, headers = f'{{"url": "{url}"}}', {"Content-Type": "application/json"}
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        connection.close()
        return statuses


@pytest.fixture
def web(tmp_path: Path, database_url: str) -> Iterator[Web]:
    started = Web(tmp_path, database_url)
    yield started
    started.close()


@pytest.mark.timeout(300)
def test_five_thousand_hooks_at_once_are_kept_with_and_without_the_queue(web: Web) -> None:
    assert web.burst("with") == {202: HOOKS}
    assert web.kept() == HOOKS
    web.supervisor.kill("valkey")
    assert web.burst("without") == {202: HOOKS}
    assert web.kept() == 2 * HOOKS


@pytest.mark.timeout(300)
def test_a_queue_that_hangs_turns_no_hook_away(web: Web) -> None:
    pid = web.supervisor.pid("valkey")
    os.killpg(pid, signal.SIGSTOP)
    try:
        assert web.burst("hanging", 100) == {202: 100}
    finally:
        os.killpg(pid, signal.SIGCONT)
    assert web.kept() == 100
