"""Which booking account of sevdesk a line of a Cobot invoice belongs to.

Sources: Cobot help, "Connecting Cobot to sevdesk": an accounting code must match a booking
account, name them alike; its older text asks for the account's number, so both are taken. What is
not said there is our decision, docs/decisions.md.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from portal.cobot.records import Line
from portal.sevdesk.records import BookingAccount
from portal.sync.causes import Cause
from portal.sync.taxes import is_small_business

# Signs that nobody sees and that come along when a name is copied from a web page: soft hyphen,
# zero-width space, (non-)joiner, word joiner, byte order mark.
_INVISIBLE = dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))

_DASHES = ("-", "\N{EN DASH}", "\N{EM DASH}")


def fold_name(text: str) -> str:
    """Return the text as it is compared: NFKC, trimmed, blanks folded, without case.

    Two names that look alike on the screen fold to the same text.
    """
    normal = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
    # Folding the case can leave combining signs apart, so put them together once more.
    return " ".join(unicodedata.normalize("NFKC", normal.casefold()).split())


@dataclass(frozen=True)
class AccountMatch:
    """A booking account and how it was found.

    `how` is "mapping", "number", "name", "number_and_name" or "revenue_account".
    """

    account: BookingAccount
    how: str


def written_code(line: Line) -> str | None:
    """Return what names the account: the accounting code, else Cobot's revenue account number.

    None when the line has neither (what shows nothing counts as nothing).
    """
    return _text(line.accounting_code) or _text(line.revenue_account_number)


class AccountIndex:
    """The booking accounts of a space, ordered for looking up many lines.

    Accounts that sevdesk does not offer for revenue are left out. `mappings` are the rows an
    admin chose: accounting code (compared folded) -> accountDatevId.
    """

    def __init__(
        self, accounts: Sequence[BookingAccount], mappings: Mapping[str, int] | None = None
    ) -> None:
        by_id = {account.id: account for account in accounts if account.is_revenue}
        self.accounts: tuple[BookingAccount, ...] = tuple(by_id.values())
        self._by_id = by_id
        self._by_number: dict[str, list[BookingAccount]] = {}
        self._by_name: dict[str, list[BookingAccount]] = {}
        self._by_both: dict[str, list[BookingAccount]] = {}
        for account in self.accounts:
            number, name = fold_name(account.number), fold_name(account.name)
            self._by_number.setdefault(number, []).append(account)
            if name:
                self._by_name.setdefault(name, []).append(account)
                self._by_both.setdefault(f"{number} {name}", []).append(account)
                for dash in _DASHES:
                    self._by_both.setdefault(f"{number} {dash} {name}", []).append(account)
        self._mappings = _folded(mappings or {})

    def with_mappings(self, mappings: Mapping[str, int]) -> AccountIndex:
        """Return the same accounts under these mapping rows, without sorting them again."""
        other = AccountIndex.__new__(AccountIndex)
        other.__dict__.update(self.__dict__)
        other._mappings = _folded(mappings)
        return other

    @cached_property
    def is_small_business(self) -> bool:
        """Whether sevdesk treats this client as a small business."""
        return is_small_business(self.accounts)

    def match(self, line: Line) -> AccountMatch | Cause:
        """Return the one booking account of this line, or why there is none.

        The first way that finds anything decides: mapping row, number, name, number and name.
        Causes: `code_empty`, `account_missing` (code; by "number" where the line has no code and
        only a revenue account's number), `account_ambiguous` (code, accounts).
        A line of 0.00 needs a code like any other: Cobot's help syncs an invoice only when every
        line carries one. A mapping row whose account is gone is `account_missing`, never another
        account of the same name: the admin had a reason to leave that one.
        """
        written = written_code(line)
        if written is None:
            return Cause("code_empty")
        has_code = _text(line.accounting_code) is not None
        code = fold_name(written)
        if code in self._mappings:
            mapped = self._by_id.get(self._mappings[code])
            return AccountMatch(mapped, "mapping") if mapped else _missing(written)
        ways = [("number" if has_code else "revenue_account", self._by_number)]
        if has_code:
            ways += [("name", self._by_name), ("number_and_name", self._by_both)]
        for how, table in ways:
            hits = table.get(code, ())
            if len(hits) == 1:
                return AccountMatch(hits[0], how)
            if hits:
                numbers = ", ".join(sorted({hit.number for hit in hits}))
                return Cause("account_ambiguous", {"code": written, "accounts": numbers})
        return _missing(written) if has_code else _missing(written, by="number")


def match_account(
    line: Line,
    accounts: AccountIndex | Sequence[BookingAccount],
    mappings: Mapping[str, int] | None = None,
) -> AccountMatch | Cause:
    """Return the booking account of one line; for many lines build an AccountIndex once."""
    return index_of(accounts, mappings).match(line)


def index_of(
    accounts: AccountIndex | Sequence[BookingAccount], mappings: Mapping[str, int] | None = None
) -> AccountIndex:
    """Return an index of these accounts; mapping rows given here replace those of an index."""
    if isinstance(accounts, AccountIndex):
        return accounts.with_mappings(mappings) if mappings else accounts
    return AccountIndex(accounts, mappings)


def _text(code: str | None) -> str | None:
    return code.strip() if code and fold_name(code) else None


def _folded(mappings: Mapping[str, int]) -> dict[str, int]:
    return {fold_name(code): account_id for code, account_id in mappings.items()}


def _missing(code: str, **more: str) -> Cause:
    return Cause("account_missing", {"code": code, **more})
