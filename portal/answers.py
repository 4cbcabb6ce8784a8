"""Reading remote answers: what a refusal says, and the fields of a body.

Leaves are read leniently (sevdesk sends numbers as strings, Cobot's older API sends strings as
numbers), presence strictly: what is needed and missing raises WrongShape with the field's name,
never with its content.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

LONGEST_MESSAGE = 500
LONGEST_WAIT_SECONDS = 86_400.0

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


def retry_after_seconds(value: str | None) -> float | None:
    """Return how long a Retry-After header asks to wait (a number of seconds or an HTTP date).

    None where it is missing or unreadable; never negative, never longer than a day.
    Source: RFC 9110, section 10.2.3.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    wait = (at - datetime.fromtimestamp(time.time(), UTC)).total_seconds()
    return min(max(wait, 0.0), LONGEST_WAIT_SECONDS)


def one_line(message: str, hidden: Sequence[str] = ()) -> str:
    """Return the message as one printable line without the hidden texts, cut at 500 characters."""
    for secret in hidden:
        if len(secret) >= 8:  # a shorter one is no secret, and its letters may be any word's
            message = message.replace(secret, "[...]")
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line[:LONGEST_MESSAGE]


def what_it_says(body: bytes) -> tuple[str, str | None, str | None]:
    """Return message, code and request id of a refusal; a body that is not JSON says nothing.

    Shapes: sevdesk `{"error": {"message", "code", "exceptionUUID"}}`; Cobot API 2
    `{"errors": [{"source": {"pointer"}, "detail"}]}`; Cobot API 1 `{"errors": {field: text}}`.
    """
    try:
        said = parse_json(body)
    except ValueError:
        return "", None, None
    if not isinstance(said, dict):
        return "", None, None
    inner = said.get("error")
    error = inner if isinstance(inner, dict) else said
    message = text_or_none(error.get("message")) or text_or_none(inner)
    found = message or _listed(said.get("errors")) or ""
    first = said["errors"][0] if isinstance(said.get("errors"), list) and said["errors"] else None
    code = error.get("code", first.get("code") if isinstance(first, dict) else None)
    return found, text_or_none(code), text_or_none(error.get("exceptionUUID"))


def _listed(errors: Any) -> str:
    if isinstance(errors, dict):
        return "; ".join(f"{field}: {_flat(problem)}" for field, problem in errors.items())
    if not isinstance(errors, list):
        return text_or_none(errors) or ""
    parts = []
    for error in errors:
        if not isinstance(error, dict):
            parts.append(_flat(error))
            continue
        source = error.get("source")
        pointer = text_or_none(source.get("pointer")) if isinstance(source, dict) else None
        detail = text_or_none(error.get("detail")) or text_or_none(error.get("title")) or ""
        parts.append(f"{pointer}: {detail}" if pointer else detail)
    return "; ".join(part for part in parts if part)


def _flat(problem: Any) -> str:
    if isinstance(problem, list):
        return ", ".join(text_or_none(part) or "" for part in problem)
    return text_or_none(problem) or ""


def each(value: Any, field: str, make: Callable[[Any], T]) -> tuple[T, ...]:
    """Return every row of a list made into a record; a wrong row is named by its place."""
    made = []
    for place, row in enumerate(rows(value, field)):
        try:
            made.append(make(row))
        except WrongShape as err:
            raise WrongShape(f"{field}[{place}].{err.field}") from None
    return tuple(made)
