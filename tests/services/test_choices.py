"""What only the whole way shows: numbers of linked members, corrections, and how Cobot is told."""

from __future__ import annotations

from portal.database import db
from portal.models import Space, State
from portal.services.connection import Choices, save_choices
from tests.services.conftest import (
    BETA_TOKEN,
    Json,
    Remote,
    admin_named,
    announce,
    connect,
    line,
    member_row,
    row_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}
NEW = {"type": "memberships", "id": "mem-new"}


def newest_receipt(remote: Remote) -> Json:
    receipt: Json = remote.sevdesk()["vouchers"][-1]
    return receipt


def texts(remote: Remote, subdomain: str) -> list[str]:
    return [one["attributes"]["text"] for one in remote.space(subdomain)["activities"]]


def test_a_linked_members_invoice_finds_its_contact_by_every_number_but_a_persons_own(
    remote: Remote, alpha: Space
) -> None:
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    contact_id = member_row("mem-new").contact_id
    for number in ("77", "1008", None):  # Cobot's before, ours, none
        sync(remote, alpha, debitor=NEW, customerNumber=number)
        assert newest_receipt(remote)["supplier"]["id"] == contact_id, number
    sync(remote, alpha, debitor=NEW, customerNumber="1005")
    assert newest_receipt(remote)["supplier"]["id"] == "501"
    made = sync(remote, alpha, debitor=NEW, customerNumber="9999")
    assert row_of(made).state == State.MISMATCHED


def test_a_correction_waits_for_the_choice_and_is_booked_as_chosen(
    remote: Remote, alpha: Space
) -> None:
    def choose(corrections: str) -> None:
        choices = Choices(None, corrections, cent_difference=False, voucher_status=100)
        save_choices(alpha, choices, admin=admin_named("owner"))

    def correct() -> Json:
        return sync(remote, alpha, debitor=XYZ, items=[line(net="-100.0")])

    made = correct()
    assert row_of(made).cause_code == "correction_choice_needed"
    choose("expense")
    work(alpha)
    assert row_of(made).state == State.SYNCED
    booked = newest_receipt(remote)
    assert (booked["creditDebit"], booked["sumGross"], booked["taxRule"]["id"]) == ("C", "119", "1")
    choose("negative")
    correct()
    booked = newest_receipt(remote)
    assert (booked["creditDebit"], booked["sumGross"]) == ("D", "-119")
    choose("never")
    made = correct()
    assert (row_of(made).state, row_of(made).cause_code) == (State.SKIPPED, "corrections_off")
    first, repaired = texts(remote, "alpha")
    assert "wurde nicht übertragen. Rechnungskorrektur (Storno)" in first
    assert "Gutschrift" not in first
    assert "ist jetzt übertragen" in repaired


def test_cobot_is_told_in_the_spaces_language_and_a_refused_message_holds_nothing_up(
    remote: Remote, alpha: Space
) -> None:
    beta = connect(remote, "stranger", "beta", BETA_TOKEN)
    sync(remote, beta, number="B-1", items=[line(code="Meeting")])
    [text] = texts(remote, "beta")
    assert "invoice B-1 was not synced. sevdesk has no booking account “Meeting”." in text
    remote.fault("cobot-space", "status:403", method="POST", path="/api/activities", times=0)
    blocked = sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    assert row_of(blocked).cause_code == "account_missing"
    db.session.refresh(alpha)
    assert alpha.messages_refused_at is not None
    assert not alpha.is_paused
    assert row_of(sync(remote, alpha, debitor=XYZ)).state == State.SYNCED
