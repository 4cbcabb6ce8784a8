"""The mapping check and its explicit rows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal.database import db
from portal.models import Space, State
from portal.services import mapping, mapping_rows
from portal.services.connection import SettingsRefused
from tests.services.conftest import TOKEN, Remote, line, row_of, steps_of, sync, work
from tests.services.looking import drain_all, ended, methods

XYZ = {"type": "memberships", "id": "mem-xyz"}


def codes(remote: Remote, *names: str) -> None:
    for name in names:
        remote.control(
            "POST", "/cobot/spaces/alpha/accounting_codes", {"name": name, "tax_rate": "19.0"}
        )


def check(remote: Remote, space: Space) -> mapping.MappingCheck:
    before = remote.mark()
    ended(mapping.start(space, actor="admin:owner"))
    assert methods(remote, before) == {"GET"}
    found = mapping.check(space)
    assert found is not None
    return found


def test_codes_of_the_list_and_of_lines_stand_beside_accounts_unmatched_first(
    remote: Remote, alpha: Space
) -> None:
    codes(remote, "Mitgliedschaft", "mitgliedschaft ", "4300")
    remote.invoice("alpha", items=[line(), line(code="Mitglied schaft"), line(code=None)])
    assert mapping.check(alpha) is None
    found = check(remote, alpha)
    assert [(row.code, row.how, row.lines, row.cause) for row in found.rows] == [
        ("Mitglied schaft", None, 1, "account_missing"),
        ("4300", "number", 0, "rule_not_allowed"),
        ("Mitgliedschaft", "name", 1, None),
    ]
    assert (found.matched, found.total, found.without_code) == (1, 3, 1)
    assert found.rows[1].params == {"number": "4300", "name": "Snacks", "rate": "19"}
    first = found.rows[0]
    assert (first.cause, first.net, first.in_list) == ("account_missing", Decimal("220.00"), False)
    [suggestion] = first.suggestions
    assert (suggestion.account.number, suggestion.reason) == ("4400", "blank_differs")


def test_a_saved_row_wins_frees_what_waited_and_is_marked_in_the_history(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    other = sync(remote, alpha, debitor=XYZ, items=[line(code="Kaffee")])
    assert check(remote, alpha).matched == 0
    assert mapping_rows.save_mapping(alpha, " meeting", 3631, actor="admin:owner") == 1
    work(alpha)
    assert row_of(made).state == State.SYNCED
    assert row_of(other).state == State.FAILED
    assert row_of(made).lines[0]["how"] == "mapping"
    assert "retry done" in steps_of(made)
    again = check(remote, alpha)
    assert [(change.code, change.what) for change in again.changes] == [("Meeting", "matched")]
    assert mapping_rows.remove_mapping(alpha, "MEETING", actor="admin:owner")
    assert not mapping_rows.remove_mapping(alpha, "Meeting", actor="admin:owner")
    now = mapping.check(alpha)
    assert now is not None
    assert now.matched == 0


def test_where_nothing_is_retried_by_itself_a_row_frees_for_a_persons_press(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    alpha.auto_retry = False
    db.session.commit()
    assert mapping_rows.save_mapping(alpha, "Meeting", "4400 mitgliedschaft", actor="admin:x") == 0
    work(alpha)
    assert row_of(made).state == State.FAILED
    assert [(group.count, group.cause) for group in mapping_rows.freed(alpha)] == [
        (1, "account_missing")
    ]
    assert mapping_rows.retry_freed(alpha, actor="admin:x") == 1
    work(alpha)
    assert row_of(made).state == State.SYNCED
    assert mapping_rows.freed(alpha) == []
    found = mapping.check(alpha)
    assert found is not None, "a row shows before the first check"
    assert [(row.code, row.how, row.is_fixed) for row in found.rows] == [
        ("Meeting", "mapping", True)
    ]
    assert found.checked_at is None


@pytest.mark.parametrize(
    ("wanted", "code"), [("Nirgends", "account_missing"), ("Snacks", "account_ambiguous")]
)
def test_what_a_person_types_must_name_one_account(
    remote: Remote, alpha: Space, wanted: str, code: str
) -> None:
    twin = {"number": "4301", "name": "snacks", "types": ["REVENUE"], "rules": {"1": [7]}}
    remote.control("POST", f"/sevdesk/{TOKEN}/accounts", twin)
    with pytest.raises(SettingsRefused) as refused:
        mapping_rows.save_mapping(alpha, "Kaffee", wanted, actor="admin:owner")
    assert refused.value.code == code
    assert mapping_rows.mappings(alpha) == {}


def test_a_row_that_sevdesk_would_refuse_is_not_saved(remote: Remote, alpha: Space) -> None:
    remote.invoice("alpha", items=[line(code="Kaffee", rate="19.0")])
    check(remote, alpha)
    with pytest.raises(SettingsRefused) as refused:
        mapping_rows.save_mapping(alpha, "Kaffee", 3633, actor="admin:owner")
    assert (refused.value.code, refused.value.params["rate"]) == ("rule_not_allowed", "19")
    with pytest.raises(SettingsRefused):
        mapping_rows.save_mapping(alpha, "Kaffee", 99, actor="admin:owner")
    assert mapping_rows.mappings(alpha) == {}


def test_what_changed_since_the_last_check_is_said(remote: Remote, alpha: Space) -> None:
    codes(remote, "Mitgliedschaft", "Snacks", "Alt")
    check(remote, alpha)
    remote.control("PATCH", f"/sevdesk/{TOKEN}/accounts/3633", {"name": "Getränke"})
    remote.control("DELETE", "/cobot/spaces/alpha/accounting_codes/Alt")
    codes(remote, "Neu")
    # Within the half minute in which no invoice reads the chart anew a person's wish does.
    found = check(remote, alpha)
    assert [(change.code, change.what) for change in found.changes] == [
        ("Alt", "gone"),
        ("Neu", "new"),
        ("Snacks", "lost"),
    ]
    assert found.before_at is not None
    drain_all(alpha)
