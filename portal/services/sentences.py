"""The sentences of the catalogue in the language at hand: one source for log, page and Cobot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation

from flask_babel import force_locale, format_currency, format_decimal, format_time, gettext

from portal.models import Space
from portal.sync.messages import CATALOGUE, DECIMAL_PARAMS, MONEY_PARAMS, Entry, fill
from portal.sync.titles import REHEARSED, TITLES

UNKNOWN = "unexpected"
LOCALES = {"de": "de", "en": "en_GB"}
"""Language -> whose dates and figures it comes with; English as in Europe: 23 Nov 2026, 14:32."""


def entry_of(code: str) -> Entry:
    """Return the catalogue's entry of a code; that of an unexpected error for an unknown one."""
    return CATALOGUE.get(code) or CATALOGUE[UNKNOWN]


def cause_sentence(
    code: str, params: Mapping[str, str], *, next_try_at: datetime | None = None
) -> str:
    """Return what happened, in the language at hand. `next_try_at` fills the time it may name."""
    shown = {name: _shown(name, value) for name, value in params.items()}
    if next_try_at is not None:
        shown["time"] = format_time(next_try_at, "short")
    return fill(gettext(entry_of(code).cause), shown)


def cause_title(code: str) -> str:
    """Return what a cause is about in a few words, without the figures of one invoice."""
    return str(gettext(TITLES[code if code in TITLES else UNKNOWN]))


def cause_line(code: str, params: Mapping[str, str] | None = None) -> str:
    """Return what happened to several invoices: with the figures they share, or without."""
    if params or "%(" not in entry_of(code).cause:
        return cause_sentence(code, params or {})
    return f"{cause_title(code)}."


def cause_pattern(code: str) -> str:
    """Return the sentence of a cause with dots where an invoice's figures stand."""
    return str(gettext(entry_of(code).cause)) % defaultdict(lambda: "…")


def names_a_time(code: str) -> bool:
    """Say whether the sentence of a cause tells when something is tried again."""
    return "%(time)s" in entry_of(code).cause


def fix_sentence(code: str, params: Mapping[str, str]) -> str | None:
    """Return what a person can do about it, None when there is nothing to do."""
    fix = entry_of(code).fix
    if fix is None:
        return None
    text = str(gettext(fix))
    return fill(text, params) if params else text % defaultdict(lambda: "…")


def rehearsed_text(code: str, params: Mapping[str, str] | None = None) -> str:
    """Return why an invoice would end so, while nothing has happened yet."""
    texts = REHEARSED.get(code)
    return fill(gettext(texts[0]), params) if texts and params else cause_line(code, params)


def rehearsed_fix(code: str, params: Mapping[str, str] | None = None) -> str:
    """Return what to do before it happens; empty when there is nothing."""
    texts = REHEARSED.get(code)
    return str(gettext(texts[1])) if texts else fix_sentence(code, params or {}) or ""


@contextmanager
def language_of(space: Space) -> Iterator[None]:
    """Within this block sentences are in the space's language, whatever the process's is."""
    with force_locale(LOCALES[space.locale]):
        yield


def _shown(name: str, value: str) -> str:
    try:
        if name in MONEY_PARAMS:
            return str(format_currency(Decimal(value), "EUR"))
        if name in DECIMAL_PARAMS:
            return str(format_decimal(Decimal(value)))
    except InvalidOperation:
        pass
    return str(value)
