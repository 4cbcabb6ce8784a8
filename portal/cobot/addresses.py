"""Postal addresses as Cobot's two APIs write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.answers import text_or_none

_POST_CODE_AND_CITY = re.compile(r"(?P<post_code>[0-9]{4,5})\s+(?P<city>\S.*)")


@dataclass(frozen=True)
class Address:
    """A postal address. `country` is an ISO code in API 2, a name or a code in API 1."""

    company: str | None = None
    name: str | None = None
    street: str | None = None
    post_code: str | None = None
    city: str | None = None
    country: str | None = None

    @classmethod
    def from_json(cls, address: Any) -> Address:
        """Read API 2's `recipientAddress` (street, postCode, countryCode)."""
        if not isinstance(address, Mapping):
            return cls()
        return cls(
            company=text_or_none(address.get("company")),
            name=text_or_none(address.get("name")),
            street=text_or_none(address.get("street")),
            post_code=text_or_none(address.get("postCode")),
            city=text_or_none(address.get("city")),
            country=text_or_none(address.get("countryCode")),
        )

    @classmethod
    def from_v1_json(cls, address: Any) -> Address:
        """Read API 1's `address` (address, post_code, country).

        Members from the time of the single address field have only `full_address`: its lines are
        taken as street, post code and city.
        """
        if not isinstance(address, Mapping):
            return cls()
        street = text_or_none(address.get("address"))
        post_code = text_or_none(address.get("post_code"))
        city = text_or_none(address.get("city"))
        if not (street or post_code or city):
            street, post_code, city = _split_lines(text_or_none(address.get("full_address")))
        return cls(
            company=text_or_none(address.get("company")),
            name=text_or_none(address.get("name")),
            street=street,
            post_code=post_code,
            city=city,
            country=text_or_none(address.get("country")),
        )


def _split_lines(full_address: str | None) -> tuple[str | None, str | None, str | None]:
    """Return street, post code and city of an address written in lines."""
    lines = [line.strip() for line in (full_address or "").splitlines() if line.strip()]
    for place, line in enumerate(lines):
        found = _POST_CODE_AND_CITY.fullmatch(line)
        if found is not None:
            return ", ".join(lines[:place]) or None, found["post_code"], found["city"]
    return ", ".join(lines) or None, None, None
