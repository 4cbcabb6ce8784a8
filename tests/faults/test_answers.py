"""Rows 12 to 18: answers that are lost, wrong, refused or late."""

from __future__ import annotations

import pytest

from tests.e2e.worlds import token_of, unknown
from tests.faults.ground import QUICK, Ground

SAVE = "/Voucher/Factory/saveVoucher"
TAG = "/Tag/Factory/create"
UPLOAD = "/Voucher/Factory/uploadTempFile"


def _one_write(ground: Ground, space: str, number: str, effect: str, **waiting: float) -> None:
    """Lose the answer of the one POST in this way; it must be adopted and never sent again."""
    after = ground.last_call()
    ground.sevdesk_fault(effect, SAVE, space)
    ground.invoice(space, number)
    ground.ends(space, number, **waiting)  # type: ignore[arg-type]
    assert len(ground.writes(space, after)) == 1
    assert len(ground.receipts(space, number)) == 1
    ground.check(space)


def test_f12_created_then_reset(ground: Ground, space: str) -> None:
    """sevdesk creates the receipt and resets the connection.

    Held: unknown, then found by the search and taken over; one POST (I2).
    """
    _one_write(ground, space, "F12-1", "reset_after_commit")


@pytest.mark.parametrize(
    "effect", ["status_after_commit:500", "status_after_commit:502", "no_id_after_commit"]
)
def test_f13_created_then_a_wrong_answer(ground: Ground, space: str, effect: str) -> None:
    """sevdesk creates the receipt and answers 500, an HTML page with 502, or 200 without an id.

    Held: as row 12.
    """
    _one_write(ground, space, f"F13-{effect[-6:]}", effect)


@pytest.mark.slow
def test_f14_created_and_answered_too_late(ground: Ground, space: str) -> None:
    """sevdesk creates the receipt and answers after our time limit.

    Held: as row 12; the worker is free again after 20 s.
    """
    after = ground.last_call()
    ground.sevdesk_fault("hang_after_commit:23", SAVE, space)
    ground.invoice(space, "F14-1")
    ground.ends(space, "F14-1", seconds=60)
    # The simulator notes a call when it is over.
    ground.wait_until(lambda: ground.writes(space, after), "the late answer")
    assert len(ground.writes(space, after)) == len(ground.receipts(space, "F14-1")) == 1
    ground.check(space)


@pytest.mark.slow
def test_f15_found_only_by_the_last_look(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As row 12, and the search shows nothing until a second before the last look.

    Held: it waits as unknown, the last look finds it, never a second POST (I2).
    """
    with Ground(
        tmp_path_factory.mktemp("f15"), "f15", settings={"LOOKS_SECONDS": "1,3,8"}, drains=1
    ) as ground:
        ground.connect("f15")
        ground.sevdesk_fault("search_lag:7", "/Voucher", "f15", times=0)
        seen: set[str] = set()
        after = ground.last_call()
        ground.sevdesk_fault("reset_after_commit", SAVE, "f15")
        ground.invoice("f15", "F15-1")
        ground.ends(
            "f15",
            "F15-1",
            meanwhile=lambda: seen.update(one["state"] for one in ground.rows("f15")),
        )
        assert "unknown" in seen
        assert len(ground.writes("f15", after)) == 1
        assert ground.rows("f15")[0]["looks"] == 2
        ground.check("f15")


def test_f16_uploaded_then_refused(ground: Ground, space: str) -> None:
    """The upload succeeds and saveVoucher is refused with 422; a person tries again.

    Held: failed with sevdesk's message, one message in Cobot; a new upload on the retry (I8).
    """
    after = ground.last_call()
    ground.sevdesk_fault("status:422", SAVE, space)
    made = ground.invoice(space, "F16-1")
    ground.ends(space, "F16-1", "failed")
    row = ground.row(space, "F16-1")
    assert row
    assert row["cause_code"] == "rejected_by_sevdesk"
    assert "Unprocessable" in row["cause_params"]["message"]
    ground.wait_until(lambda: ground.rows(space)[0]["told_cause"], "the message")
    ground.person.retry(space, made)
    ground.ends(space, "F16-1")
    assert len(ground.writes(space, after, UPLOAD)) == 2
    ground.check(space)


def test_f17_saved_and_tagging_fails_three_times(ground: Ground, space: str) -> None:
    """The receipt is made and tagging fails three times: 503, a lost answer, 500.

    Held: only the tag is tried again; the receipt is made once.
    """
    after = ground.last_call()
    for effect in ("status:503", "reset_after_commit", "status_after_commit:500"):
        ground.sevdesk_fault(effect, TAG, space)
    ground.invoice(space, "F17-1", debitor=unknown(space))
    ground.ends(space, "F17-1", "mismatched")
    assert len(ground.writes(space, after)) == 1
    assert len(ground.writes(space, after, UPLOAD)) == 1
    ground.check(space)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_f18_too_many_requests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """429 with and without Retry-After from both sides, and every third read of Cobot answers 502,
    while two workers have 30 invoices and Cobot allows 20 calls a minute and endpoint.

    Held: what is asked for is waited for, the limit holds in any minute (I9), all are booked.
    """
    settings = {**QUICK, "COBOT_CALLS_PER_MINUTE": "18", "SEVDESK_CALLS_PER_SECOND": "4"}
    limits = ("--cobot-per-minute", "20", "--webhook-backoff", "0.5,1,2")
    spaces = ("f18", "f18b")
    with Ground(
        tmp_path_factory.mktemp("f18"), *spaces, settings=settings, simulator=limits
    ) as ground:
        ground.connect(*spaces)
        begun = ground.last_call()
        for after in range(0, 12, 3):
            ground.fault("cobot-api", "status:502", path="/invoices/*", after=after)
        ground.fault("cobot-api", "status:429:retry-after=4", path="/invoices/*.pdf", after=5)
        ground.fault("cobot-api", "status:429", path="/invoices/*.pdf", after=8)
        ground.sevdesk_fault("status:429:retry-after=3", SAVE, "f18", after=2)
        ground.sevdesk_fault("status:429", UPLOAD, "f18b", after=2)
        numbers = {one: ground.invoices(one, 15, one.upper()) for one in spaces}
        for one in spaces:
            ground.ends(one, numbers[one], seconds=200, meanwhile=ground.a_minute_passes)
        ground.check(*spaces, cobot_per_minute=20)
        calls = ground.calls(begun)
        ours = [one for one in calls if one["status"] == 429 and one["fault"] is None]
        assert ours == [], "Cobot never had to refuse"
        _is_quiet_after(calls, "cobot-api", "4", 4)
        _is_quiet_after([one for one in calls if one["caller"] == _mark("f18")], "sevdesk", "3", 3)


def _mark(subdomain: str) -> str:
    from hashlib import sha256

    return sha256(token_of(subdomain).encode()).hexdigest()[:12]


def _is_quiet_after(calls: list[dict[str, object]], side: str, _asked: str, seconds: int) -> None:
    """After the 429 with Retry-After nothing was sent with the same budget for so long."""
    refused = [one for one in calls if one["status"] == 429 and one["side"] == side]
    assert refused, f"no 429 of {side}"
    first = refused[0]
    is_pdf = str(first["path"]).endswith(".pdf")
    again = [
        one
        for one in calls
        if one["side"] == side
        and first["at"] < one["at"] < first["at"] + seconds - 0.5  # type: ignore[operator]
        and (side == "sevdesk" or str(one["path"]).endswith(".pdf") == is_pdf)
    ]
    assert len(again) <= 1, again  # one may have been under way on the other worker
