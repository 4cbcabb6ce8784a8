"""The month's comparison: planted differences are named, and nothing else is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import delete, select

from portal.database import db
from portal.models import HistoryLine, InboxEvent, Space, State, Task
from portal.services import month, retention, skips, task_runs
from portal.services.month_csv import CSV_HEAD, csv_rows
from portal.services.month_report import MonthReport
from tests.services.conftest import TOKEN, Remote, announce, id_of, line, row_of, sync, work
from tests.services.looking import ended, methods

XYZ = {"type": "memberships", "id": "mem-xyz"}


def book(remote: Remote, space: Space, number: int, **more: object) -> str:
    """Book one invoice of October; return its id in Cobot."""
    body = {"debitor": XYZ, "invoiceDate": "2026-10-05", **more}
    return id_of(sync(remote, space, number=f"R-{number:03d}", **body))


def forget(space: Space, invoice: str) -> None:
    """Let an invoice be unknown here, as if another tool had made its receipt."""
    row = row_of({"id": invoice})
    with retention._permit(space):
        retention._delete_invoices(space, [row])
    db.session.execute(delete(InboxEvent).where(InboxEvent.space_id == space.id))
    db.session.commit()


def report(remote: Remote, space: Space) -> MonthReport:
    before = remote.mark()
    task = ended(month.start(space, 2026, 10, actor="admin:owner"))
    assert methods(remote, before) == {"GET"}
    found = month.report_of(task)
    assert found is not None
    return found


def test_a_month_in_order_is_equal_to_the_cent(remote: Remote, alpha: Space) -> None:
    book(remote, alpha, 1)
    book(remote, alpha, 2, items=[line(), line(code="Snacks", net="10.0", rate="7.0")])
    found = report(remote, alpha)
    assert found.is_equal
    assert found.entries == found.gaps == ()
    assert (found.cobot.count, found.cobot.gross) == (2, Decimal("534.30"))
    assert found.booked == found.cobot
    assert [(one.account, one.rate, one.lines, one.gross) for one in found.slices] == [
        ("4300", "7", 1, Decimal("10.70")),
        ("4400", "19", 2, Decimal("523.60")),
    ]


def test_planted_differences_are_named_and_nothing_else(remote: Remote, alpha: Space) -> None:
    ids = {number: book(remote, alpha, number) for number in (1, 2, 3, 4, 5, 7)}
    book(remote, alpha, 8, items=[line(code="Neu")])
    lost = book(remote, alpha, 9, debitor={"type": "memberships", "id": "mem-lost"})
    left = book(remote, alpha, 10, items=[line(code="Neu")])
    skips.skip(alpha, [left], "in bar verbucht", actor="admin:owner")
    vouchers = {one["description"]: one["id"] for one in remote.sevdesk()["vouchers"]}
    remote.control("DELETE", f"/sevdesk/{TOKEN}/vouchers/{vouchers['R-001']}")
    remote.control(
        "PATCH", f"/cobot/spaces/alpha/invoices/{ids[2]}?webhook=0", {"items": [line(net="230.0")]}
    )
    remote.control("DELETE", f"/cobot/spaces/alpha/invoices/{ids[3]}?webhook=0")
    remote.control(
        "PATCH", f"/sevdesk/{TOKEN}/vouchers/{vouchers['R-004']}", {"sumGross": "261.81"}
    )
    remote.control(
        "PATCH", f"/cobot/spaces/alpha/invoices/{ids[5]}?webhook=0", {"invoiceDate": "2026-11-02"}
    )
    found = report(remote, alpha)
    named = {(entry.what, entry.number) for entry in found.entries}
    assert named == {
        ("deleted_in_sevdesk", "R-001"),
        ("edited", "R-002"),
        ("deleted_in_cobot", "R-003"),
        ("changed_in_sevdesk", "R-004"),
        ("edited", "R-005"),
        ("not_booked", "R-008"),
        ("without_contact", "R-009"),
        ("skipped", "R-010"),
    }
    assert len(found.entries) == len(named)
    # R-003 is named as deleted, R-005 moved to November; R-006 never was.
    assert found.gaps == ("R-006",)
    assert not found.is_equal
    edited = next(entry for entry in found.entries if entry.number == "R-002")
    assert [edit["field"] for edit in edited.details] == ["gross", "line_1"]
    assert edited.details[0] == {"field": "gross", "before": "261.80", "now": "273.70"}
    skipped = next(entry for entry in found.entries if entry.what == "skipped")
    assert skipped.params == {"reason": "in bar verbucht"}
    assert found.difference == found.cobot.gross - found.booked.gross
    assert (found.not_booked.count, found.skipped.count, found.without_contact.count) == (2, 1, 1)
    assert row_of({"id": lost}).state == "mismatched"
    rows = csv_rows(found)
    assert all(len(row) == len(CSV_HEAD) for row in rows)
    assert ("gap", "R-006") in {row[:2] for row in rows}


def test_the_five_differences_of_the_task_are_named_and_not_one_more(
    remote: Remote, alpha: Space
) -> None:
    """A receipt deleted, an invoice edited and one deleted, a cent, a gap: exactly those."""
    ids = {number: book(remote, alpha, number) for number in (1, 2, 3, 4, 5, 7, 8)}
    vouchers = {one["description"]: one["id"] for one in remote.sevdesk()["vouchers"]}
    remote.control("DELETE", f"/sevdesk/{TOKEN}/vouchers/{vouchers['R-002']}")
    edited = {"items": [line(net="230.0")]}
    remote.control("PATCH", f"/cobot/spaces/alpha/invoices/{ids[3]}?webhook=0", edited)
    remote.control("DELETE", f"/cobot/spaces/alpha/invoices/{ids[4]}?webhook=0")
    off = {"sumGross": "261.81"}
    remote.control("PATCH", f"/sevdesk/{TOKEN}/vouchers/{vouchers['R-005']}", off)
    found = report(remote, alpha)
    assert [(entry.what, entry.number) for entry in found.entries] == [
        ("deleted_in_sevdesk", "R-002"),
        ("changed_in_sevdesk", "R-005"),
        ("edited", "R-003"),
        ("deleted_in_cobot", "R-004"),
    ]
    assert found.gaps == ("R-006",)
    assert (found.wrong, found.is_equal) == (4, False)
    details = {entry.number: list(entry.details) for entry in found.entries}
    assert details["R-005"] == [{"field": "gross", "before": "261.80", "now": "261.81"}]
    assert [edit["field"] for edit in details["R-003"]] == ["gross", "line_1"]
    # Six in Cobot, one of them edited to 273.70; in sevdesk the deleted one is missing, R-004 not.
    assert (found.cobot.count, found.cobot.gross) == (6, Decimal("1582.70"))
    assert (found.booked.count, found.booked.gross) == (6, Decimal("1570.81"))
    assert found.difference == Decimal("11.89")
    assert (found.not_booked.count, found.not_booked.gross) == (1, Decimal("261.80"))


def test_the_same_is_found_again_and_only_the_newest_comparison_is_kept(
    remote: Remote, alpha: Space
) -> None:
    made = book(remote, alpha, 1)
    assert report(remote, alpha).is_equal
    [voucher] = remote.sevdesk()["vouchers"]
    remote.control("DELETE", f"/sevdesk/{TOKEN}/vouchers/{voucher['id']}")
    assert [entry.what for entry in report(remote, alpha).entries] == ["deleted_in_sevdesk"]
    assert row_of({"id": made}).cause_code == "receipt_deleted"
    # By now the invoice has no receipt any more, and that is still the reason.
    again = report(remote, alpha)
    assert [(entry.what, entry.cause) for entry in again.entries] == [
        ("deleted_in_sevdesk", "receipt_deleted")
    ]
    assert len(db.session.scalars(select(Task)).all()) == 1
    steps = db.session.scalars(
        select(HistoryLine.facts).where(HistoryLine.step == "month_compared")
    ).all()
    assert [facts["is_equal"] for facts in steps] == [True, False, False]


def test_a_second_receipt_of_a_number_is_seen(remote: Remote, alpha: Space) -> None:
    """Whoever entered an invoice by hand has more in sevdesk than in Cobot, or just as much."""
    book(remote, alpha, 1)
    book(remote, alpha, 2, items=[line(code="Neu")])
    for number in ("R-001", "R-002", "Miete"):
        voucher = {
            "description": number, "voucherDate": "2026-10-05", "creditDebit": "D",
            "sumGross": "261.80", "sumNet": "220.00", "status": "100",
        }  # fmt: skip
        remote.control("POST", f"/sevdesk/{TOKEN}/vouchers", voucher)
    found = report(remote, alpha)
    assert [(entry.what, entry.number, entry.gross) for entry in found.entries] == [
        ("twice_in_sevdesk", "R-001", "261.80"),
        ("not_booked", "R-002", "261.80"),
        ("made_by_hand", "R-002", "261.80"),
    ]


def test_another_sevdesk_accounts_receipts_are_not_called_deleted(
    remote: Remote, alpha: Space
) -> None:
    made = book(remote, alpha, 1)
    row = row_of({"id": made})
    row.sevdesk_client, row.sevdesk_voucher_id = "another", "987654"
    db.session.commit()
    found = report(remote, alpha)
    assert [entry.what for entry in found.entries] == ["other_client"]
    assert row_of({"id": made}).state == "synced"


def test_another_currency_is_counted_and_not_added(remote: Remote, alpha: Space) -> None:
    book(remote, alpha, 1)
    swiss = line()
    swiss["amount"]["currency"] = "CHF"
    book(remote, alpha, 2, items=[swiss])
    found = report(remote, alpha)
    assert (found.cobot.count, found.foreign, found.cobot.gross) == (2, 1, Decimal("261.80"))
    assert [(entry.what, entry.currency) for entry in found.entries] == [("not_booked", "CHF")]
    assert not found.is_equal
    assert found.difference == 0


def test_what_was_deleted_before_it_was_booked_keeps_nothing_from_being_equal(
    remote: Remote, alpha: Space
) -> None:
    book(remote, alpha, 1)
    gone = book(remote, alpha, 2, items=[line(code="Neu")])
    book(remote, alpha, 3)
    remote.control("DELETE", f"/cobot/spaces/alpha/invoices/{gone}?webhook=0")
    announce(alpha, "deleted_invoice", gone)
    work(alpha)
    row = row_of({"id": gone})
    assert (row.state, row.cause_code) == ("skipped", "invoice_deleted")
    found = report(remote, alpha)
    assert [(entry.what, entry.number) for entry in found.entries] == [
        ("deleted_unbooked", "R-002")
    ]
    assert found.gaps == ()
    assert found.is_equal


def test_a_list_without_an_end_is_no_comparison(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    book(remote, alpha, 1)
    monkeypatch.setattr("portal.services.task_looks.MOST_PAGES", 0)
    task = task_runs.run_to_end(month.start(alpha, 2026, 10, actor="admin:owner"))
    assert (task.state, task.cause_code) == ("failed", "bad_answer")
    assert month.report_of(task) is None


def test_what_could_not_be_read_is_never_called_equal(remote: Remote, alpha: Space) -> None:
    book(remote, alpha, 1)
    remote.fault("sevdesk", "status:500", path="/Voucher", times=1)
    task = month.start(alpha, 2026, 10, actor="admin:owner")
    task_runs.work_on(alpha.id)
    assert month.report_of(task) is None
    found = month.report_of(ended(task))
    assert found is not None
    assert found.is_equal


def test_a_correction_that_stands_on_the_other_side_is_not_booked_again(
    remote: Remote, alpha: Space
) -> None:
    first = book(remote, alpha, 1)
    negative = {"correctedInvoice": first, "items": [line(net="-220.0")]}
    alpha.corrections = "negative"
    db.session.commit()
    made = book(remote, alpha, 2, **negative)
    by_hand = row_of({"id": made}).sevdesk_voucher_id
    forget(alpha, made)
    alpha.corrections = "expense"
    db.session.commit()
    announce(alpha, "created_invoice", made)
    work(alpha)
    row = row_of({"id": made})
    assert (row.state, row.cause_code) == (State.FAILED, "number_taken")
    assert row.cause_params["id"] == by_hand
    assert len(remote.sevdesk()["vouchers"]) == 2
    found = report(remote, alpha)
    assert not found.is_equal
    assert "made_by_hand" in {entry.what for entry in found.entries}


def test_what_was_skipped_keeps_it_from_being_equal_also_where_it_adds_up_to_nothing(
    remote: Remote, alpha: Space
) -> None:
    book(remote, alpha, 1)
    left = book(remote, alpha, 2, items=[line(code="Neu")])
    items = [line(net="-220.0", code="Neu")]
    correction = book(remote, alpha, 3, correctedInvoice=left, items=items)
    assert skips.skip(alpha, [left, correction], "storniert", actor="admin:owner").changed == 2
    found = report(remote, alpha)
    assert (found.difference, found.skipped.gross, found.skipped.count) == (0, 0, 2)
    assert not found.is_equal


def test_accounts_of_a_receipt_that_was_there_are_not_called_ours(
    remote: Remote, alpha: Space
) -> None:
    book(remote, alpha, 1)
    made = book(remote, alpha, 2)
    forget(alpha, made)
    announce(alpha, "created_invoice", made)
    work(alpha)
    assert row_of({"id": made}).was_adopted
    found = report(remote, alpha)
    assert found.is_equal
    sums = [(one.account, one.name, one.lines, one.gross) for one in found.slices]
    gross = Decimal("261.80")
    assert sums == [("", "", 1, gross), ("4400", "Mitgliedschaft", 1, gross)]
    assert "accounts_not_read" in {row[0] for row in csv_rows(found)}
