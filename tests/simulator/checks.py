"""Strict reading of a world or of a control call.

An unknown key or a wrong type is an error that names its place.
"""

from collections.abc import Collection
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.simulator.errors import WorldError

Json = dict[str, Any]


class Fields:
    """One JSON object, read key by key; keys that nobody knows are refused at once."""

    def __init__(self, value: object, where: str, known: Collection[str]) -> None:
        if not isinstance(value, dict):
            raise WorldError(f"{where}: an object is needed")
        unknown = sorted(str(key) for key in value if key not in known)
        if unknown:
            raise WorldError(f"{where}: unknown key {', '.join(unknown)}")
        self.where = where
        self._value: Json = value

    def has(self, key: str) -> bool:
        """Say whether the key is there, null included."""
        return key in self._value

    def raw(self, key: str, default: object = None) -> Any:
        """Return the value as it is."""
        return self._value.get(key, default)

    def fail(self, key: str, needed: str) -> WorldError:
        """Return the error for this key, to be raised by the reader."""
        return WorldError(f"{self.where}.{key}: {needed} is needed")

    def text(self, key: str, default: str = "") -> str:
        """Return a string; an integer is taken as its digits."""
        found = self.optional_text(key, default)
        if found is None:
            raise self.fail(key, "a string")
        return found

    def optional_text(self, key: str, default: str | None = None) -> str | None:
        """Return a string or None for null."""
        value = self._value.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise self.fail(key, "a string or null")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self._value.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def many(self, key: str) -> list[Any]:
        """Return a list; a missing one is empty."""
        value = self._value.get(key, [])
        if not isinstance(value, list):
            raise self.fail(key, "a list")
        return value

    def texts(self, key: str) -> list[str]:
        """Return a list of strings; a missing one is empty."""
        value = self.many(key)
        if not all(isinstance(entry, str) for entry in value):
            raise self.fail(key, "a list of strings")
        return list(value)

    def choice(self, key: str, allowed: Collection[str], default: str) -> str:
        """Return one of the allowed words."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.fail(key, f"one of {', '.join(sorted(allowed))}")
        return value

    def day(self, key: str, default: date) -> str:
        """Return a day as YYYY-MM-DD."""
        value = self.text(key, default.isoformat())
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise self.fail(key, "a day as YYYY-MM-DD") from None

    def amount(self, key: str, default: str = "0.0") -> str:
        """Return a decimal string, kept as written; numbers are made into one."""
        value = self._value.get(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.fail(key, "a decimal string")
        return decimal_text(value, f"{self.where}.{key}")


def decimal_text(value: str | int | float, where: str) -> str:
    """Return the number as a decimal string; a string stays as it was written."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise WorldError(f"{where}: a decimal string is needed") from None
    if not number.is_finite():
        raise WorldError(f"{where}: a decimal string is needed")
    if (
        isinstance(value, str)
        and value.strip("-").replace(".", "", 1).isdigit()
        and value[-1] != "."
    ):
        return value
    return f"{number:f}"
