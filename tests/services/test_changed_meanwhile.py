"""What was read, uploaded or sent before the invoice, or the space's sevdesk, changed."""

from __future__ import annotations

import hashlib

import pytest

from portal.models import Space, State
from portal.services import clients, connection, contact_search, heal, lost_receipts, retry
from portal.services.connection import SevdeskSettings
from tests.services.conftest import (
    BETA_TOKEN,
    TOKEN,
    Remote,
    admin_named,
    announce,
    id_of,
    let_go_on,
    line,
    row_of,
    sync,
    work,
)
from tests.stack import Json

XYZ = {"type": "memberships", "id": "mem-xyz"}
SAVE = "/Voucher/Factory/saveVoucher"


def uploaded(remote: Remote, space: Space) -> Json:
    """An invoice whose PDF sevdesk took, and whose receipt it did not."""
    remote.fault("sevdesk", "status:503", path=SAVE, times=1)
    made = sync(remote, space, debitor=XYZ)
    assert row_of(made).state == State.WAITING
    return made


@pytest.fixture
def settings() -> dict[str, object]:
    return {"retry_first_seconds": 600}  # whatever waits, waits until a test lets it go on


def test_a_receipt_has_the_pdf_of_its_figures_and_not_the_one_before_the_edit(
    remote: Remote, alpha: Space
) -> None:
    made = uploaded(remote, alpha)
    remote.control(
        "PATCH",
        f"/cobot/spaces/alpha/invoices/{id_of(made)}?webhook=0",
        {"items": [line(net="77.0")]},
    )
    announce(alpha, "updated_invoice", id_of(made))
    work(alpha)
    row = row_of(made)
    pdf = clients.cobot_of(alpha).invoice_pdf(id_of(made))
    [voucher] = remote.sevdesk()["vouchers"]
    assert row.state == State.SYNCED
    assert voucher["file"]["sha256"] == row.pdf_sha256 == hashlib.sha256(pdf).hexdigest()


def test_a_pdf_that_another_sevdesk_has_is_uploaded_again(remote: Remote, alpha: Space) -> None:
    made = uploaded(remote, alpha)
    move_to_beta(alpha)
    let_go_on(alpha)
    assert row_of(made).state == State.MISMATCHED
    assert len(remote.sevdesk(BETA_TOKEN)["vouchers"]) == 1
    assert remote.sevdesk(TOKEN)["vouchers"] == []


@pytest.mark.parametrize("event", ["updated_invoice", "deleted_invoice"])
def test_a_receipt_that_a_person_deleted_does_not_come_back_by_an_edit_in_cobot(
    remote: Remote, alpha: Space, event: str
) -> None:
    made = sync(remote, alpha, debitor=XYZ)
    voucher_id = row_of(made).sevdesk_voucher_id
    remote.control("DELETE", f"/sevdesk/{TOKEN}/vouchers/{voucher_id}")
    contact_search.look_again(alpha, row_of(made), actor="admin:owner")
    assert row_of(made).cause_code == "receipt_deleted"
    announce(alpha, event, id_of(made))
    work(alpha)
    row = row_of(made)
    assert (row.state, row.cause_code, row.changed_in_cobot) == (
        State.FAILED,
        "receipt_deleted",
        event,
    )
    assert remote.sevdesk()["vouchers"] == []


def move_to_beta(space: Space) -> None:
    connection.save_settings(
        space, SevdeskSettings(BETA_TOKEN, None, 30), admin=admin_named("owner"), user_token=None
    )


def sent_to_alpha_and_lost(remote: Remote, space: Space) -> Json:
    """An invoice whose receipt is in the sevdesk of before: the answer was lost, then it moved."""
    remote.fault("sevdesk", "reset_after_commit", path=SAVE)
    made = sync(remote, space, debitor=XYZ)
    assert row_of(made).state == State.UNKNOWN
    move_to_beta(space)
    return made


def test_a_receipt_that_may_be_in_another_sevdesk_is_left_to_a_person(
    remote: Remote, alpha: Space
) -> None:
    made = sent_to_alpha_and_lost(remote, alpha)
    for _ in range(4):
        let_go_on(alpha)
        announce(alpha, "updated_invoice", id_of(made))
        work(alpha)
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.FAILED, "sent_elsewhere")
    assert row.cause_params == {"number": row.number}
    assert remote.sevdesk(BETA_TOKEN)["vouchers"] == []
    assert len(remote.sevdesk(TOKEN)["vouchers"]) == 1
    [told] = remote.space()["activities"]
    assert str(row.number) in str(told)


def test_a_person_may_book_it_here_or_go_back_to_where_it_is(remote: Remote, alpha: Space) -> None:
    made = sent_to_alpha_and_lost(remote, alpha)
    let_go_on(alpha)
    connection.save_settings(
        alpha, SevdeskSettings(TOKEN, None, 30), admin=admin_named("owner"), user_token=None
    )
    assert heal.retry_group(alpha, "failed|sent_elsewhere|", actor="admin:owner") == 0
    assert retry.retry_invoice(alpha, id_of(made), actor="admin:owner")
    work(alpha)
    row = row_of(made)
    assert (row.state, row.was_adopted) == (State.SYNCED, True)
    assert len(remote.sevdesk(TOKEN)["vouchers"]) == 1


def test_a_receipt_of_another_sevdesk_is_not_tagged_here(remote: Remote, alpha: Space) -> None:
    remote.fault("sevdesk", "status:503", path="/Tag/Factory/create", times=1)
    made = sync(remote, alpha, debitor=XYZ)
    assert row_of(made).sevdesk_voucher_id is not None
    move_to_beta(alpha)
    before = remote.mark()
    let_go_on(alpha)
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.SYNCED, "tag_missing")
    assert not any("/Tag" in call for call in remote.calls(before))


def test_the_repair_of_one_that_moved_before_its_tag_is_told(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Neu")])
    assert row_of(made).told_cause is not None
    remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/accounts",
        {"number": "4500", "name": "Neu", "types": ["REVENUE"], "rules": {"1": [0, 7, 19]}},
    )
    remote.fault("sevdesk", "status:503", path="/Tag/*", times=0)
    assert retry.retry_invoice(alpha, id_of(made), actor="admin:owner")
    work(alpha)
    assert row_of(made).sevdesk_voucher_id is not None
    remote.control("DELETE", "/faults")
    move_to_beta(alpha)
    let_go_on(alpha)
    assert row_of(made).told_cause is None
    assert len(remote.space()["activities"]) == 2


def test_a_receipt_that_was_deleted_there_can_be_made_here(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=XYZ)
    remote.control("DELETE", f"/sevdesk/{TOKEN}/vouchers/{row_of(made).sevdesk_voucher_id}")
    contact_search.look_again(alpha, row_of(made), actor="admin:owner")
    move_to_beta(alpha)
    assert lost_receipts.make_anew(alpha, id_of(made), actor="admin:owner") == "begun"
    work(alpha)
    assert row_of(made).sevdesk_client == "72"
    assert len(remote.sevdesk(BETA_TOKEN)["vouchers"]) == 1
