"""An OpenAPI file, and whether an exchange fits it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import (
    OAS30ReadValidator,
    OAS30WriteValidator,
    OAS31Validator,
    oas30_format_checker,
    oas31_format_checker,
)
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4, DRAFT202012

from tests.contract.recording import Exchange

MISSING = object()
"""Stands for a key that the file does not have."""


Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Wrong:
    """Something that stands in the description and is not so.

    `found` must stand there still, or this is out of date. `instead` may be MISSING.
    """

    at: Keys
    found: Any
    instead: Any
    reason: str

    def __str__(self) -> str:
        return " > ".join(map(str, self.at))

    def apply(self, document: Any) -> None:
        *folders, key = self.at
        node = document
        for folder in folders:
            node = node[folder]
        stands = node.get(key, MISSING) if isinstance(node, dict) else node[key]
        assert stands == self.found, f"{self}: the file says {stands!r} now"
        if self.instead is MISSING:
            del node[key]
        else:
            node[key] = copy.deepcopy(self.instead)


@dataclass(frozen=True)
class Undescribed:
    """A path, or query parameters of a described GET, that the description leaves out."""

    path: str
    parameters: tuple[str, ...]
    reason: str
    is_whole_path: bool = False

    def __str__(self) -> str:
        return f"GET {self.path} ({', '.join(self.parameters)})"

    def apply(self, document: Any) -> None:
        if self.is_whole_path:
            assert self.path not in document["paths"], f"{self}: the file describes it now"
            rows = {"type": "object", "properties": {"objects": {"type": "array"}}}
            answer = {"description": "", "content": {"application/json": {"schema": rows}}}
            document["paths"][self.path] = {"get": {"parameters": [], "responses": {"200": answer}}}
        parameters = document["paths"][self.path]["get"].setdefault("parameters", [])
        for name in self.parameters:
            known = [parameter.get("name") for parameter in parameters]
            assert name not in known, f"{self}: the file describes {name} now"
            parameters.append({"name": name, "in": "query", "schema": {"type": "string"}})


@dataclass(frozen=True)
class Bare:
    """A described answer that really comes inside `objects`.

    Without this the described model, which requires little, would accept any answer.
    """

    path: str
    status: str
    reason: str

    def __str__(self) -> str:
        return f"POST {self.path} -> {self.status}"

    def apply(self, document: Any) -> None:
        answer = document["paths"][self.path]["post"]["responses"][self.status]
        content = answer["content"]["application/json"]
        bare = content["schema"]
        assert "$ref" in bare, f"{self}: the file describes another answer now"
        content["schema"] = {
            "type": "object",
            "required": ["objects"],
            "properties": {"objects": bare},
        }


KnownError = Wrong | Undescribed | Bare


class Description:
    """A published description, with its known errors corrected."""

    def __init__(self, document: Any, base: str, known_errors: Iterable[KnownError] = ()) -> None:
        self._document = copy.deepcopy(document)
        for known in known_errors:
            known.apply(self._document)
        self._base = base
        self._is_31 = self._document["openapi"].startswith("3.1")
        specification = DRAFT202012 if self._is_31 else DRAFT4
        resource = Resource(contents=self._document, specification=specification)
        self._registry: Any = Registry().with_resource("description:", resource)
        self._paths = [
            (re.compile(re.sub(r"\\\{[^/]+?\\\}", "([^/]+)", re.escape(path))), path)
            for path in sorted(self._document["paths"], key=_openness)
        ]

    def problems(self, exchange: Exchange) -> list[str]:
        """Return what does not fit, each with its place; empty when all does."""
        return [f"{exchange}: {problem}" for problem in self._problems(exchange)]

    def _problems(self, exchange: Exchange) -> Iterator[str]:
        path = exchange.path.removeprefix(self._base)
        found = next(((t, m) for p, t in self._paths if (m := p.fullmatch(path))), None)
        if found is None:
            yield "the path is not described"
            return
        template, match = found
        described = self._document["paths"][template]
        operation = described.get(exchange.method.lower())
        if operation is None:
            yield f"{template} has no {exchange.method}"
            return
        pointer = f"paths/{_escaped(template)}/{exchange.method.lower()}"
        parameters = [*described.get("parameters", []), *operation.get("parameters", [])]
        values = dict(zip(re.findall(r"\{(.+?)\}", template), match.groups(), strict=True))
        yield from self._parameters(parameters, "path", list(values.items()))
        yield from self._parameters(parameters, "query", exchange.query)
        yield from self._request_body(operation, pointer, exchange)
        yield from self._answer(operation, pointer, exchange)

    def _parameters(
        self, parameters: list[Any], place: str, sent: list[tuple[str, str]]
    ) -> Iterator[str]:
        known = {p["name"]: p for p in map(self._resolved, parameters) if p["in"] == place}
        for name, parameter in known.items():
            if parameter.get("required") and name not in dict(sent):
                yield f"{place} parameter {name} is required"
        for name, value in sent:
            if name not in known:
                yield f"{place} parameter {name} is not described"
                continue
            schema = known[name]["schema"]
            for error in self._validator(schema, is_write=True).iter_errors(_typed(value, schema)):
                yield f"{place} parameter {name}: {error.message}"

    def _request_body(self, operation: Any, pointer: str, exchange: Exchange) -> Iterator[str]:
        content = self._resolved(operation.get("requestBody", {})).get("content", {})
        if not content:
            if exchange.request_body:
                yield "a body is not described"
            return
        if exchange.request_type not in content:
            yield f"request of type {exchange.request_type!r}, described: {sorted(content)}"
        elif exchange.request_type == "application/json":
            schema = {
                "$ref": f"description:#/{pointer}/requestBody/content/application~1json/schema"
            }
            validator = self._validator(schema, is_write=True)
            yield from _told(validator, json.loads(exchange.request_body), "request")

    def _answer(self, operation: Any, pointer: str, exchange: Exchange) -> Iterator[str]:
        status = str(exchange.status)
        if status not in operation["responses"]:
            yield f"answer {status} is not described"
            return
        content = self._resolved(operation["responses"][status]).get("content", {})
        if not content:
            return
        if exchange.answer_type not in content:
            yield f"answer of type {exchange.answer_type!r}, described: {sorted(content)}"
            return
        kind = _escaped(exchange.answer_type)
        schema = {"$ref": f"description:#/{pointer}/responses/{status}/content/{kind}/schema"}
        yield from _told(self._validator(schema, is_write=False), exchange.answer(), "answer")

    def _resolved(self, node: Any) -> Any:
        while "$ref" in node:
            found = self._document
            for key in node["$ref"].removeprefix("#/").split("/"):
                found = found[key.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def _validator(self, schema: Any, *, is_write: bool) -> Any:
        if self._is_31:
            return OAS31Validator(
                schema, registry=self._registry, format_checker=oas31_format_checker
            )
        kind = OAS30WriteValidator if is_write else OAS30ReadValidator
        return kind(schema, registry=self._registry, format_checker=oas30_format_checker)


def _openness(path: str) -> tuple[int, int]:
    """Order paths so that the one with more fixed letters is tried first."""
    return path.count("{"), -len(path)


def load(folder: Path, name: str) -> Any:
    return yaml.load((folder / name).read_bytes(), Loader=yaml.CSafeLoader)


def _told(validator: Any, instance: Any, what: str) -> Iterator[str]:
    for error in validator.iter_errors(instance):
        place = "/".join(map(str, error.absolute_path))
        yield f"{what} /{place}: {error.message[:200]}"


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _typed(value: str, schema: Any) -> Any:
    """Return a parameter's text as the type that its schema names."""
    kind = schema.get("type")
    if kind == "array":
        return value.split(",")
    if kind in {"integer", "number"} and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return int(value) if kind == "integer" and "." not in value else float(value)
    return value
