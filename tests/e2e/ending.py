"""Waiting until many invoices have ended."""

from __future__ import annotations

from tests.browserless import Browserless, LogRow
from tests.stack import Json, Stack

FINAL = {"synced", "mismatched", "failed", "skipped"}


def finished(stack: Stack, person: Browserless, subdomain: str, count: int) -> dict[str, LogRow]:
    """Return the log's rows by number once every invoice has its final state."""

    def is_finished() -> bool:
        if person.get(f"/spaces/{subdomain}/log?state=working").has_rows:
            return False
        deliveries = stack.space(subdomain)["deliveries"]
        if len(deliveries) < count or not all(map(_was_taken, deliveries)):
            return False
        # What was delivered stands in the inbox first; the log has it once a worker took it in.
        return len(person.log_rows(subdomain)) == count

    stack.wait_until(is_finished, "all invoices to end", seconds=150, every=0.5)
    rows = {row.number: row for row in person.log_rows(subdomain)}
    assert {row.state for row in rows.values()} <= FINAL
    return rows


def _was_taken(delivery: Json) -> bool:
    return bool(delivery["attempts"] and delivery["attempts"][-1]["status"] == 202)
