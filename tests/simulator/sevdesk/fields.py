"""Read the values of worlds and request bodies, strictly, and write them as sevdesk does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulator.errors import WorldError

BERLIN = ZoneInfo("Europe/Berlin")


def read_date(value: object) -> date:
    """Return the day in dd.mm.yyyy, YYYY-MM-DD (a time may follow) or Unix seconds.

    Raises ValueError for anything else.
    """
    if isinstance(value, bool) or value is None:
        raise ValueError("not a date")
    if isinstance(value, int | Decimal | float) or (isinstance(value, str) and value.isdigit()):
        return datetime.fromtimestamp(int(value), BERLIN).date()
    if isinstance(value, str):
        if value[2:3] == ".":
            # strptime reads no zone here and none is meant: a document has a day, not a moment.
            day, month, year = value.split(".")
            return date(int(year), int(month), int(day))
        return date.fromisoformat(value[:10])
    raise ValueError("not a date")


def read_decimal(value: object) -> Decimal:
    """Return the number in a JSON number or a numeric string; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("not a number")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation as err:
        raise ValueError("not a number") from err
    if not number.is_finite():
        raise ValueError("not a number")
    return number


def read_flag(value: object) -> bool:
    """Return the truth in true, false, 1, 0, "1", "0", "true" or "false"; ValueError for anything
    else."""
    known = {"true": True, "1": True, "false": False, "0": False}
    text = str(value).lower()
    if text not in known:
        raise ValueError("not a boolean")
    return known[text]


def midnight(day: date) -> str:
    """Return the day as sevdesk shows it: its midnight in Berlin, with the offset of that day."""
    return moment(datetime.combine(day, time(), BERLIN))


def moment(at: datetime) -> str:
    """Return the moment in Berlin's time, to the second, with offset."""
    return at.astimezone(BERLIN).isoformat(timespec="seconds")


def optional_midnight(day: date | None) -> str | None:
    return None if day is None else midnight(day)


def plain(number: Decimal) -> str:
    """Return the number as sevdesk writes it, without trailing zeros: 261.8, 220, 0."""
    return format(number.normalize(), "f") if number else "0"


def number_id(identifier: str) -> int | str:
    """Return the id as the integer that sevdesk's description wants in a few places.

    Ids planted by a world need not be numbers; such a one stays as it is.
    """
    return int(identifier) if identifier.isdigit() else identifier


def reference(identifier: str, object_name: str) -> dict[str, str]:
    return {"id": identifier, "objectName": object_name}


def optional_reference(identifier: str | None, object_name: str) -> dict[str, str] | None:
    return None if identifier is None else reference(identifier, object_name)


def fields_of(value: object, where: str, allowed: Collection[str]) -> Mapping[str, Any]:
    """Return the object of a world, refusing what is none and what has keys nobody knows."""
    if not isinstance(value, dict):
        raise WorldError(f"{where}: an object is expected")
    unknown = sorted(set(map(str, value)) - set(allowed))
    if unknown:
        raise WorldError(f"{where}: unknown key {', '.join(unknown)}")
    return value


def list_in(fields: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = fields.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise WorldError(f"{where}.{key}: a list is expected")
    return value


def text_in(fields: Mapping[str, Any], key: str, where: str) -> str | None:
    """Return the text under the key; a number is taken as its digits, null and a missing key are
    None."""
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise WorldError(f"{where}.{key}: a text is expected")
    return str(value)


def id_in(fields: Mapping[str, Any], key: str, where: str) -> str | None:
    """Return an id given as text, as number or as sevdesk's reference object; None when not
    given."""
    value = fields.get(key)
    if isinstance(value, dict):
        value = fields_of(value, f"{where}.{key}", ("id", "objectName")).get("id")
    found = text_in({key: value}, key, where)
    if found is not None and not found.strip():
        raise WorldError(f"{where}.{key}: an id must not be empty")
    return found


def decimal_in(fields: Mapping[str, Any], key: str, where: str) -> Decimal | None:
    if fields.get(key) is None:
        return None
    try:
        return read_decimal(fields[key])
    except ValueError as err:
        raise WorldError(f"{where}.{key}: a number is expected") from err


def date_in(fields: Mapping[str, Any], key: str, where: str) -> date | None:
    if fields.get(key) is None:
        return None
    try:
        return read_date(fields[key])
    except (ValueError, OverflowError, OSError) as err:
        raise WorldError(f"{where}.{key}: a date is expected") from err


def moment_in(fields: Mapping[str, Any], key: str, where: str) -> datetime | None:
    if fields.get(key) is None:
        return None
    try:
        at = datetime.fromisoformat(str(fields[key]))
    except ValueError as err:
        raise WorldError(f"{where}.{key}: a date and time is expected") from err
    return at if at.tzinfo else at.replace(tzinfo=BERLIN)


def flag_in(fields: Mapping[str, Any], key: str, where: str, default: bool) -> bool:
    if fields.get(key) is None:
        return default
    try:
        return read_flag(fields[key])
    except ValueError as err:
        raise WorldError(f"{where}.{key}: true or false is expected") from err


def now() -> datetime:
    """Return the present moment, to the second that sevdesk shows and the fraction that a search
    lag needs."""
    return datetime.now(UTC)
