"""Receipts deleted in sevdesk: noticed, made anew when asked, and never made twice."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.database import db
from portal.models import InvoiceSync, Space, State
from portal.services import contact_search, heal, lost_receipts, month, retry, skips
from portal.services.lost_receipts import Anew
from tests.services.conftest import (
    BETA_TOKEN,
    TOKEN,
    Json,
    Remote,
    connect,
    id_of,
    row_of,
    steps_of,
    sync,
    work,
)
from tests.services.looking import ended

XYZ = {"type": "memberships", "id": "mem-xyz"}
ACTOR = "admin:owner"


def delete_receipt(remote: Remote, invoice: Json) -> str:
    voucher_id = row_of(invoice).sevdesk_voucher_id
    remote.control("DELETE", f"/sevdesk/{TOKEN}/vouchers/{voucher_id}")
    return str(voucher_id)


@pytest.fixture
def lost(remote: Remote, alpha: Space) -> Json:
    """An invoice whose receipt was deleted in sevdesk; a look has noticed it."""
    made = sync(remote, alpha, debitor=XYZ, number="R-1")
    delete_receipt(remote, made)
    assert contact_search.look_again(alpha, row_of(made), actor=ACTOR).outcome == "gone"
    return made


def make_anew(space: Space, invoice: Json) -> Anew:
    outcome = lost_receipts.make_anew(space, id_of(invoice), actor=ACTOR)
    db.session.refresh(space)
    db.session.commit()
    return outcome


def vouchers(remote: Remote) -> list[Json]:
    return list(remote.sevdesk()["vouchers"])


def test_an_invoice_whose_receipt_is_gone_is_not_called_synced(lost: Json) -> None:
    row = row_of(lost)
    assert (row.state, row.cause_code) == (State.FAILED, "receipt_deleted")
    assert row.sevdesk_voucher_id is None
    assert "receipt_gone failed" in steps_of(lost)


def test_nobody_makes_it_anew_but_a_person_who_was_asked(
    remote: Remote, alpha: Space, lost: Json
) -> None:
    assert not retry.retry_invoice(alpha, id_of(lost), actor=ACTOR)
    [group] = heal.groups(alpha)
    assert not group.can_retry
    assert heal.retry_group(alpha, group.key, actor=ACTOR) == 0
    db.session.refresh(alpha)
    db.session.commit()
    work(alpha)
    assert vouchers(remote) == []


def test_made_anew_it_is_booked_once_with_all_its_tags(
    remote: Remote, alpha: Space, lost: Json
) -> None:
    assert make_anew(alpha, lost) is Anew.BEGUN
    assert make_anew(alpha, lost) is Anew.NOTHING  # the second press of two people
    work(alpha)
    [voucher] = vouchers(remote)
    assert (voucher["description"], voucher["tags"]) == ("R-1", ["Import"])
    row = row_of(lost)
    assert (row.state, row.cause_code, row.sevdesk_voucher_id) == ("synced", None, voucher["id"])
    assert make_anew(alpha, lost) is Anew.NOTHING


def test_a_receipt_that_is_there_after_all_is_taken_back(remote: Remote, alpha: Space) -> None:
    """sevdesk said 404 by mistake: nothing is made beside the receipt."""
    made = sync(remote, alpha, debitor=XYZ)
    remote.fault("sevdesk", "status:404", path="/Voucher/*", method="GET")
    assert contact_search.look_again(alpha, row_of(made), actor=ACTOR).outcome == "gone"
    assert make_anew(alpha, made) is Anew.STILL_THERE
    work(alpha)
    [voucher] = vouchers(remote)
    row = row_of(made)
    assert (row.state, row.sevdesk_voucher_id) == (State.SYNCED, voucher["id"])


def test_a_receipt_that_somebody_entered_by_hand_meanwhile_is_adopted(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, number="R-1")
    before = vouchers(remote)[0]
    delete_receipt(remote, made)
    contact_search.look_again(alpha, row_of(made), actor=ACTOR)
    by_hand = {
        name: before[name]
        for name in (
            "description",
            "voucherDate",
            "creditDebit",
            "status",
            "sumGross",
            "supplier",
            "taxRule",
        )
        if name in before
    }
    remote.control("POST", f"/sevdesk/{TOKEN}/vouchers", {**by_hand, "id": "77777"})
    assert make_anew(alpha, made) is Anew.BEGUN
    work(alpha)
    assert [one["id"] for one in vouchers(remote)] == ["77777"]
    row = row_of(made)
    assert (row.sevdesk_voucher_id, row.was_adopted) == ("77777", True)


def test_deleted_on_purpose_it_is_skipped_and_taken_up_again(
    remote: Remote, alpha: Space, lost: Json
) -> None:
    assert skips.skip(alpha, [id_of(lost)], "doppelt in sevdesk", actor=ACTOR).changed == 1
    assert row_of(lost).state == State.SKIPPED
    assert skips.undo(alpha, [id_of(lost)], actor=ACTOR).changed == 1
    work(alpha)
    [voucher] = vouchers(remote)
    assert voucher["tags"] == ["Import"]


def test_receipts_of_another_sevdesk_account_are_left_alone(remote: Remote, alpha: Space) -> None:
    """With the token of another company every receipt would look deleted."""
    made = sync(remote, alpha, debitor=XYZ, invoiceDate="2026-10-05")
    alpha = connect(remote, "owner", "alpha", BETA_TOKEN)
    before = remote.mark()
    assert contact_search.look_again(alpha, row_of(made), actor=ACTOR).outcome == "elsewhere"
    assert remote.calls(before) == []
    ended(month.start(alpha, 2026, 10, actor=ACTOR))
    assert row_of(made).state == State.SYNCED


def test_the_months_comparison_notices_and_says_the_same_twice(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, number="R-1", invoiceDate="2026-10-05")
    sync(remote, alpha, debitor=XYZ, number="R-2", invoiceDate="2026-10-06")
    delete_receipt(remote, made)
    for _ in range(2):
        found = month.report_of(ended(month.start(alpha, 2026, 10, actor=ACTOR)))
        assert found is not None
        assert [(one.what, one.number) for one in found.entries] == [("deleted_in_sevdesk", "R-1")]
        assert not found.is_equal
    assert row_of(made).cause_code == "receipt_deleted"
    assert db.session.scalars(select(InvoiceSync.state).order_by(InvoiceSync.id)).all() == [
        State.FAILED,
        State.SYNCED,
    ]
