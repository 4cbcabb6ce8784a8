"""Rows 7 and 8: the queue forgets everything."""

from __future__ import annotations

import shutil

import pytest

from tests.faults.ground import Ground

WAITING = 500


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_f07_the_queue_is_emptied_with_500_waiting(ground: Ground, space: str) -> None:
    """FLUSHALL, three times, while 500 invoices wait.

    Held: all 500 are booked, none twice.
    """
    numbers = ground.invoices(space, WAITING, "F07")
    for done in (20, 150, 300):
        ground.wait_until(
            lambda done=done: _booked(ground, space) >= done, "some to be booked", seconds=120
        )
        ground.redis.flushall()
    ground.ends(space, numbers, seconds=500, meanwhile=ground.a_minute_passes)
    ground.check(space)


def test_f08_the_queue_restarts_without_its_files(ground: Ground, space: str) -> None:
    """Valkey is killed while a job runs, its files are removed, and it is started again.

    Held: everything is booked, nothing twice.
    """
    numbers = ground.invoices(space, 60, "F08")
    ground.wait_until(lambda: _booked(ground, space) >= 5, "some to be booked")
    ground.kill("valkey")
    for path in ground.folder.glob("appendonlydir"):
        shutil.rmtree(path)
    ground.start_again("valkey")
    ground.ends(space, numbers, seconds=150, meanwhile=ground.a_minute_passes)
    ground.check(space)


def _booked(ground: Ground, space: str) -> int:
    return sum(one["state"] == "synced" for one in ground.rows(space))
