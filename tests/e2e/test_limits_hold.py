"""Many invoices at the real limits: within them, and everything is done.

In a file of its own: it waits for more than a minute, and other files run beside it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browserless import Browserless
from tests.e2e.ending import finished
from tests.e2e.worlds import ADMIN, invoice, line, token_of, world_of
from tests.receipts import receipts_of
from tests.stack import Json, Stack


@pytest.mark.timeout(180)
def test_the_real_limits_hold_and_everything_is_done(tmp_path: Path) -> None:
    """Cobot allows 60 calls a minute and endpoint, we make 55; sevdesk gets two a second.

    Most invoices are of 0.00 or blocked, so that Cobot's limit is reached before sevdesk's pace.
    sevdesk publishes no limit, so nothing refuses there: its pace is measured.
    """
    ours, beyond = 55, 3
    settings = {"UPKEEP_SECONDS": "1"}
    world = world_of("grenze")
    with Stack(tmp_path, world=world, settings=settings) as stack:
        assert stack.env["COBOT_CALLS_PER_MINUTE"] == str(ours)
        assert stack.env["SEVDESK_CALLS_PER_SECOND"] == "2"
        person = Browserless(stack.portal_url)
        person.sign_in(ADMIN)
        person.connect("grenze", token_of("grenze"))
        after = stack.last_call()
        for number in range(ours + beyond):
            kind = "G" if number < 5 else "NB"[number % 2]
            items = {"G": [line()], "N": [line(net="0.0")], "B": [line("Parkplatz")]}[kind]
            stack.create_invoice("grenze", invoice("grenze", f"{kind}-{number}", items=items))
        rows = finished(stack, person, "grenze", ours + beyond)
        calls = stack.calls(after)
        booked = receipts_of(stack.sevdesk(token_of("grenze")))
        told = stack.space("grenze")["activities"]
    ends = {"G": "synced", "N": "skipped", "B": "failed"}
    assert {number: row.state for number, row in rows.items()} == {
        number: ends[number[0]] for number in rows
    }
    assert {number: len(found) for number, found in booked.items()} == {
        number: 1 for number in rows if number[0] == "G"
    }
    assert len(told) == sum(number[0] == "B" for number in rows)
    assert [call for call in calls if call["status"] == 429] == []
    read = [call["at"] for call in calls if _is_invoice_read(call)]
    assert _most_within(60, read) == ours, "the limit is kept, and used"
    assert max(read) - min(read) < 75
    assert _most_within(9.9, [call["at"] for call in calls if call["side"] == "sevdesk"]) <= 20


def _is_invoice_read(call: Json) -> bool:
    return bool(
        call["side"] == "cobot-api"
        and call["method"] == "GET"
        and call["path"].startswith("/invoices/")
        and not call["path"].endswith(".pdf")
    )


def _most_within(seconds: float, moments: list[float]) -> int:
    """Return how many of the moments fall into the fullest window of this length."""
    moments = sorted(moments)
    return max(sum(begin <= at < begin + seconds for at in moments) for begin in moments)
