"""An invoice that Cobot does not show: gone for good, or only just now."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import update

from portal.core import core
from portal.database import db, utcnow
from portal.models import InvoiceSync, Space, State
from portal.services import catchup, retry
from tests.services.conftest import (
    TOKEN,
    Remote,
    announce,
    id_of,
    let_go_on,
    line,
    row_of,
    steps_of,
    sync,
    work,
)
from tests.stack import Json

XYZ = {"type": "memberships", "id": "mem-xyz"}


@pytest.fixture
def settings() -> dict[str, object]:
    return {"retry_first_seconds": 600}  # whatever waits, waits until a test lets it go on


def not_shown(remote: Remote, status: int, times: int = 1) -> None:
    remote.fault("cobot-api", f"status:{status}", path="/invoices/*", times=times)


def waiting_for_sevdesk(remote: Remote, space: Space) -> Json:
    """An invoice that was read, and waits since sevdesk did not take it."""
    remote.fault("sevdesk", "status:503", path="/Voucher/Factory/saveVoucher", times=1)
    made = sync(remote, space, debitor=XYZ)
    assert row_of(made).state == State.WAITING
    return made


def test_one_404_does_not_end_an_invoice_that_was_read_before(remote: Remote, alpha: Space) -> None:
    made = waiting_for_sevdesk(remote, alpha)
    not_shown(remote, 404)
    let_go_on(alpha)
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.WAITING, "invoice_not_shown")
    let_go_on(alpha)
    assert row_of(made).state == State.SYNCED
    assert len(remote.sevdesk(TOKEN)["vouchers"]) == 1


def test_one_404_does_not_end_an_invoice_that_was_announced_long_ago(
    remote: Remote, alpha: Space
) -> None:
    not_shown(remote, 503, times=3)  # a read is repeated twice
    made = sync(remote, alpha, debitor=XYZ)
    db.session.execute(update(InvoiceSync).values(announced_at=utcnow().replace(year=2020)))
    db.session.commit()
    not_shown(remote, 404)
    let_go_on(alpha)
    assert row_of(made).state == State.WAITING
    let_go_on(alpha)
    assert row_of(made).state == State.SYNCED


def test_the_patience_begins_anew_with_each_time_that_it_is_not_shown(
    remote: Remote, alpha: Space
) -> None:
    made = waiting_for_sevdesk(remote, alpha)
    long_ago = utcnow().replace(year=2020)
    not_shown(remote, 404)
    let_go_on(alpha)
    db.session.execute(update(InvoiceSync).values(failing_since=long_ago, cause_code="other"))
    db.session.commit()
    not_shown(remote, 404)
    let_go_on(alpha)
    assert row_of(made).state == State.WAITING


def test_it_is_gone_when_cobot_does_not_show_it_for_long(remote: Remote, alpha: Space) -> None:
    made = waiting_for_sevdesk(remote, alpha)
    not_shown(remote, 404, times=2)
    let_go_on(alpha)
    db.session.execute(update(InvoiceSync).values(failing_since=utcnow().replace(year=2020)))
    db.session.commit()
    let_go_on(alpha)
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.SKIPPED, "invoice_deleted")


def test_it_is_gone_at_once_when_cobot_says_that_it_was_deleted(
    remote: Remote, alpha: Space
) -> None:
    made = waiting_for_sevdesk(remote, alpha)
    not_shown(remote, 404)
    announce(alpha, "deleted_invoice", id_of(made))
    work(alpha)
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.SKIPPED, "invoice_deleted")


def skipped(remote: Remote, space: Space, status: int) -> Json:
    """An invoice that was left out since Cobot did not show it, or said that it is not ours."""
    not_shown(remote, status, times=2)
    made = sync(remote, space, debitor=XYZ)
    if status == 404:
        announce(space, "deleted_invoice", id_of(made))
        work(space)
    assert row_of(made).state == State.SKIPPED
    remote.control("DELETE", "/faults")
    return made


CAUSES = pytest.mark.parametrize(
    ("status", "cause"), [(404, "invoice_deleted"), (403, "not_of_this_space")]
)


@CAUSES
def test_one_that_stands_in_cobots_list_is_taken_up_again(
    core_app: Flask, remote: Remote, alpha: Space, status: int, cause: str
) -> None:
    made = skipped(remote, alpha, status)
    assert row_of(made).cause_code == cause
    assert catchup.catch_up(alpha.id) == 1
    work(alpha)
    row = row_of(made)
    assert (row.state, row.changed_in_cobot) == (State.SYNCED, None)
    assert catchup.catch_up(alpha.id) == 0


@CAUSES
def test_one_that_is_edited_is_taken_up_again(
    remote: Remote, alpha: Space, status: int, cause: str
) -> None:
    made = skipped(remote, alpha, status)
    announce(alpha, "updated_invoice", id_of(made))
    work(alpha)
    assert row_of(made).state == State.SYNCED


@CAUSES
def test_a_person_may_have_it_looked_for_again(
    remote: Remote, alpha: Space, status: int, cause: str
) -> None:
    made = skipped(remote, alpha, status)
    assert retry.retry_invoice(alpha, id_of(made), actor="admin:owner")
    work(alpha)
    assert row_of(made).state == State.SYNCED


def test_one_of_another_space_stays_out_however_often_it_is_asked_for(
    remote: Remote, alpha: Space, beta: Space
) -> None:
    theirs = remote.invoice("beta", items=[line()])
    announce(alpha, "created_invoice", id_of(theirs))
    work(alpha)
    announce(alpha, "updated_invoice", id_of(theirs))
    work(alpha)
    catchup.catch_up(alpha.id)
    work(alpha)
    row = row_of(theirs)
    assert (row.space_id, row.state, row.number) == (alpha.id, State.SKIPPED, None)
    assert core().config.retry_first_seconds == 600


@pytest.mark.parametrize("status", [403, 404])
def test_one_that_is_listed_and_never_shown_is_left_to_a_person_once(
    remote: Remote, alpha: Space, status: int
) -> None:
    not_shown(remote, status, times=0)
    made = sync(remote, alpha, debitor=XYZ)
    for _ in range(3):
        catchup.catch_up(alpha.id)
        work(alpha)
        db.session.execute(update(InvoiceSync).values(failing_since=utcnow().replace(year=2020)))
        db.session.commit()
        let_go_on(alpha)
    row = row_of(made)
    if status == 404:
        # Not shown for long, so it counted as deleted; then it stood in the list.
        assert "skipped done" in steps_of(made)
    assert (row.state, row.cause_code) == (State.FAILED, "invoice_unreadable")
    assert len(remote.space()["activities"]) == 1
    remote.control("DELETE", "/faults")
    assert retry.retry_invoice(alpha, id_of(made), actor="admin:owner")
    work(alpha)
    assert row_of(made).state == State.SYNCED
