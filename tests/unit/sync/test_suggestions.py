"""What is offered for a code that matches no booking account."""

from __future__ import annotations

import random
from difflib import SequenceMatcher

import pytest

from portal.sync.suggestions import COMPARED, Suggester
from tests.unit.sync.factories import account

CHART = [
    account(id=1, number="4400", name="Mitgliedschaften"),
    account(id=2, number="4401", name="Besprechungsräume"),
    account(id=3, number="4402", name="Tages Tickets"),
    account(id=4, number="8400", name="Erlöse 19 %"),
    account(id=5, number="4830", name="Sonstige Erlöse"),
    account(id=6, number="4839", name="sonstige erlöse"),
]


@pytest.mark.parametrize(
    ("code", "number", "reason"),
    [
        ("Tagestickets", "4402", "blank_differs"),
        ("Tages-Tickets", "4402", "sign_differs"),
        ("Besprechungsraeume", "4401", "sign_differs"),
        ("8400 Meeting", "8400", "same_number"),
        ("Mitgliedschaft", "4400", "contains"),
        ("Besprechungsräumme", "4401", "spelling"),
    ],
)
def test_the_first_suggestion_is_the_account_that_is_nearly_it(
    code: str, number: str, reason: str
) -> None:
    first = Suggester(CHART).suggest(code)[0]
    assert (first.account.number, first.reason) == (number, reason)


def test_of_several_equal_names_each_is_named_so_that_a_number_can_be_taken() -> None:
    found = Suggester(CHART).suggest("Sonstige Erlöse", ambiguous=True)
    assert [(one.account.number, one.reason) for one in found][:2] == [
        ("4830", "one_of_several"),
        ("4839", "one_of_several"),
    ]


def test_what_is_nothing_like_any_account_gets_no_suggestion() -> None:
    assert Suggester(CHART).suggest("Parkplatz") == ()
    assert Suggester(CHART).suggest("9999") == ()
    assert Suggester(CHART).suggest("") == ()


def test_500_codes_and_3000_accounts_are_not_all_compared_with_each_other() -> None:
    rng = random.Random(5)
    parts = ["Miete", "Raum", "Platz", "Tag", "Büro", "Kurs", "Kaffee", "Druck", "Post", "Schrank"]

    def name() -> str:
        return " ".join(rng.sample(parts, 3)) + f" {rng.randrange(10**6)}"

    chart = [account(id=n, number=str(10_000 + n), name=name()) for n in range(3000)]
    asked = 0

    def ratio(one: str, other: str) -> float:
        nonlocal asked
        asked += 1
        return SequenceMatcher(None, one, other, autojunk=False).ratio()

    suggester = Suggester(chart, ratio)
    for _ in range(500):
        suggester.suggest(name())
    assert asked <= 500 * COMPARED
