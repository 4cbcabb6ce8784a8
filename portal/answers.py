"""The fields of a remote answer. Pure.

Leaves are read leniently (sevdesk sends numbers as strings, Cobot's older API sends strings as
numbers), presence strictly: what is needed and missing raises WrongShape with the field's name,
never with its content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

_MONEY = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


class WrongShape(ValueError):
    """A field that we need is missing or of another kind; `field` is its path."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def parse_json(body: bytes) -> Any:
    """Return the parsed body, fractions as Decimal. Raises ValueError when it is not JSON."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (RecursionError, InvalidOperation) as err:
        raise ValueError(type(err).__name__) from None


def mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise WrongShape(field)
    return value


def rows(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise WrongShape(field)
    return value


def text_or_none(value: Any) -> str | None:
    """Return the trimmed text of a string or whole number; None for nothing, blanks and others."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def text(value: Any, field: str) -> str:
    found = text_or_none(value)
    if found is None:
        raise WrongShape(field)
    return found


def decimal(value: Any, field: str) -> Decimal:
    """Return an amount, a rate or a quantity, given as a string or a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise WrongShape(field)
    if isinstance(value, Decimal) and not (value.is_finite() and -20 < value.adjusted() < 20):
        raise WrongShape(field)  # 1e999999 would fill the memory when written out
    plain = format(value, "f") if isinstance(value, Decimal) else str(value).strip()
    if not _MONEY.fullmatch(plain):
        raise WrongShape(field)
    return Decimal(plain)


def whole(value: Any, field: str) -> int:
    found = decimal(value, field)
    if found != found.to_integral_value():
        raise WrongShape(field)
    return int(found)


def day(value: Any, field: str) -> date:
    """Return the day an ISO date or date-time begins with; its offset is not applied.

    sevdesk writes days as midnight in Berlin: in UTC it would be the day before.
    """
    if not isinstance(value, str):
        raise WrongShape(field)
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise WrongShape(field) from None


def each(value: Any, field: str, make: Callable[[Any], T]) -> tuple[T, ...]:
    """Return every row of a list made into a record; a wrong row is named by its place."""
    made = []
    for place, row in enumerate(rows(value, field)):
        try:
            made.append(make(row))
        except WrongShape as err:
            raise WrongShape(f"{field}[{place}].{err.field}") from None
    return tuple(made)
