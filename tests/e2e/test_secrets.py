"""No secret stands anywhere in the clear: database, queue, logs, reports, processes, pages, errors,
figures, exports, commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
import pytest
import requests
from redis import Redis
from rq import Queue

from portal.services import exports
from tests.browserless import Browserless
from tests.conftest import ROOT
from tests.e2e.conftest import FORMER_KEY, METRICS_TOKEN
from tests.e2e.reports import KEY, Reports
from tests.e2e.worlds import ADMIN, SUPPORT, invoice, line, member
from tests.stack import CLIENT_SECRET, Stack

MARK_LENGTH = 12
"""The simulator's log of calls shows so much of the SHA-256 of each token, never the token."""
TOKEN_LENGTH = 32
"""Both sides' tokens are so many hex digits."""
MOST_PAGES = 200


def test_no_token_stands_anywhere_in_the_clear(
    stack: Stack,
    admin: Browserless,
    connected: Callable[[str], str],
    ends_as: Callable[..., None],
    reports: Reports,
) -> None:
    token = connected("geheim")
    stack.control(
        "POST", "/cobot/spaces/geheim/memberships", member("mem-new-3", "Mia Neumann", "77")
    )
    stack.create_invoice("geheim", invoice("geheim", "GUT-1"))
    stack.create_invoice("geheim", invoice("geheim", "ZU-9", items=[line("Parkplatz")]))
    ends_as("geheim", "GUT-1", "synced")
    ends_as("geheim", "ZU-9", "failed")
    admin.connect("geheim", 32 * "f", expect=422)  # a token that is refused must not stay either
    guest = Browserless(stack.portal_url)
    guest.http.get(f"{stack.portal_url}/login/start", allow_redirects=False, timeout=30)
    support = Browserless(stack.portal_url)
    support.sign_in(SUPPORT)
    visit = support.get("/support/spaces/geheim").form("/support/visits")
    support.submit(visit, reason="Ticket 4711")
    _fail_a_job(stack)
    stack.wait_until(lambda: reports.bodies, "an error to be reported")
    requests.post(f"{stack.portal_url}/hooks/cobot/{43 * 'x'}/created_invoice", timeout=30)

    hooks = {row["callback_url"] for row in stack.space("geheim")["subscriptions"]}
    secrets = {re.search(r"/hooks/cobot/([^/]+)/", hook)[1] for hook in hooks}  # type: ignore[index]
    assert len(secrets) == 1
    assert min(map(len, secrets)) >= 22, "128 bits at least"
    known = {
        token,
        32 * "f",
        CLIENT_SECRET,
        METRICS_TOKEN,
        FORMER_KEY,
        reports.dsn,
        KEY,
        *secrets,
        stack.env["SECRET_KEY"],
        *stack.env["TOKEN_KEYS"].split(","),
    }
    known |= {password for password in [urlsplit(stack.env["DATABASE_URL"]).password] if password}
    for person in (admin, guest, support):
        sessions = {one.value or "" for one in person.http.cookies if "session" in one.name}
        assert sessions, "everybody has a session of their own"
        known |= sessions
    used = {
        side: {call["caller"] for call in stack.calls() if call["caller"] and call["side"] == side}
        for side in ("cobot-www", "cobot-space", "cobot-api", "sevdesk")
    }
    assert sha256(token.encode()).hexdigest()[:MARK_LENGTH] in used["sevdesk"]
    persons = used["cobot-www"]
    assert persons, "a person's token was used"
    assert (used["cobot-space"] | used["cobot-api"]) - persons, "and that of a space"
    marks = set().union(*used.values())

    places = [
        *_files(stack),
        *_database(stack),
        *_queue(stack),
        *_figures(stack),
        *_errors(stack, admin, secrets.pop()),
        *_exports(stack, admin),
        *_pages(stack, admin),
        *_pages(stack, guest),
        *_pages(stack, support, "/support", "/support?q=GUT", "/support/spaces/geheim"),
        # The first line names the place itself, by its key.
        *(("report:", body.partition(b"\n")[2]) for body in reports.bodies),
        *_processes(stack),
        *_commands(stack),
    ]
    kinds = {name.split(":")[0] for name, _ in places}
    assert kinds >= {
        *("file", "page", "queue", "figures", "error", "export", "report", "process", "command")
    }
    assert len([name for name, _ in places if name.startswith("page:/support")]) >= 4
    assert any(b"made_up" in body for body in reports.bodies), "the job that failed was reported"
    found = [
        f"{name}: {what}" for name, content in places for what in _leaks(content, known, marks)
    ]
    assert found == []


def test_the_search_finds_what_it_should() -> None:
    token = sha256(b"a").hexdigest()[:TOKEN_LENGTH]
    mark = sha256(token.encode()).hexdigest()[:MARK_LENGTH]
    assert list(_leaks(f"abc{token}def".encode(), set(), {mark}))
    assert list(_leaks(b"...demo-secret...", {"demo-secret"}, set()))
    assert not list(_leaks(b"nothing" * 100, {"demo-secret"}, {mark}))


def _leaks(content: bytes, known: set[str], marks: set[str]) -> Iterator[str]:
    for secret in known:
        if secret.encode() in content:
            yield f"a known secret beginning with {secret[:4]}"
    for run in re.findall(rb"[0-9a-f]{%d,}" % TOKEN_LENGTH, content):
        for start in range(len(run) - TOKEN_LENGTH + 1):
            word = run[start : start + TOKEN_LENGTH]
            if sha256(word).hexdigest()[:MARK_LENGTH] in marks:
                yield f"a token that was used, beginning with {word[:4]!r}"


def _files(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield what lies in the folder: SQLite's files, Valkey's, the logs; not keys and world."""
    own = {"keys.json", "world.json"}
    for path in sorted(stack.folder.rglob("*")):
        if path.is_file() and path.name not in own and path.name != "simulator.log":
            yield f"file:{path.relative_to(stack.folder)}", path.read_bytes()


def _database(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield each row of PostgreSQL; SQLite's file is among the files."""
    address = stack.env["DATABASE_URL"]
    if not address.startswith("postgres"):
        return
    with psycopg.connect(address) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 its own names
                cells = (
                    bytes(cell) if isinstance(cell, (bytes, memoryview)) else str(cell).encode()
                    for cell in row
                )
                yield f"table:{table}", b"\n".join(cells)


def _queue(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield each value of the queue: jobs, marks, counters."""
    queue = Redis.from_url(stack.env["REDIS_URL"])
    try:
        for key in queue.scan_iter():
            yield f"queue:{key!r}", key + b"\n" + queue.dump(key)
            if queue.type(key) == b"hash":
                fields = queue.hgetall(key)
                # RQ packs what a job holds.
                data = fields.get(b"data")
                packed = zlib.decompress(data) if data and data[:1] == b"x" else b""
                yield f"queue:{key!r}", packed + b"\n".join([*fields, *fields.values()])
    finally:
        queue.close()


def _figures(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield what Prometheus and the health checks read; the workers' calls are in it."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    found = requests.get(f"{stack.portal_url}/metrics", headers=headers, timeout=30)
    for figure in (
        'portal_remote_calls_total{side="sevdesk",status="201"} ',
        'portal_hooks_total{event="created_invoice",status="202"} ',
    ):
        assert re.search(re.escape(figure) + "[1-9]", found.text), figure
    yield "figures:/metrics", found.content
    yield "figures:/readyz", requests.get(f"{stack.portal_url}/readyz", timeout=30).content


def _errors(stack: Stack, person: Browserless, secret: str) -> Iterator[tuple[str, bytes]]:
    """Yield what is said where something is refused, the hook with a good secret included."""
    url = stack.portal_url
    for answer in (
        person.http.get(f"{url}/nothing", timeout=30),
        person.http.get(f"{url}/spaces/geheim/log?q=%00", timeout=30),
        person.http.post(f"{url}/spaces/geheim/pause", timeout=30),
        person.http.get(f"{url}/hooks/cobot/{secret}/created_invoice", timeout=30),
        requests.post(f"{url}/hooks/cobot/{secret}/created_invoice", json={}, timeout=30),
        requests.post(f"{url}/hooks/cobot/{secret}/made_up", json={"url": "x"}, timeout=30),
        requests.get(f"{url}/oauth/callback?code=x&state=x", timeout=30),
        requests.get(f"{url}/metrics", timeout=30),
    ):
        assert answer.status_code >= 400
        yield f"error:{answer.status_code}", answer.content + str(answer.headers).encode()


def _exports(stack: Stack, person: Browserless) -> Iterator[tuple[str, bytes]]:
    """Yield everything that is given out as a file."""
    person_id = re.search(r'data-person="(\d+)"', person.get("/spaces/geheim/data?q=m").html)
    assert person_id is not None
    for path in (
        "/spaces/geheim/export.json",
        *(f"/spaces/geheim/export/{table}.csv" for table in exports.tables_of_a_space()),
        f"/spaces/geheim/people/{person_id[1]}.json",
        f"/spaces/geheim/people/{person_id[1]}.csv",
        "/spaces/geheim/log.csv",
        "/account/data.json",
        "/account/data.csv",
    ):
        answer = person.http.get(stack.portal_url + path, timeout=30)
        assert answer.status_code == 200, path
        yield f"export:{path}", answer.content


COMMANDS = (
    ("doctor",),
    ("spaces", "list"),
    ("space", "export", "geheim"),
    ("invoice", "show", "geheim", "GUT-1"),
    ("mapping", "check", "geheim"),
    ("admin", "export", ADMIN),
    ("history", "verify", "geheim"),
)
SAY = """
import json, sys
from portal.cli import register_commands
from portal.core import create_core
app = create_core()
register_commands(app)
for words in json.loads(sys.argv[1]):
    found = app.test_cli_runner().invoke(args=words)
    print(" ".join(words), found.exit_code, found.output, found.exception)
"""


def _commands(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield what an operator reads."""
    words = [sys.executable, "-c", SAY, json.dumps(COMMANDS)]
    said = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **stack.env}, capture_output=True, check=True
    )
    for command in COMMANDS:
        assert f"{' '.join(command)} 0 ".encode() in said.stdout, command
    yield "command:", said.stdout + said.stderr


def _processes(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield the words that each process was started with: everybody on the machine reads them."""
    for name in stack.processes:
        words = Path(f"/proc/{stack.pid(name)}/cmdline")
        yield f"process:{name}", words.read_bytes() if words.exists() else name.encode()


def _fail_a_job(stack: Stack) -> None:
    """Give a worker something that it cannot do: an error of ours."""
    queue = Redis.from_url(stack.env["REDIS_URL"])
    Queue("interactive", connection=queue, serializer="json").enqueue("jobs.made_up.nothing")
    queue.close()


START = (
    "/",
    "/spaces",
    "/spaces/geheim/log",
    "/spaces/geheim/sevdesk",
    "/spaces/geheim/data",
    "/help",
)


def _pages(stack: Stack, person: Browserless, *more: str) -> Iterator[tuple[str, bytes]]:
    """Yield every page that can be reached from the start by links."""
    waiting, seen = [*START, *more], set()
    host = urlsplit(stack.portal_url).netloc
    while waiting and len(seen) < MOST_PAGES:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        answer = person.http.get(stack.portal_url + path, timeout=30)
        if urlsplit(answer.url).netloc != host:
            continue
        headers = "\n".join(
            f"{name}: {value}" for name, value in answer.headers.items() if name != "Set-Cookie"
        )
        yield f"page:{path}", answer.content + headers.encode()
        for link in re.findall(r'(?:href|hx-get)="([^"]+)"', answer.text):
            parts = urlsplit(link.replace("&amp;", "&"))
            is_ours = parts.netloc in {"", host} and parts.path.startswith("/")
            if is_ours and not parts.path.startswith(("/static", "/login/start", "/language")):
                waiting.append(urlunsplit(("", "", unquote(parts.path), parts.query, "")))


@pytest.mark.parametrize("path", ["/spaces/geheim/log", "/spaces/geheim/sevdesk"])
def test_the_saved_token_is_never_shown_again(
    admin: Browserless, connected: Callable[[str], str], path: str
) -> None:
    token = connected("geheim")
    assert token not in admin.get(path).html
