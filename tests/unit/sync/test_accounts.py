import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.sync.accounts import AccountIndex, AccountMatch, fold_name, match_account
from portal.sync.causes import Cause
from tests.unit.sync.factories import account, line

DESK = account("Erlöse Arbeitsplätze", "4400", 1)
ROOM = account("Meeting Rooms", "4300", 2)
TWIN_A = account("Kaffee", "4500", 3)
TWIN_B = account("kaffee ", "4501", 4)
COSTS = account("Miete", "6310", 5, is_revenue=False)
CHART = (DESK, ROOM, TWIN_A, TWIN_B, COSTS)


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("4400", AccountMatch(DESK, "number")),
        (" 4400 ", AccountMatch(DESK, "number")),
        ("４４００", AccountMatch(DESK, "number")),
        ("Erlöse Arbeitsplätze", AccountMatch(DESK, "name")),
        ("ERLÖSE  arbeitsplätze", AccountMatch(DESK, "name")),
        ("Erlo\u0308se Arbeitspla\u0308tze", AccountMatch(DESK, "name")),
        ("Meeting\u00a0Rooms", AccountMatch(ROOM, "name")),
        ("Meeting\u200b Ro\u00adoms", AccountMatch(ROOM, "name")),
        ("4300 Meeting Rooms", AccountMatch(ROOM, "number_and_name")),
        ("4300 - meeting rooms", AccountMatch(ROOM, "number_and_name")),
        ("4300 – Meeting Rooms", AccountMatch(ROOM, "number_and_name")),
        ("4500 Kaffee", AccountMatch(TWIN_A, "number_and_name")),
    ],
)
def test_accounting_code_finds_the_account_by_number_or_name(code, match):
    assert match_account(line(accounting_code=code), CHART, {}) == match


@pytest.mark.parametrize(
    "code",
    ["Meeting", "04400", "440", "4300 Meeting", "4400 Meeting Rooms", "Rooms", "Miete", "6310"],
)
def test_code_that_fits_no_revenue_account_finds_none(code):
    cause = match_account(line(accounting_code=code), CHART, {})
    assert cause == Cause("account_missing", {"code": code})


def test_name_that_two_accounts_bear_is_ambiguous_and_both_are_named():
    cause = match_account(line(accounting_code="Kaffee"), CHART, {})
    assert cause == Cause("account_ambiguous", {"code": "Kaffee", "accounts": "4500, 4501"})


def test_number_that_two_accounts_bear_is_ambiguous():
    chart = (DESK, account("Zweites", "4400", 9))
    cause = match_account(line(accounting_code="4400"), chart, {})
    assert isinstance(cause, Cause)
    assert cause.code == "account_ambiguous"


def test_account_that_sevdesk_lists_twice_counts_once():
    assert match_account(line(accounting_code="4400"), (DESK, DESK), {}).account == DESK


def test_number_goes_before_the_name_of_another_account():
    named_like_it = account("4400", "8000", 9)
    chart = (named_like_it, DESK)
    assert match_account(line(accounting_code="4400"), chart, {}) == AccountMatch(DESK, "number")


def test_mapping_row_goes_before_everything():
    mappings = {"meeting rooms": DESK.id, "4300": TWIN_A.id, "Bar": ROOM.id}
    index = AccountIndex(CHART, mappings)
    assert index.match(line(accounting_code="Meeting Rooms")) == AccountMatch(DESK, "mapping")
    assert index.match(line(accounting_code="4300")) == AccountMatch(TWIN_A, "mapping")
    assert index.match(line(accounting_code=" bar")) == AccountMatch(ROOM, "mapping")


def test_mapping_row_heals_an_ambiguous_name():
    index = AccountIndex(CHART, {"Kaffee": TWIN_B.id})
    assert index.match(line(accounting_code="Kaffee")) == AccountMatch(TWIN_B, "mapping")


def test_mapping_row_to_a_vanished_account_does_not_fall_back_to_the_name():
    cause = match_account(line(accounting_code="Meeting Rooms"), CHART, {"Meeting Rooms": 999})
    assert cause == Cause("account_missing", {"code": "Meeting Rooms"})


@pytest.mark.parametrize("code", [None, "", "   ", "\u00a0", "\u200b"])
def test_line_without_accounting_code_has_no_account(code):
    assert match_account(line(accounting_code=code), CHART, {}) == Cause("code_empty")


@pytest.mark.parametrize("code", [None, " "])
def test_revenue_account_counts_when_there_is_no_accounting_code(code):
    bare = line(accounting_code=code, revenue_account_number="4300")
    assert match_account(bare, CHART, {}) == AccountMatch(ROOM, "revenue_account")
    assert match_account(bare, CHART, {"4300": DESK.id}) == AccountMatch(DESK, "mapping")


def test_revenue_account_does_not_count_beside_an_accounting_code():
    both = line(accounting_code="Bar", revenue_account_number="4300")
    assert match_account(both, CHART, {}) == Cause("account_missing", {"code": "Bar"})


def test_revenue_account_is_compared_with_numbers_only():
    named = line(accounting_code=None, revenue_account_number="Meeting Rooms")
    missing = {"code": "Meeting Rooms", "by": "number"}
    assert match_account(named, CHART, {}) == Cause("account_missing", missing)


def test_empty_chart_finds_nothing():
    cause = match_account(line(accounting_code="Desk"), (), {})
    assert cause == Cause("account_missing", {"code": "Desk"})


def test_index_takes_other_mapping_rows_and_stays_as_it_was():
    index = AccountIndex(CHART)
    other = index.with_mappings({"Bar": ROOM.id})
    bar = line(accounting_code="Bar")
    assert other.match(bar) == AccountMatch(ROOM, "mapping")
    assert index.match(bar) == Cause("account_missing", {"code": "Bar"})
    assert match_account(bar, index, {"Bar": DESK.id}) == AccountMatch(DESK, "mapping")
    assert match_account(bar, other) == AccountMatch(ROOM, "mapping")


@given(st.text())
@hypothesis_settings(deadline=None)
def test_folding_a_folded_name_changes_nothing(text):
    assert fold_name(fold_name(text)) == fold_name(text)


NAMES = st.text(st.characters(categories=["L", "N", "Zs"]), min_size=1, max_size=12)


@given(st.lists(NAMES.filter(fold_name), min_size=1, max_size=8), st.data())
@hypothesis_settings(deadline=None)
def test_match_is_always_the_only_account_that_could_be_meant(names, data):
    chart = [account(name, str(9000 + place), place) for place, name in enumerate(names)]
    code = data.draw(st.sampled_from(names)).swapcase()
    same_name = [a for a in chart if fold_name(a.name) == fold_name(code)]
    found = match_account(line(accounting_code=f"  {code} "), chart, {})
    if isinstance(found, AccountMatch):
        assert found.how in {"name", "number"}
        assert found.how == "number" or same_name == [found.account]
    else:
        assert len(same_name) != 1
