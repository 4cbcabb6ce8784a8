"""A member on the way to becoming a contact."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from portal.database import db, utcnow
from portal.models import MemberSync, Space, State
from portal.services.drain import drain
from tests.services.conftest import (
    TOKEN,
    Remote,
    announce,
    line,
    member_row,
    row_of,
    sync,
    work,
)
from tests.stack import Json


def membership(remote: Remote, membership_id: str) -> dict[str, object]:
    found = remote.space()["memberships"]
    return next(one for one in found if one["id"] == membership_id)


def contacts(remote: Remote, name: str) -> list[dict[str, object]]:
    return [
        one
        for one in remote.sevdesk()["contacts"]
        if name in f"{one.get('name') or ''}{one.get('familyname') or ''}"
    ]


def test_a_new_member_becomes_a_contact_and_the_number_flows_back(
    remote: Remote, alpha: Space
) -> None:
    before = remote.mark()
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    [contact] = contacts(remote, "Müller")
    assert (contact["surename"], contact["familyname"]) == ("Jörg von", "Müller")
    assert contact["customerNumber"] == "1008"
    assert membership(remote, "mem-new")["customer_number"] == "1008"
    row = member_row("mem-new")
    assert (row.state, row.number_before, row.number_written) == (State.SYNCED, "77", "1008")
    calls = [call.partition("?")[0] for call in remote.calls(before)]
    # Ten, and once per process the list of countries.
    assert [call for call in calls if "StaticCountry" not in call] == [
        "cobot-space GET /api/memberships/mem-new",
        "sevdesk GET /Contact",
        "sevdesk GET /Contact/Factory/getNextCustomerNumber",
        "sevdesk POST /Contact",
        f"sevdesk GET /Contact/{contact['id']}",
        "sevdesk POST /ContactAddress",
        "sevdesk POST /CommunicationWay",
        "cobot-space PUT /api/memberships/mem-new",
        "cobot-space GET /api/memberships/mem-new",
        "cobot-space POST /api/activities",
    ]


def test_a_member_whose_contact_stands_in_sevdesk_is_linked_and_not_made_anew(
    remote: Remote, alpha: Space
) -> None:
    announce(alpha, "confirmed_membership", "mem-xyz")
    work(alpha)
    assert len(contacts(remote, "XYZ")) == 1
    row = member_row("mem-xyz")
    assert (row.contact_id, row.was_adopted, row.state) == ("501", True, State.SYNCED)


def test_a_stranger_with_the_same_number_is_never_adopted(remote: Remote, alpha: Space) -> None:
    remote.control(
        "POST", f"/sevdesk/{TOKEN}/contacts", {"customerNumber": "77", "name": "Fremde GmbH"}
    )
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    assert membership(remote, "mem-new")["customer_number"] == "1008"
    assert len(contacts(remote, "Fremde")) == 1


def book_while_sevdesk_refuses_the_contact(remote: Remote, space: Space, **invoice: Any) -> Json:
    remote.fault("sevdesk", "status:422", method="POST", path="/Contact", times=0)
    announce(space, "confirmed_membership", "mem-new")
    work(space)
    assert member_row("mem-new").state == State.FAILED
    return sync(remote, space, debitor={"type": "memberships", "id": "mem-new"}, **invoice)


def test_an_invoice_of_a_new_member_is_not_booked_on_a_stranger_with_the_same_number(
    remote: Remote, alpha: Space
) -> None:
    remote.control(
        "POST", f"/sevdesk/{TOKEN}/contacts", {"customerNumber": "77", "name": "Fremde GmbH"}
    )
    row = row_of(book_while_sevdesk_refuses_the_contact(remote, alpha))
    assert (row.state, row.cause_code) == (State.MISMATCHED, "contact_of_stranger")
    [voucher] = remote.sevdesk()["vouchers"]
    assert voucher["supplier"] is None
    assert sorted(voucher["tags"]) == ["Import", "mismatch"]


def test_a_number_that_a_person_gave_a_member_since_counts_whatever_the_name(
    remote: Remote, alpha: Space
) -> None:
    other = remote.control(
        "POST", f"/sevdesk/{TOKEN}/contacts", {"customerNumber": "2000", "name": "Eltern Müller"}
    )
    row = row_of(book_while_sevdesk_refuses_the_contact(remote, alpha, customerNumber="2000"))
    assert (row.state, row.sent_contact_id) == (State.SYNCED, other["id"])


def test_an_invoice_before_its_member_waits_until_the_contact_is_there(
    remote: Remote, alpha: Space
) -> None:
    made = remote.invoice("alpha", items=[line()], debitor={"type": "memberships", "id": "mem-new"})
    announce(alpha, "created_invoice", made.get("id") or made["data"]["id"])
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    row = row_of(made)
    assert row.state == State.SYNCED
    [contact] = contacts(remote, "Müller")
    assert remote.sevdesk()["vouchers"][0]["supplier"]["id"] == contact["id"]


def test_an_invoice_waits_ten_first_retries_for_its_member_and_then_goes_on_without(
    remote: Remote, alpha: Space
) -> None:
    tomorrow = utcnow() + timedelta(days=1)
    db.session.add(
        MemberSync(space_id=alpha.id, cobot_membership_id="mem-new", next_try_at=tomorrow)
    )
    db.session.commit()
    made = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-new"})
    while (row := row_of(made)).state == State.WAITING:
        assert row.cause_code == "member_pending"
        assert row.next_try_at is not None
        row.next_try_at = utcnow()
        db.session.commit()
        work(alpha)
    assert (row.state, row.cause_code) == (State.MISMATCHED, "contact_missing")
    assert row.member_waits == 10


def test_a_lost_answer_to_a_new_contact_never_makes_a_second_one(
    remote: Remote, alpha: Space
) -> None:
    remote.fault("sevdesk", "reset_after_commit", method="POST", path="/Contact")
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    row = member_row("mem-new")
    assert row.state == State.UNKNOWN
    row.next_try_at = row.sent_at
    db.session.commit()
    work(alpha)
    assert member_row("mem-new").state == State.SYNCED
    assert len(contacts(remote, "Müller")) == 1


def test_a_failed_write_back_is_tried_alone_and_holds_no_invoice(
    remote: Remote, alpha: Space
) -> None:
    remote.fault("cobot-space", "status:503", method="PUT", times=1)
    announce(alpha, "confirmed_membership", "mem-new")
    made = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-new"})
    assert row_of(made).state == State.SYNCED
    row = member_row("mem-new")
    row.next_try_at = row.created_at
    db.session.commit()
    work(alpha)
    assert member_row("mem-new").number_written == "1008"
    assert len(contacts(remote, "Müller")) == 1


@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 2}])
def test_a_new_member_gets_through_the_default_budget_and_no_call_is_made_twice(
    remote: Remote, alpha: Space, settings: dict[str, object]
) -> None:
    before = remote.mark()
    announce(alpha, "confirmed_membership", "mem-new")
    deadline = time.monotonic() + 30
    drain(alpha.id)
    while member_row("mem-new").state != State.SYNCED:
        assert time.monotonic() < deadline
        drain(alpha.id)
    calls = [call for call in remote.calls(before) if call.startswith("sevdesk")]
    assert len(calls) == len(set(calls))
    assert len(contacts(remote, "Müller")) == 1


@pytest.mark.parametrize("effect", ["garbage", "status:403", "status:404"])
def test_a_member_whom_nobody_could_read_is_not_booked_by_number_alone_either(
    remote: Remote, alpha: Space, effect: str
) -> None:
    remote.control(
        "POST", f"/sevdesk/{TOKEN}/contacts", {"customerNumber": "77", "name": "Fremde GmbH"}
    )
    remote.fault("cobot-space", effect, path="/api/memberships/*", times=0)
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    row = row_of(sync(remote, alpha, debitor={"type": "memberships", "id": "mem-new"}))
    assert (row.state, row.cause_code) == (State.MISMATCHED, "contact_of_stranger")


def test_the_number_that_sevdesk_gave_counts_whatever_the_name_of_its_next_contact(
    remote: Remote, alpha: Space
) -> None:
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    row = member_row("mem-new")
    remote.control("DELETE", f"/sevdesk/{TOKEN}/contacts/{row.contact_id}")
    anew = remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/contacts",
        {"customerNumber": row.number_written, "name": "Müller Consulting GmbH"},
    )
    for _ in range(2):
        made = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-new"})
    assert (row_of(made).state, row_of(made).sent_contact_id) == (State.SYNCED, anew["id"])
