"""Rows 19 to 24: a side that refuses, is away, is slow, is somebody else, or talks nonsense."""

from __future__ import annotations

import time

import pytest

from tests.e2e.worlds import token_of
from tests.faults.ground import Ground

READS = "/invoices/*"


def test_f19_the_token_is_refused_from_now_on(ground: Ground, space: str) -> None:
    """sevdesk's token is revoked with five invoices waiting, then replaced on the settings page;
    then Cobot's, and the space is connected again.

    Held: paused with reason and time, Cobot's feed told once, no storm of calls, the backlog goes
    on by itself.
    """
    ground.control("PATCH", f"/sevdesk/{token_of(space)}", {"revoked": True})
    numbers = ground.invoices(space, 5, "F19")
    ground.wait_until(lambda: ground.space_row(space)["pause_code"] == "token_invalid", "the pause")
    after = ground.last_call()
    ground.invoice(space, "F19-6")
    ground.wait_until(lambda: len(ground.rows(space)) == 6, "the sixth", seconds=20)
    new = token_of(space)[::-1]
    told = [one for one in ground.space(space)["activities"] if one["level"] == "ERROR"]
    assert len(told) == 1
    refused = [
        one for one in ground.calls(after) if one["side"] == "sevdesk" and one["status"] == 401
    ]
    assert refused == []
    ground.control("PATCH", f"/sevdesk/{token_of(space)}", {"new_token": new, "revoked": False})
    ground.person.connect(space, new)
    ground.ends(space, [*numbers, "F19-6"], meanwhile=ground.a_minute_passes)

    ground.control("POST", "/cobot/revoke", {"space": space})
    made = ground.invoice(space, "F19-7", webhook=False)
    ground.send_hook(ground.hook(space), space, made)
    ground.wait_until(lambda: ground.space_row(space)["pause_code"] == "cobot_revoked", "a pause")
    ground.person.connect(space, new)
    ground.ends(space, "F19-7", meanwhile=ground.a_minute_passes)
    ground.check(space)


@pytest.mark.parametrize(("status", "code"), [(402, "space_suspended"), (403, "cobot_forbidden")])
def test_f20_cobot_forbids(ground: Ground, space: str, status: int, code: str) -> None:
    """Cobot answers 402 (suspended), then 403, to every read of the space, ten invoices waiting.

    Held: paused, at most a handful of calls; it goes on after the probe.
    """
    after = ground.last_call()
    fault = ground.fault("cobot-api", f"status:{status}", space=space, times=0)
    numbers = ground.invoices(space, 10, f"F20-{status}")
    ground.wait_until(lambda: ground.space_row(space)["pause_code"] == code, "the pause")
    ground.wait_until(lambda: len(ground.rows(space)) >= 10, "all to be taken in")
    tried = [one for one in ground.calls(after) if one["status"] == status]
    assert len(tried) <= 4
    ground.control("DELETE", f"/faults/{fault}")
    ground.probe_now(space)
    ground.ends(space, numbers, meanwhile=ground.a_minute_passes)
    ground.check(space)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_f22_slow_hanging_and_endless_answers(ground: Ground, space: str) -> None:
    """A read that hangs for 40 s, one that sends a byte a second, a write that never ends.

    Held: no call takes longer than 25 s, the worker is free for others, all are booked.
    """
    for effect, path in (
        ("hang:40", READS),
        ("slow_body:60", READS),
    ):
        ground.fault("cobot-api", effect, path=path, space=space)
    ground.sevdesk_fault("slow_body:60", "/Voucher/Factory/saveVoucher", space)
    begun = time.monotonic()
    ground.invoice(space, "F22-1")
    ground.ends(space, "F22-1", seconds=120, meanwhile=ground.a_minute_passes)
    assert time.monotonic() - begun < 3 * 25 + 20
    ground.check(space)


def test_f22_one_byte_a_second_on_the_line(ground: Ground, space: str) -> None:
    """A read that hangs for 40 s, one that sends a byte a second, a write that never ends.

    Held: no call takes longer than 25 s, the worker is free for others, all are booked.
    """
    ground.ways["cobot"].drip(2000)
    ground.invoice(space, "F22-2")
    ground.ends(space, "F22-2", seconds=60, meanwhile=ground.a_minute_passes)
    ground.ways["cobot"].heal()
    ground.check(space)


@pytest.mark.parametrize(("effect", "ends_as"), [("garbage", "failed"), ("status:200", "failed")])
def test_f24_nonsense(ground: Ground, space: str, effect: str, ends_as: str) -> None:
    """Cobot answers an invoice with bytes that are no JSON, then with fields missing.

    Held: failed with a cause of its own, one message, no loop; a retry books it.
    """
    after = ground.last_call()
    ground.fault("cobot-api", effect, path=READS, space=space)
    made = ground.invoice(space, f"F24-{effect[:3]}")
    ground.wait_until(lambda: ends_as in {one["state"] for one in ground.rows(space)}, "it to fail")
    assert ground.rows(space)[-1]["cause_code"] == "bad_answer"
    reads = [one for one in ground.calls(after) if one["path"] == f"/invoices/{made}"]
    assert len(reads) == 1
    ground.person.retry(space, made)
    ground.ends(space, f"F24-{effect[:3]}")
    ground.check(space)


def test_f24_the_search_answers_nonsense(ground: Ground, space: str) -> None:
    """Cobot answers an invoice with bytes that are no JSON, then with fields missing.

    Held: failed with a cause of its own, one message, no loop; a retry books it.
    """
    ground.sevdesk_fault("garbage", "/Voucher", space)
    made = ground.invoice(space, "F24-search")
    ground.ends(space, "F24-search", "failed")
    assert ground.receipts(space, "F24-search") == []
    ground.person.retry(space, made)
    ground.ends(space, "F24-search")
    ground.check(space)
