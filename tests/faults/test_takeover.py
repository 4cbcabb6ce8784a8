"""Old invoices taken over while everything is killed around them, and at the real budgets.

`TAKEOVER_INVOICES=200` makes the large one smaller.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browserless import Browserless
from tests.e2e.conftest import NO_LIMITS
from tests.e2e.worlds import ADMIN, token_of
from tests.faults.ground import QUICK
from tests.faults.takeover import KILLS, SPACE, check, take_over, world
from tests.stack import Stack

INVOICES = int(os.environ.get("TAKEOVER_INVOICES", "2000"))
SOME, FEW = 60, 12


@pytest.mark.timeout(180)
def test_a_takeover_killed_three_times_ends_complete_and_without_a_double(tmp_path: Path) -> None:
    with _begun(tmp_path, SOME) as (stack, person):
        found = take_over(stack, person, SOME, is_helped=True, seconds=120)
        check(stack, person, SOME, found, deaths=len(KILLS))


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_two_thousand_old_invoices_killed_three_times(tmp_path: Path) -> None:
    """Budgets lifted by settings: complete, no double, five calls for each invoice."""
    with _begun(tmp_path, INVOICES) as (stack, person):
        found = take_over(stack, person, INVOICES, seconds=2000)
        check(stack, person, INVOICES, found, deaths=len(KILLS))
    print(f"{INVOICES} invoices in {found.seconds:.0f} s, {found.extra} calls beyond five each")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_takeover_stays_within_the_real_budgets(tmp_path: Path) -> None:
    """Cobot's limit as it is, our budgets as they are by default."""
    with _begun(tmp_path, FEW, settings={}, simulator=()) as (stack, person):
        assert stack.env["COBOT_CALLS_PER_MINUTE"] == "55"
        assert stack.env["SEVDESK_CALLS_PER_SECOND"] == "2"
        found = take_over(stack, person, FEW, is_killed=False, seconds=200)
        check(stack, person, FEW, found, deaths=0)
    assert found.refused == 0
    at = sorted(call["at"] for call in found.calls if call["side"] == "sevdesk")
    fullest = max(sum(begin <= one < begin + 9.9 for one in at) for begin in at)
    assert fullest <= 20
    print(f"{FEW} invoices in {found.seconds:.0f} s, at most {fullest} calls to sevdesk in 10 s")


@contextmanager
def _begun(
    folder: Path,
    count: int,
    *,
    settings: Mapping[str, str] = QUICK,
    simulator: Sequence[str] = NO_LIMITS,
) -> Iterator[tuple[Stack, Browserless]]:
    """Start everything with so many old invoices, and connect their space."""
    with Stack(
        folder, world=world(count), simulator=simulator, settings=settings, drains=1
    ) as stack:
        person = Browserless(stack.portal_url)
        person.sign_in(ADMIN)
        person.connect(SPACE, token_of(SPACE))
        yield stack, person
