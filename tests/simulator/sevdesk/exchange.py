"""What every call has in common: errors, bodies, paging, the envelope."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import uuid4

from flask import Response, g, jsonify, request

from tests.simulator.sevdesk.client import SevdeskClient
from tests.simulator.sevdesk.fields import read_flag

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


class ApiError(Exception):
    """A refusal; becomes sevdesk's error body."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code

    def to_response(self) -> Response:
        """Return {"error": {...}}; what was validated and refused (422) has an exceptionUUID."""
        error: dict[str, Any] = {"message": self.message}
        if self.status == 422:
            error["exceptionUUID"] = str(uuid4())
        if self.status != 422 or self.code is not None:
            error["code"] = self.code
        response = jsonify({"error": error})
        response.status_code = self.status
        return response


def bad_request(message: str) -> ApiError:
    return ApiError(400, message)


def current_client() -> SevdeskClient:
    """Return the client whose token came with the call; the blueprint has seen to it."""
    return cast(SevdeskClient, g.sevdesk_client)


def envelope(objects: object, status: int = 200) -> Response:
    response = jsonify({"objects": objects})
    response.status_code = status
    return response


def page(rows: Sequence[Mapping[str, Any]]) -> Response:
    """Return the part of the list that limit and offset name, with the total if countAll does."""
    limit = _count_in_query("limit", DEFAULT_LIMIT, least=1, most=MAX_LIMIT)
    offset = _count_in_query("offset", 0, least=0, most=None)
    body: dict[str, Any] = {"objects": list(rows[offset : offset + limit])}
    if request.args.get("countAll", "").lower() in ("true", "1"):
        body = {"total": str(len(rows)), **body}
    return jsonify(body)


def is_flag_set(name: str) -> bool:
    """Return whether the query holds the flag as 1 or true."""
    try:
        return read_flag(request.args.get(name, "0"))
    except ValueError:
        return False


def referenced_id(name: str) -> str | None:
    """Return the id of a bracket filter such as contact[id]=5."""
    return request.args.get(f"{name}[id]")


def body_of_request() -> dict[str, Any]:
    """Return the body: a JSON object, or a form with bracketed names; numbers are exact."""
    if request.mimetype == "application/x-www-form-urlencoded":
        return _nested(request.form)
    try:
        body = json.loads(request.get_data() or b"", parse_float=Decimal)
    except ValueError as err:
        raise bad_request("The request body is not valid JSON") from err
    if not isinstance(body, dict):
        raise bad_request("The request body has to be an object")
    return body


def _count_in_query(name: str, default: int, *, least: int, most: int | None) -> int:
    value = request.args.get(name)
    if value is None:
        return default
    if not re.fullmatch(r"-?\d{1,18}", value):
        raise bad_request(f"The parameter '{name}' is invalid: '{value}' is not a number")
    number = int(value)
    if number < least or (most is not None and number > most):
        span = f"at least {least}" if most is None else f"between {least} and {most}"
        raise bad_request(f"The parameter '{name}' is invalid: it has to be {span}")
    return number


def _nested(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the objects and lists that names such as voucherPosSave[0][net] spell out."""
    root: dict[str, Any] = {}
    for name, text in form.items():
        path = re.findall(r"[^\[\]]+", name)
        place = root
        for step in path[:-1]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise bad_request(f"The form field {name} contradicts another one")
        place[path[-1]] = None if text == "null" else text
    return {name: _lists(value) for name, value in root.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(each) for key, each in value.items()}
