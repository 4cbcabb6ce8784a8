"""Contacts of a sevdesk that the space has no more, and contacts that are gone."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, update

from portal.database import db, utcnow
from portal.models import DebtorLink, HistoryLine, MemberSync, Space, State
from portal.services import backfill, connection, contact_search, member_import, tasks
from portal.services.connection import SevdeskSettings
from portal.services.drain import drain
from portal.sevdesk.client import SevdeskClient
from portal.tenancy import in_space
from tests.services.conftest import (
    BETA_TOKEN,
    TOKEN,
    Remote,
    admin_named,
    announce,
    elsewhere,
    line,
    member_row,
    row_of,
    sync,
    work,
)
from tests.services.looking import ended

NEW = {"type": "memberships", "id": "mem-new"}
CONTACT_FIELDS = ("contact_id", "contact_number", "contact_checked", "address_done", "email_done")


def move(space: Space, token: str) -> bool:
    return connection.save_settings(
        space, SevdeskSettings(token, None, 30), admin=admin_named("owner"), user_token=None
    )


@pytest.fixture
def linked(remote: Remote, alpha: Space) -> Space:
    """Alpha with a member who is a contact, and a debtor whose contact somebody chose."""
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    assert member_row("mem-new").contact_id is not None
    made = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-lost"})
    assert contact_search.link(alpha, row_of(made), "501", actor="admin:owner")
    return alpha


def is_forgotten() -> bool:
    row = member_row("mem-new")
    links = db.session.scalars(select(DebtorLink)).all()
    db.session.commit()
    return not any(getattr(row, name) for name in CONTACT_FIELDS) and not links


def test_another_sevdesk_knows_none_of_the_contacts(remote: Remote, linked: Space) -> None:
    # The same id is somebody else there.
    held = remote.sevdesk()["contacts"][-1]
    remote.control(
        "POST",
        f"/sevdesk/{BETA_TOKEN}/contacts",
        {"id": held["id"], "customerNumber": "9", "name": "Fremd"},
    )
    move(linked, BETA_TOKEN)
    assert is_forgotten()
    row = row_of(sync(remote, linked, debitor=NEW))
    assert (row.state, row.sent_contact_id) == (State.MISMATCHED, None)
    said = db.session.scalar(select(HistoryLine).where(HistoryLine.step == "contacts_forgotten"))
    assert said is not None
    assert said.facts == {"members": 1, "debtors": 1}


def test_it_gets_the_members_by_an_import_with_address_and_number(
    remote: Remote, linked: Space
) -> None:
    move(linked, BETA_TOKEN)
    task = ended(member_import.prepare(linked, actor="admin:owner"))
    member_import.decide(linked, task, {"mem-xyz": "leave", "mem-lost": "leave"})
    tasks.start_work(task, linked, total=1)
    work(linked)
    new = member_row("mem-new")
    there = remote.sevdesk(BETA_TOKEN)
    [contact] = [one for one in there["contacts"] if one["id"] == new.contact_id]
    assert new.state == State.SYNCED
    assert [one["contact"]["id"] for one in there["addresses"]] == [contact["id"]]
    assert [one["contact"]["id"] for one in there["emails"]] == [contact["id"]]
    members = {one["id"]: one for one in remote.space()["memberships"]}
    assert members["mem-new"]["customer_number"] == contact["customerNumber"]


def test_a_token_that_is_tested_later_lets_go_of_them_then(remote: Remote, linked: Space) -> None:
    remote.fault("sevdesk", "status:503", path="*", times=0)
    assert not move(linked, BETA_TOKEN)
    assert not is_forgotten()
    remote.control("DELETE", "/faults")
    db.session.execute(update(Space).where(Space.id == linked.id).values(probe_at=utcnow()))
    db.session.commit()
    work(linked)
    db.session.refresh(linked)
    assert (linked.sevdesk_client, linked.pause_code) == ("72", None)
    assert is_forgotten()


def connected_by_the_version_before(space: Space) -> None:
    """As after migration 0009: it wrote the client of each space, but the version before it went on
    connecting spaces until it was replaced, and knows nothing of the column."""
    space.contacts_client = None
    db.session.commit()


def test_a_space_that_the_version_before_connected_lets_go_of_them_too(
    remote: Remote, linked: Space
) -> None:
    connected_by_the_version_before(linked)
    move(linked, BETA_TOKEN)
    assert is_forgotten()
    assert linked.contacts_client == "72"


def test_it_lets_go_of_them_when_the_token_is_tested_later(remote: Remote, linked: Space) -> None:
    connected_by_the_version_before(linked)
    remote.fault("sevdesk", "status:503", path="*", times=0)
    assert not move(linked, BETA_TOKEN)
    assert not is_forgotten()
    remote.control("DELETE", "/faults")
    db.session.execute(update(Space).where(Space.id == linked.id).values(probe_at=utcnow()))
    db.session.commit()
    work(linked)
    assert is_forgotten()


def test_it_keeps_them_with_a_new_token_of_the_same_sevdesk(remote: Remote, linked: Space) -> None:
    connected_by_the_version_before(linked)
    token = "c3" * 16
    remote.control("PATCH", f"/sevdesk/{TOKEN}", {"new_token": token})
    move(linked, token)
    assert not is_forgotten()
    assert linked.contacts_client == "71"


def test_a_new_token_of_the_same_sevdesk_keeps_them(remote: Remote, linked: Space) -> None:
    token = "c3" * 16
    remote.control("PATCH", f"/sevdesk/{TOKEN}", {"new_token": token})
    move(linked, token)
    assert not is_forgotten()


def test_an_import_that_was_prepared_in_the_sevdesk_of_before_ends(
    remote: Remote, linked: Space
) -> None:
    task = ended(member_import.prepare(linked, actor="admin:owner"))
    assert task.state == "ready"
    move(linked, BETA_TOKEN)
    db.session.refresh(task)
    assert task.state == "cancelled"


def test_a_contact_whose_answer_was_lost_there_is_made_here(remote: Remote, alpha: Space) -> None:
    remote.fault("sevdesk", "reset_after_commit", method="POST", path="/Contact")
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    assert member_row("mem-new").state == State.UNKNOWN
    move(alpha, BETA_TOKEN)
    db.session.execute(update(MemberSync).values(next_try_at=utcnow()))
    db.session.commit()
    work(alpha)
    new = member_row("mem-new")
    assert new.state == State.SYNCED
    assert new.contact_id in {one["id"] for one in remote.sevdesk(BETA_TOKEN)["contacts"]}


def test_a_contact_that_is_made_again_has_address_and_email(remote: Remote, linked: Space) -> None:
    contact_id = member_row("mem-new").contact_id
    remote.control("DELETE", f"/sevdesk/{TOKEN}/contacts/{contact_id}")
    sync(remote, linked, debitor=NEW)
    assert not any(getattr(member_row("mem-new"), name) for name in CONTACT_FIELDS)


def move_during(monkeypatch: pytest.MonkeyPatch, space: Space, question: str) -> None:
    """Let a person enter the other token right after this question was answered."""
    asked, space_id = getattr(SevdeskClient, question), space.id

    def save() -> None:
        with in_space(space_id):
            move(db.session.get_one(Space, space_id), BETA_TOKEN)

    def ask(self: SevdeskClient, *words: object) -> object:
        answer = asked(self, *words)
        monkeypatch.setattr(SevdeskClient, question, asked)
        db.session.commit()
        elsewhere(save)
        return answer

    monkeypatch.setattr(SevdeskClient, question, ask)


@pytest.mark.parametrize(
    ("member", "question"), [("mem-xyz", "emails_of"), ("mem-new", "create_contact")]
)
def test_a_contact_that_was_found_or_made_there_meanwhile_is_not_taken(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch, member: str, question: str
) -> None:
    move_during(monkeypatch, alpha, question)
    announce(alpha, "confirmed_membership", member)
    work(alpha)
    db.session.execute(update(MemberSync).values(next_try_at=utcnow()))
    db.session.commit()
    work(alpha)
    row = member_row(member)
    names = {one["id"]: one for one in remote.sevdesk(BETA_TOKEN)["contacts"]}
    assert row.state == State.SYNCED
    assert names[row.contact_id]["customerNumber"] == row.number_written


def test_after_a_move_the_number_of_before_is_a_strangers(remote: Remote, linked: Space) -> None:
    number = member_row("mem-new").number_written
    move(linked, BETA_TOKEN)
    remote.control(
        "POST", f"/sevdesk/{BETA_TOKEN}/contacts", {"customerNumber": number, "name": "Fremd"}
    )
    row = row_of(sync(remote, linked, debitor=NEW))
    assert (row.state, row.cause_code) == (State.MISMATCHED, "contact_of_stranger")


def test_a_takeover_of_older_invoices_does_not_go_on_in_another_sevdesk(
    remote: Remote, alpha: Space
) -> None:
    for number in range(12):
        remote.invoice(number=f"O-{number}", invoiceDate="2026-03-05", items=[line()])
    march = date(2026, 3, 1), date(2026, 3, 31)
    task = ended(backfill.prepare(alpha, *march, actor="admin:owner"))
    assert backfill.WORK.start(alpha, task)
    drain(alpha.id, seconds=0.2)
    move(alpha, BETA_TOKEN)
    work(alpha)
    db.session.refresh(task)
    assert task.state == "cancelled"
    there, here = (len(remote.sevdesk(token)["vouchers"]) for token in (TOKEN, BETA_TOKEN))
    assert there + here < 12, "what was begun is finished, nothing more is taken up"
