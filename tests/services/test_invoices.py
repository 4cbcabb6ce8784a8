"""An invoice on its way, against both simulated sides."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from portal.database import db
from portal.models import InvoiceSync, Space, State
from portal.services import receipts
from portal.services.drain import drain
from portal.services.retry import retry_invoice
from portal.services.work import Parked, Work
from portal.sync.plans import VoucherPlan
from tests.services.conftest import (
    TOKEN,
    Remote,
    announce,
    id_of,
    line,
    row_of,
    steps_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}


def test_the_invoice_of_the_help_page_becomes_the_receipt_of_its_picture(
    remote: Remote, alpha: Space
) -> None:
    made = sync(
        remote,
        alpha,
        number="2531-Ljnk-278",
        invoiceDate="2025-02-28",
        debitor=XYZ,
    )
    row = row_of(made)
    assert (row.state, row.gross) == (State.SYNCED, Decimal("261.80"))
    [voucher] = remote.sevdesk()["vouchers"]
    assert voucher["description"] == "2531-Ljnk-278"
    assert voucher["voucherDate"][:10] == voucher["deliveryDate"][:10] == "2025-02-28"
    assert voucher["paymentDeadline"][:10] == "2025-03-30"
    assert Decimal(str(voucher["sumGross"])) == Decimal("261.80")
    assert voucher["supplier"]["id"] == "501"
    assert voucher["costCentre"]["id"] == "9"
    assert str(voucher["status"]) == "100"
    assert voucher["tags"] == ["Import"]
    assert voucher["file"]["sha256"] == row.pdf_sha256


def test_a_fresh_invoice_takes_two_calls_to_cobot_and_four_to_sevdesk(
    remote: Remote, alpha: Space
) -> None:
    announce(alpha, "confirmed_membership", "mem-new")
    sync(remote, alpha, debitor={"type": "memberships", "id": "mem-new"})
    before = remote.mark()
    made = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-new"})
    calls = remote.calls(before)
    assert row_of(made).state == State.SYNCED
    invoice_id = id_of(made)
    assert calls == [
        f"cobot-api GET /invoices/{invoice_id}",
        "sevdesk GET /Voucher",
        f"cobot-api GET /invoices/{invoice_id}.pdf",
        "sevdesk POST /Voucher/Factory/uploadTempFile",
        "sevdesk POST /Voucher/Factory/saveVoucher",
        "sevdesk POST /Tag/Factory/create",
    ]


def test_an_invoice_without_contact_is_booked_and_tagged_mismatch(
    remote: Remote, alpha: Space
) -> None:
    sync(remote, alpha, debitor=XYZ)
    before = remote.mark()
    made = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-lost"})
    assert len(remote.calls(before)) == 8
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.MISMATCHED, "contact_missing")
    voucher = remote.sevdesk()["vouchers"][-1]
    assert voucher["supplier"] is None
    assert voucher["supplierName"] == "Lars Petersen"
    assert sorted(voucher["tags"]) == ["Import", "mismatch"]


def test_an_unknown_code_books_nothing_and_says_so_on_the_invoice_once(
    remote: Remote, alpha: Space
) -> None:
    sync(remote, alpha, debitor=XYZ)
    before = remote.mark()
    made = sync(remote, alpha, debitor=XYZ, items=[line(), line(code="Meeting")])
    calls = remote.calls(before)
    assert calls == [f"cobot-api GET /invoices/{id_of(made)}", "cobot-space POST /api/activities"]
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.FAILED, "account_missing")
    [activity] = remote.space()["activities"]
    text = activity["attributes"]["text"]
    assert "„Meeting“" in text
    assert f"/spaces/alpha/invoices/{id_of(made)}" in text
    announce(alpha, "created_invoice", id_of(made))
    work(alpha)
    assert len(remote.space()["activities"]) == 1
    assert len(remote.sevdesk()["vouchers"]) == 1


def test_a_repaired_invoice_is_booked_at_the_next_try_and_cobot_is_told(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/accounts",
        {"number": "4401", "name": "Meeting", "types": ["REVENUE"], "rules": {"1": [19]}},
    )
    assert retry_invoice(alpha, id_of(made), actor="admin:owner")
    work(alpha)
    assert row_of(made).state == State.SYNCED
    assert len(remote.space()["activities"]) == 2
    assert steps_of(made)[-1] == "told done"


def test_a_lost_answer_is_looked_for_and_never_sent_again(remote: Remote, alpha: Space) -> None:
    remote.fault("sevdesk", "reset_after_commit", path="/Voucher/Factory/saveVoucher")
    made = sync(remote, alpha, debitor=XYZ)
    row = row_of(made)
    assert row.state == State.UNKNOWN
    row.next_try_at = row.sent_at
    db.session.commit()
    work(alpha)
    row = row_of(made)
    assert row.state == State.SYNCED
    assert len(remote.sevdesk()["vouchers"]) == 1


def test_an_invoice_of_another_space_is_neither_kept_nor_booked(
    remote: Remote, alpha: Space
) -> None:
    made = remote.invoice(
        "beta", items=[line()], number="B-1", debitor={"type": "memberships", "id": "mem-b"}
    )
    announce(alpha, "created_invoice", id_of(made))
    work(alpha)
    row = row_of(made)
    assert row.number is None
    assert row.state in (State.SKIPPED, State.WAITING)
    assert remote.sevdesk()["vouchers"] == []


@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 1}])
def test_a_mismatch_that_waits_for_the_budget_between_all_its_calls_is_booked_once(
    remote: Remote, alpha: Space, settings: dict[str, object]
) -> None:
    made = remote.invoice(
        "alpha", items=[line()], debitor={"type": "memberships", "id": "mem-lost"}
    )
    announce(alpha, "created_invoice", id_of(made))
    before = remote.mark()
    deadline = time.monotonic() + 30
    drain(alpha.id)
    while row_of(made).state != State.MISMATCHED:
        assert time.monotonic() < deadline
        drain(alpha.id)
    [voucher] = remote.sevdesk()["vouchers"]
    assert sorted(voucher["tags"]) == ["Import", "mismatch"]
    calls = [call for call in remote.calls(before) if "Tag" not in call]
    assert len(calls) == len(set(calls))


def test_a_fault_of_our_own_takes_one_invoice_out_and_not_the_space(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong in our code: those behind go on, and a person gets a reference."""
    real = receipts.upload

    def upload(work: Work, row: InvoiceSync, plan: VoucherPlan, parked: Parked) -> bool:
        if row.number == "2026-0001":
            raise ZeroDivisionError
        return real(work, row, plan, parked)

    monkeypatch.setattr(receipts, "upload", upload)
    broken = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(broken))
    fine = sync(remote, alpha, debitor=XYZ)
    assert (row_of(broken).state, row_of(broken).cause_code) == (State.FAILED, "unexpected")
    assert row_of(fine).state == State.SYNCED


def test_a_cost_centre_that_vanished_a_moment_ago_is_named_and_looked_for_at_the_next_try(
    remote: Remote, alpha: Space
) -> None:
    sync(remote, alpha, debitor=XYZ)  # from here on it is known to be there, for some minutes
    remote.control("DELETE", f"/sevdesk/{TOKEN}/cost_centres/9")
    made = sync(remote, alpha, debitor=XYZ)
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.FAILED, "cost_centre_missing")
    assert row.cause_params == {"number": "100"}
    assert alpha.refusal_count == 0, "a cause that we can name is no riddle that pauses the space"
    back = {"id": "9", "number": "100", "name": "Alpha"}
    remote.control("POST", f"/sevdesk/{TOKEN}/cost_centres", back)
    assert retry_invoice(alpha, id_of(made), actor="admin:owner")
    work(alpha)
    assert row_of(made).state == State.SYNCED
