"""What several threads want at once is done at once: for each exactly once, and never stuck."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from portal import together
from portal.together import Together

LONG = 30.0


def in_line(line: Together[int, int], count: int) -> None:
    until = time.monotonic() + LONG
    while len(line._waiting) != count:
        assert time.monotonic() < until
        threading.Event().wait(0.001)


class Doing:
    """What is done for those in line, held until it is let go."""

    def __init__(self) -> None:
        self.done: list[list[int]] = []
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> int:
        self.done.append(list(items))
        self.begun.release()
        assert self.may_end.acquire(timeout=LONG)
        if -1 in items:
            raise ValueError("not these")
        return len(items)


@pytest.fixture
def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8)


def test_alone_it_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together.time, "sleep", pytest.fail)
    line: Together[int, int] = Together()
    doing = Doing()
    doing.may_end.release(2)
    assert line.join(7, doing) == 1
    assert line.join(8, doing) == 1
    assert doing.done == [[7], [8]]


def test_who_comes_meanwhile_shares_the_next(threads: ThreadPoolExecutor) -> None:
    line: Together[int, int] = Together()
    doing = Doing()
    first = threads.submit(line.join, 0, doing)
    assert doing.begun.acquire(timeout=LONG)
    others = []
    for number in (1, 2, 3):
        others.append(threads.submit(line.join, number, doing))
        in_line(line, number)
    doing.may_end.release(2)
    assert first.result(LONG) == 1
    assert [other.result(LONG) for other in others] == [3, 3, 3]
    assert doing.done == [[0], [1, 2, 3]]


def test_each_is_told_what_went_wrong_and_the_line_goes_on(threads: ThreadPoolExecutor) -> None:
    line: Together[int, int] = Together()
    doing = Doing()
    first = threads.submit(line.join, 0, doing)
    assert doing.begun.acquire(timeout=LONG)
    others = []
    for place, number in enumerate((1, -1, 2), start=1):
        others.append(threads.submit(line.join, number, doing))
        in_line(line, place)
    doing.may_end.release(2)
    assert first.result(LONG) == 1
    for other in others:
        with pytest.raises(ValueError, match="not these"):
            other.result(LONG)
    doing.may_end.release()
    assert line.join(5, doing) == 1


def test_each_is_done_once(threads: ThreadPoolExecutor) -> None:
    line: Together[int, int] = Together()
    done: list[int] = []
    at_once: list[int] = []
    busy = threading.Lock()

    def do(items: Sequence[int]) -> int:
        assert busy.acquire(blocking=False), "one at a time"
        done.extend(items)
        at_once.append(len(items))
        busy.release()
        return len(items)

    assert all(threads.map(lambda number: line.join(number, do), range(2000), timeout=LONG))
    assert sorted(done) == list(range(2000))
    assert max(at_once) <= 8
