"""How each of Cobot's APIs writes an answer and a refusal."""

import json
from typing import Any

from flask import Response, request

from tests.simulator.checks import Json
from tests.simulator.cobot.access import Refusal

JSON_API = "application/vnd.api+json"


def plain(value: object, status: int = 200) -> Response:
    """Return an answer of API 1."""
    return Response(json.dumps(value), status, content_type="application/json")


def document(value: object, status: int = 200) -> Response:
    """Return an answer of API 2."""
    return Response(json.dumps(value), status, content_type=JSON_API)


def plain_refusal(refusal: Refusal) -> Response:
    """Return a refusal as API 1 writes it: an object of field and message."""
    return _with_wait(plain({"errors": refusal.errors}, refusal.status), refusal)


def document_refusal(refusal: Refusal) -> Response:
    """Return a refusal as API 2 writes it: a list of errors, each with what is wrong."""
    errors = []
    for field, detail in refusal.errors.items():
        error: Json = {"status": str(refusal.status), "detail": detail}
        if field != "base":
            error["source"] = {"parameter": field}
        errors.append(error)
    return _with_wait(document({"errors": errors}, refusal.status), refusal)


def body_fields() -> Json:
    """Return the body of a call to API 1: a JSON object or a form.

    Raises Refusal for anything else.
    """
    if not request.is_json:
        return request.form.to_dict()
    body: Any = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refusal(400, "is not a JSON object")
    return body


def _with_wait(response: Response, refusal: Refusal) -> Response:
    if refusal.retry_after_seconds:
        response.headers["Retry-After"] = str(refusal.retry_after_seconds)
    return response
