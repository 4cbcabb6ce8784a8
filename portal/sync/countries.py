"""Which country a text means. Cobot's API 1 gives names ("Germany") or codes ("DE")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from babel import Locale
from babel.core import get_global

from portal.sync.accounts import fold_name

# Cobot's own languages and those of the neighbours; where a name means two countries, the first
# language wins.
_LANGUAGES = ("de", "en", "fr", "it", "nl", "es")

_ALPHA_2 = re.compile("[A-Z]{2}")

# What CLDR lists among the territories and ISO 3166 does not call a country.
_NOT_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})

# How people write what CLDR names otherwise.
_ALIASES = {
    "brd": "DE",
    "bundesrepublik deutschland": "DE",
    "federal republic of germany": "DE",
    "oesterreich": "AT",
    "osterreich": "AT",
    "republik österreich": "AT",
    "schweizerische eidgenossenschaft": "CH",
    "fürstentum liechtenstein": "LI",
    "holland": "NL",
    "the netherlands": "NL",
    "great britain": "GB",
    "großbritannien": "GB",
    "england": "GB",
    "scotland": "GB",
    "schottland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "nordirland": "GB",
    "usa": "US",
    "u.s.a.": "US",
    "u.s.": "US",
    "united states of america": "US",
    "vereinigte staaten von amerika": "US",
    "czech republic": "CZ",
    "tschechische republik": "CZ",
    "slovak republic": "SK",
    "turkey": "TR",
    "russian federation": "RU",
    "republic of ireland": "IE",
}


def country_code(text: str | None) -> str | None:
    """Return the ISO 3166 alpha-2 code of a country's name or code, None when it is not known.

    Understands alpha-2 and alpha-3 codes and the names in German, English, French, Italian, Dutch
    and Spanish, without regard to case and blanks. An unknown country is not guessed.
    """
    return _countries().get(fold_name(text or ""))


@cache
def _countries() -> Mapping[str, str]:
    codes: dict[str, str] = {}
    territories = (str(code) for code in Locale("en").territories)
    known = {code for code in territories if _ALPHA_2.fullmatch(code)} - _NOT_COUNTRIES
    for code in sorted(known):
        codes[fold_name(code)] = code
    for old, new in get_global("territory_aliases").items():
        if old.isalpha() and len(new) == 1 and new[0] in known:
            codes.setdefault(fold_name(old), new[0])
    for language in _LANGUAGES:
        for code, name in Locale(language).territories.items():
            if code in known:
                codes.setdefault(fold_name(name), str(code))
    for name, code in _ALIASES.items():
        codes.setdefault(fold_name(name), code)
    return codes
