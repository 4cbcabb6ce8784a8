"""Many invoices at once, without limits: they end as predicted."""

from __future__ import annotations

import copy
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from tests.browserless import Browserless
from tests.e2e.conftest import NO_LIMITS, QUICK
from tests.e2e.ending import finished
from tests.receipts import receipts_of, total
from tests.simulator.generator import generate_world, predict
from tests.stack import Stack

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
        rows = finished(stack, person, subdomain, len(invoices))
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
