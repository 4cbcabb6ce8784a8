"""A takeover of old invoices through the pages, while everything is killed around it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import requests

from tests.browserless import Browserless
from tests.e2e.worlds import invoice, token_of, world_of
from tests.stack import Json, Stack

SPACE = "archiv"
FIRST, DAYS = date(2026, 1, 1), 90
OF_AN_INVOICE = re.compile(r"/invoices/[^/]+|/Voucher|/Voucher/Factory/\w+|/Tag/Factory/create")
"""Paths of the calls that one invoice costs: its PDF, a look, the upload, the receipt, the tag."""
MORE_AFTER_A_DEATH = 8
"""What the invoice in hand may cost once more: its PDF, its upload, three looks, its receipt."""

KILLS = {
    "the worker": ("backfill",),
    "all workers and upkeep": ("interactive", "drain-1", "backfill", "upkeep"),
    "everything": ("valkey", "web", "interactive", "drain-1", "backfill", "upkeep"),
}


@dataclass(frozen=True)
class Takeover:
    """How it went. `extra`: calls beyond five for each invoice."""

    seconds: float
    saved: int
    """Receipts that sevdesk was asked for and made."""
    extra: int
    refused: int
    """Calls answered with 429."""
    calls: tuple[Json, ...]


def world(count: int) -> Json:
    """Return a world in which one space has so many invoices from before its connection."""
    made = world_of(SPACE)
    made["spaces"][0]["invoices"] = [
        invoice(
            SPACE,
            f"A-{number:05d}",
            id=f"old-{number}",
            invoiceDate=(FIRST + timedelta(days=number % DAYS)).isoformat(),
        )
        for number in range(count)
    ]
    return made


def take_over(
    stack: Stack,
    person: Browserless,
    count: int,
    *,
    seconds: float,
    is_killed: bool = True,
    is_helped: bool = False,
) -> Takeover:
    """Rehearse and take over all of it; with kills after a quarter, a half, three quarters.

    Upkeep finds within a minute what a dead worker left; `is_helped`: a person does not wait so
    long and presses pause and go on.
    """
    path = f"/spaces/{SPACE}/backfill"
    before = stack.last_call()
    window = {"from_date": FIRST, "to_date": FIRST + timedelta(days=DAYS)}
    form = person.get(path).form(path)
    person.submit(form, **{name: day.isoformat() for name, day in window.items()})
    _wait(stack, person, "look-ready", seconds=seconds)
    assert {call["method"] for call in stack.calls(before)} == {"GET"}
    begun, before = time.monotonic(), stack.last_call()
    _press(stack, person, "start")
    if is_killed:
        for place, names in enumerate(KILLS.values(), start=1):
            due = before + 5 * count * place // (len(KILLS) + 1)
            stack.wait_until(_reached(stack, due), f"call {due}", seconds=seconds, every=0.05)
            _kill(stack, names)
            if is_helped:
                for step in ("pause", "go-on"):
                    _press(stack, person, step)
    _wait(stack, person, "work-done", seconds=seconds)
    took = time.monotonic() - begun
    calls = [call for call in stack.calls(before) if call["side"] in ("cobot-api", "sevdesk")]
    own = [call for call in calls if OF_AN_INVOICE.fullmatch(call["path"])]
    saves = [call for call in own if call["path"].endswith("saveVoucher")]
    return Takeover(
        seconds=took,
        saved=sum(call["status"] < 300 for call in saves),
        extra=len(own) - 5 * count,
        refused=sum(call["status"] == 429 for call in calls),
        calls=tuple(calls),
    )


def check(stack: Stack, person: Browserless, count: int, found: Takeover, *, deaths: int) -> None:
    """Complete, no double, five calls for each invoice, and the log says so."""
    vouchers = stack.sevdesk(token_of(SPACE))["vouchers"]
    numbers = [voucher["description"] for voucher in vouchers]
    assert len(numbers) == len(set(numbers)) == found.saved == count
    assert set(numbers) == {f"A-{number:05d}" for number in range(count)}
    assert {Decimal(voucher["sumGross"]) for voucher in vouchers} == {Decimal(119)}
    assert 0 <= found.extra <= MORE_AFTER_A_DEATH * deaths
    page = person.get(f"/spaces/{SPACE}/backfill")
    assert f"{count} von {count}" in page.text
    assert person.get(f"/spaces/{SPACE}/log?state=failed").rows() == []


def _reached(stack: Stack, call: int) -> Callable[[], bool]:
    return lambda: stack.last_call() >= call


def _kill(stack: Stack, names: tuple[str, ...]) -> None:
    for name in names:
        stack.kill(name)
    for name in names:
        stack.start_again(name)
    if "web" in names:
        stack.wait_until(lambda: _answers(stack), "the portal to answer again", seconds=60)


def _answers(stack: Stack) -> bool:
    try:
        return requests.get(f"{stack.portal_url}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


def _press(stack: Stack, person: Browserless, step: str) -> None:
    page = person.get(f"/spaces/{SPACE}/backfill")
    for form in page.forms():
        if urlsplit(form.action).path.endswith(f"/{step}"):
            person.submit(form)


def _wait(stack: Stack, person: Browserless, state: str, *, seconds: float) -> None:
    def is_so() -> bool:
        answer = person.http.get(f"{stack.portal_url}/spaces/{SPACE}/backfill", timeout=30)
        return f'data-task="{state}"' in answer.text

    stack.wait_until(is_so, f"the takeover to be {state}", seconds=seconds, every=0.5)
