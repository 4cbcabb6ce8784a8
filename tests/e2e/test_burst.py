"""Many invoices at once: without limits as predicted, with limits within them."""

from __future__ import annotations

import copy
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from tests.browserless import Browserless, LogRow
from tests.e2e.conftest import NO_LIMITS, QUICK
from tests.e2e.worlds import ADMIN, invoice, line, token_of, world_of
from tests.receipts import receipts_of, total
from tests.simulator.generator import generate_world, predict
from tests.stack import Json, Stack

FINAL = {"synced", "mismatched", "failed", "skipped"}
INVOICES = 500


@pytest.mark.timeout(300)
def test_five_hundred_invoices_end_as_predicted(tmp_path: Path) -> None:
    world = generate_world(spaces=1, members=60, invoices=INVOICES, seed=7)
    predicted = predict(world)
    invoices, before = world["spaces"][0]["invoices"], copy.deepcopy(world)
    before["spaces"][0]["invoices"] = []
    subdomain, token = world["spaces"][0]["subdomain"], world["sevdesk"][0]["token"]
    with Stack(tmp_path, world=before, simulator=NO_LIMITS, settings=QUICK, drains=1) as stack:
        person = Browserless(stack.portal_url)
        person.sign_in(world["users"][0]["id"])
        person.connect(subdomain, token)
        made = {stack.create_invoice(subdomain, one)["data"]["id"] for one in invoices}
        assert made == set(predicted)
        rows = _finished(stack, person, subdomain, len(invoices))
        booked = receipts_of(stack.sevdesk(token))

    wanted = {one["number"]: predicted[one["id"]] for one in invoices}
    wrong = {
        number: (row.state, row.cause, wanted[number].state, wanted[number].cause)
        for number, row in rows.items()
        if row.state != wanted[number].state
        or (row.state in {"failed", "skipped"} and row.cause != wanted[number].cause)
    }
    assert wrong == {}
    assert Counter(row.state for row in rows.values()) == Counter(
        one.state for one in wanted.values()
    )
    with_receipt = {
        number: one for number, one in wanted.items() if one.state in {"synced", "mismatched"}
    }
    assert {number: len(found) for number, found in booked.items()} == dict.fromkeys(
        with_receipt, 1
    )
    receipts = [found[0] for found in booked.values()]
    assert total(receipts) == sum((one.gross for one in with_receipt.values()), Decimal(0))
    for receipt in receipts:
        prediction = with_receipt[receipt.number]
        assert receipt.gross == prediction.gross, receipt.number
        assert sorted(receipt.accounts) == sorted(prediction.accounts), receipt.number
        assert receipt.contact == prediction.contact_id, receipt.number


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
        rows = _finished(stack, person, "grenze", ours + beyond)
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


def _finished(stack: Stack, person: Browserless, subdomain: str, count: int) -> dict[str, LogRow]:
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
