"""Which booking accounts a code that matches none may mean, and why. Only a person decides.

Pure; made for 500 codes against 3,000 accounts: the spelling is compared only where three letters
in a row are shared, and with a few accounts for each code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from portal.sevdesk.records import BookingAccount
from portal.sync.accounts import fold_name

MOST = 3
COMPARED = 12
"""So many accounts, those sharing the most letters, are compared by their spelling."""
NEAR = 0.72
_NUMBER = re.compile(r"[0-9]{3,8}")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})

REASONS = ("one_of_several", "blank_differs", "sign_differs", "same_number", "contains", "spelling")
"""From the surest to the vaguest."""


@dataclass(frozen=True)
class Suggestion:
    """An account and why it may be meant: one of REASONS."""

    account: BookingAccount
    reason: str


class Suggester:
    """The accounts of a space, ordered for finding those that nearly match."""

    def __init__(
        self,
        accounts: Sequence[BookingAccount],
        ratio: Callable[[str, str], float] | None = None,
    ) -> None:
        """`ratio` compares two spellings, 0 to 1; tests count how often it is asked."""
        self._ratio = ratio or _likeness
        self._accounts = tuple(account for account in accounts if account.is_revenue)
        self._names = [fold_name(account.name) for account in self._accounts]
        self._by_number: dict[str, list[int]] = {}
        self._without_blanks: dict[str, list[int]] = {}
        self._by_letters: dict[str, list[int]] = {}
        self._by_three: dict[str, list[int]] = {}
        for place, (account, name) in enumerate(zip(self._accounts, self._names, strict=True)):
            self._by_number.setdefault(fold_name(account.number), []).append(place)
            if name:
                self._without_blanks.setdefault(name.replace(" ", ""), []).append(place)
                self._by_letters.setdefault(_letters(name), []).append(place)
            for three in _threes(name):
                self._by_three.setdefault(three, []).append(place)

    def suggest(self, code: str, *, ambiguous: bool = False) -> tuple[Suggestion, ...]:
        """Return up to three accounts that the code may mean, the surest first.

        `ambiguous`: several accounts match the code already; those are named, so that a person
        takes a number instead.
        """
        folded = fold_name(code)
        found: dict[int, str] = {}

        def take(places: Sequence[int], reason: str) -> None:
            for place in places:
                found.setdefault(place, reason)

        if ambiguous:
            take(self._by_number.get(folded, ()), "one_of_several")
            same = [place for place, name in enumerate(self._names) if name == folded]
            take(same, "one_of_several")
        take(self._without_blanks.get(folded.replace(" ", ""), ()), "blank_differs")
        if letters := _letters(folded):
            take(self._by_letters.get(letters, ()), "sign_differs")
        for number in _NUMBER.findall(folded):
            take(self._by_number.get(number, ()), "same_number")
        if len(found) < MOST and not folded.isdigit():
            self._take_near(folded, take)
        ordered = sorted(found.items(), key=lambda item: REASONS.index(item[1]))
        return tuple(Suggestion(self._accounts[place], why) for place, why in ordered[:MOST])

    def _take_near(self, folded: str, take: Callable[[Sequence[int], str], None]) -> None:
        shared: Counter[int] = Counter()
        for three in _threes(folded):
            places = self._by_three.get(three, ())
            # What half of all accounts share tells nothing and would cost the most.
            if len(places) <= max(50, len(self._accounts) // 4):
                shared.update(places)
        near = []
        for place, _ in shared.most_common(COMPARED):
            name = self._names[place]
            if len(folded) > 3 and len(name) > 3 and (folded in name or name in folded):
                near.append((1.0, place, "contains"))
            elif (ratio := self._ratio(folded, name)) >= NEAR:
                near.append((ratio, place, "spelling"))
        for _, place, reason in sorted(near, key=lambda one: -one[0]):
            take([place], reason)


def _threes(name: str) -> set[str]:
    padded = f" {name} "
    return {padded[place : place + 3] for place in range(len(padded) - 2)} if name else set()


def _letters(name: str) -> str:
    """Return letters and digits alone, umlauts spelled out."""
    return "".join(char for char in name.translate(_UMLAUTS) if char.isalnum())


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
