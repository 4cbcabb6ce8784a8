"""The calls behind the lines of a history: what is kept of them, where, and how long."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from portal.call_hooks import Call, Exchanged
from portal.database import db, utcnow
from portal.models import HistoryLine, LineCalls, Space
from portal.services import calls
from portal.services.calls import calls_of, forget_old_calls_of_all_spaces
from portal.services.invoice_pages import invoice_view, support_text
from tests.services.conftest import TOKEN, Json, Remote, id_of, row_of, sync

STRAY = Call("cobot", "GET /of/another/row", "GET")
XYZ = {"type": "memberships", "id": "mem-xyz"}


def calls_by_step(space: Space, invoice: Json) -> dict[str, Sequence[dict[str, Any]]]:
    view = invoice_view(space, id_of(invoice))
    assert view is not None
    db.session.commit()
    return {one.line.step: one.calls for one in view.moments if one.calls}  # type: ignore[misc]


def test_each_call_stands_at_the_line_it_led_to(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, number="2531-1", debitor=XYZ)
    steps = calls_by_step(alpha, made)
    endpoints = {step: [call["endpoint"] for call in said] for step, said in steps.items()}
    assert endpoints["fetched"] == ["GET /invoices/{id}"]
    assert endpoints["saved"] == ["POST /Voucher/Factory/saveVoucher"]
    assert "announced" not in endpoints, "the calls that connected the space are not the invoice's"
    [call] = steps["saved"]
    assert (call["remote"], call["status"]) == ("sevdesk", 201)
    assert call["seconds"] >= 0
    assert call["sent"]["voucher"]["voucherType"] == "VOU"
    assert call["received"]["objects"]["voucher"]["id"] == row_of(made).sevdesk_voucher_id


def test_no_name_no_address_and_no_token_is_kept(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    sync(remote, alpha, debitor={"type": "memberships", "id": "mem-lost"})
    kept = json.dumps([row.calls for row in db.session.query(LineCalls)], ensure_ascii=False)
    db.session.commit()
    assert "voucherPosSave" in kept
    for secret in ("Xenia", "XYZ Design", "Petersen", "Hafenstraße", "20457", "@", "Desk", TOKEN):
        assert secret not in kept, secret


def test_a_refusal_is_kept_with_what_sevdesk_said(remote: Remote, alpha: Space) -> None:
    remote.fault("sevdesk", "status:422", path="/Voucher/Factory/saveVoucher", method="POST")
    steps = calls_by_step(alpha, sync(remote, alpha, debitor=XYZ))
    statuses = {call["endpoint"]: call["status"] for calls in steps.values() for call in calls}
    assert statuses["POST /Voucher/Factory/saveVoucher"] == 422


def test_what_was_called_for_another_row_does_not_stand_at_the_next_one(
    remote: Remote, alpha: Space
) -> None:
    """A row that waits for our own budget leaves no line, but has called."""
    for _ in range(2):
        with calls.collecting():
            calls.collect(Exchanged(STRAY, 200, 0.1, None, None, None))
        calls.collect(Exchanged(STRAY, 200, 0.1, None, None, None))
    steps = calls_by_step(alpha, sync(remote, alpha, debitor=XYZ))
    assert steps
    assert STRAY.endpoint not in str(steps)


def test_old_calls_go_and_the_history_stays(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=XYZ)
    lines = db.session.query(HistoryLine).count()
    old, young = db.session.query(LineCalls).order_by(LineCalls.line_id).limit(2)
    old.at = utcnow() - timedelta(days=31)
    young.at = utcnow() - timedelta(days=29)
    old_id, young_id = old.line_id, young.line_id
    db.session.commit()
    assert forget_old_calls_of_all_spaces() == 1
    rest = calls_of(alpha.id, db.session.query(HistoryLine).all())
    assert young_id in rest
    assert old_id not in rest
    assert db.session.query(HistoryLine).count() == lines
    assert calls_by_step(alpha, made)


def test_text_for_support_names_the_calls(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=XYZ)
    view = invoice_view(alpha, id_of(made))
    assert view is not None
    text = support_text(alpha, view)
    db.session.commit()
    assert "sevdesk POST /Voucher/Factory/saveVoucher 201" in text
    assert "XYZ" not in text
