"""What a webhook costs by hand: the secret looked up, a row inserted, a worker woken; and nothing.

The same web framework and the same server, without anything else of the portal. Addresses:
`/by-hand/<secret>/<event>` and `/nothing`.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
from flask import Flask, request
from redis import Redis

app = Flask(__name__)
redis = Redis.from_url(os.environ["REDIS_URL"])
mine = threading.local()
IS_SQLITE = os.environ["DATABASE_URL"].startswith("sqlite")
MARK = "?" if IS_SQLITE else "%s"
LOOK_UP = f"SELECT id FROM space WHERE hook_digest = {MARK}"
KEEP = (
    "INSERT INTO inbox_event (space_id, event, remote_id, seen_count, first_seen_at, last_seen_at)"
    f" VALUES ({MARK}, {MARK}, {MARK}, 1, {MARK}, {MARK})"
    " ON CONFLICT (space_id, event, remote_id) DO UPDATE"
    " SET seen_count = inbox_event.seen_count + 1"
)


@app.post("/by-hand/<secret>/<event>")
def receive(secret: str, event: str) -> tuple[str, int]:
    """Look up, insert, commit, push."""
    remote_id = request.get_json()["url"].rpartition("/")[2]
    digest = hashlib.sha256(secret.encode()).hexdigest()
    now: Any = datetime.now(UTC)
    if IS_SQLITE:
        now = now.isoformat()
    connection = _connection()
    if IS_SQLITE:
        connection.execute("BEGIN IMMEDIATE")
    found = connection.execute(LOOK_UP, (digest,)).fetchone()
    if found is None:
        connection.rollback()
        return "", 404
    connection.execute(KEEP, (found[0], event, remote_id, now, now))
    connection.commit()
    redis.lpush("by-hand", found[0])
    return "", 202


@app.post("/nothing")
def nothing() -> tuple[str, int]:
    return "", 202


def _connection() -> Any:
    """Return this thread's connection, made once, as durable as the portal's."""
    if not hasattr(mine, "connection"):
        url = os.environ["DATABASE_URL"]
        if IS_SQLITE:
            mine.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
            for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL"):
                mine.connection.execute(f"PRAGMA {pragma}")
        else:
            mine.connection = psycopg.connect(url)
    return mine.connection
