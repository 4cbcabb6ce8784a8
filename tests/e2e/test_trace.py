"""The way of one invoice is followed in the log, from Cobot's message to the last call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.e2e.worlds import invoice
from tests.stack import Stack

WORKERS = ("interactive", "drain-1", "drain-2", "backfill")


def lines_of(stack: Stack, *processes: str) -> list[dict[str, Any]]:
    """Return the log lines of these processes; each one is an object of JSON."""
    return [
        {"process": name, **json.loads(line)}
        for name in processes
        for line in stack.log_of(name).splitlines()
    ]


def test_an_invoice_is_followed_by_its_request(
    stack: Stack, connected: Callable[[str], str], ends_as: Callable[..., None]
) -> None:
    connected("geheim")
    made = stack.create_invoice("geheim", invoice("geheim", "SPUR-1"))
    cobot_id = made["data"]["id"]
    ends_as("geheim", "SPUR-1", "synced")

    [hook] = [
        hook
        for line in lines_of(stack, "web")
        if line["event"] == "hooks kept"
        for hook in line["hooks"]
        if hook["remote_id"] == cobot_id
    ]
    lines = [
        line for line in lines_of(stack, *WORKERS) if line.get("request_id") == hook["request_id"]
    ]
    assert lines[0]["event"] == "taken in"
    done = [line.get("edge") for line in lines if line["event"] == "step kept"]
    assert done[0] == "fetched"
    assert {"sending", "saved", "tagged"} <= set(done)
    called = [line["endpoint"] for line in lines if line["event"] == "remote call"]
    assert "POST /Voucher/Factory/saveVoucher" in called
    assert all(line["job_id"] for line in lines), "each names the job that wrote it"


def test_every_line_is_one_object(stack: Stack) -> None:
    lines = lines_of(stack, "web", "upkeep", *WORKERS)
    assert lines
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
