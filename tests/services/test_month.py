"""The month's comparison: planted differences are named, and nothing else is."""

from __future__ import annotations

from decimal import Decimal

from portal.models import Space
from portal.services import month, skips
from portal.services.month_csv import CSV_HEAD, csv_rows
from portal.services.month_report import MonthReport
from tests.services.conftest import TOKEN, Remote, id_of, line, row_of, sync
from tests.services.looking import ended, methods

XYZ = {"type": "memberships", "id": "mem-xyz"}


def book(remote: Remote, space: Space, number: int, **more: object) -> str:
    """Book one invoice of October; return its id in Cobot."""
    body = {"debitor": XYZ, "invoiceDate": "2026-10-05", **more}
    return id_of(sync(remote, space, number=f"R-{number:03d}", **body))


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
    # R-003 is deleted, R-005 moved to November, R-006 never was.
    assert found.gaps == ("R-003", "R-005", "R-006")
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


def test_what_could_not_be_read_is_never_called_equal(remote: Remote, alpha: Space) -> None:
    book(remote, alpha, 1)
    remote.fault("sevdesk", "status:500", path="/Voucher", times=1)
    task = month.start(alpha, 2026, 10, actor="admin:owner")
    from portal.services import task_runs

    task_runs.work_on(alpha.id)
    assert month.report_of(task) is None
    found = month.report_of(ended(task))
    assert found is not None
    assert found.is_equal
