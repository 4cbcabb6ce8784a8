"""The filter that stands in the address of the log, and what a polling page says of itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from babel.numbers import get_decimal_symbol
from flask_babel import format_decimal, get_locale
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from portal.forms import LONGEST_SEARCH, place, row_id
from portal.services.log import STATES_OF, LogFilter, Shown

EXAMPLE = Decimal("1261.80")
NOT_OF_A_NUMBER = re.compile(r"\s|[€$£]|\b[A-Z]{3}\b")
"""What stands beside an amount: blanks and the currency."""
EITHER_WAY = re.compile(r"-?[0-9]{1,3}[.,][0-9]{3}")
"""1.261 is 1261 to some and 1 to others: only the reader's own language says."""


@dataclass(frozen=True)
class AskedFilter:
    """What of the log a person asked for, with a sentence on each part that cannot be read.

    While there is one `filters` is wider than what was meant: nothing may be shown or done by it.
    """

    filters: LogFilter
    query: Mapping[str, str]
    """As it stands in an address; what is not set is left out, what cannot be read is kept."""
    unreadable: Mapping[str, str]


def asked_filter(args: Mapping[str, str]) -> AskedFilter:
    """Return the filter that stands in the address; amounts as the reader's language has them."""
    typed = {name: text.strip()[:LONGEST_SEARCH] for name, text in args.items()}
    read = {name: part.read(typed.get(name, "")) for name, part in PARTS.items()}
    wrong = [name for name in PARTS if typed.get(name) and read[name] is None]
    filters = LogFilter(
        state=read["state"],
        q=typed.get("q", ""),
        from_date=read["from"],
        to_date=read["to"],
        cause=typed.get("cause", "")[:50] or None,
        amount_from=read["amount_from"],
        amount_to=read["amount_to"],
    )
    return AskedFilter(
        filters,
        query=_query_of(filters) | {name: typed[name] for name in wrong},
        unreadable={name: PARTS[name].refusal(typed[name]) for name in wrong},
    )


def shown_page(args: MultiDict[str, str]) -> Shown:
    """Return what the polling page says of itself: its rows, its age, whether it is the first."""
    return Shown(
        ids=frozenset(args.getlist("row", type=row_id)[:100]),
        since=args.get("since", 0, type=place),
        is_first=args.get("page") != "later",
    )


def _query_of(filters: LogFilter) -> dict[str, str]:
    query = {
        "state": filters.state,
        "q": filters.q,
        "from": filters.from_date and filters.from_date.isoformat(),
        "to": filters.to_date and filters.to_date.isoformat(),
        "cause": filters.cause,
        "amount_from": _plain(filters.amount_from),
        "amount_to": _plain(filters.amount_to),
    }
    return {name: value for name, value in query.items() if value}


def _state(text: str) -> str | None:
    return text if text in STATES_OF else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _amount(text: str) -> Decimal | None:
    """Return an amount as people write it, 261,80 or €1,261.80; None for anything else.

    The reader's language goes first. The other way of writing counts where it can mean one thing
    only, so that what stands in an address is the same amount in each language.
    """
    number = NOT_OF_A_NUMBER.sub("", text)
    own = get_decimal_symbol(get_locale())
    foreign = "." if own == "," else ","
    found = _number(number, own, foreign)
    if found is None and not EITHER_WAY.fullmatch(number):
        found = _number(number, foreign, own)
    return found


def _number(text: str, decimal_sign: str, group_sign: str) -> Decimal | None:
    groups = rf"[0-9]{{1,3}}(\{group_sign}[0-9]{{3}}){{1,2}}"
    if not re.fullmatch(rf"-?([0-9]{{1,9}}|{groups})(\{decimal_sign}[0-9]{{1,2}})?", text):
        return None
    return Decimal(text.replace(group_sign, "").replace(decimal_sign, "."))


def _no_state(text: str) -> str:
    return str(_("There is no state “%(text)s”.", text=text))


def _no_day(text: str) -> str:
    return str(_("“%(text)s” is no day. Choose one, or write it like 2026-12-31.", text=text))


def _no_amount(text: str) -> str:
    example = format_decimal(EXAMPLE, "#,##0.00")
    return str(_("“%(text)s” is no amount. Write it like %(example)s.", text=text, example=example))


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


class Part(NamedTuple):
    """A part of the filter that may be unreadable: how it is read, and what is said otherwise."""

    read: Callable[[str], Any]
    refusal: Callable[[str], str]


PARTS = {
    "state": Part(_state, _no_state),
    "from": Part(_day, _no_day),
    "to": Part(_day, _no_day),
    "amount_from": Part(_amount, _no_amount),
    "amount_to": Part(_amount, _no_amount),
}
