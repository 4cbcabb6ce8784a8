"""Keeps what goes over the line, request beside answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from portal.transport import Sessions


@dataclass(frozen=True)
class Exchange:
    method: str
    url: str
    request_headers: dict[str, str]
    request_body: bytes
    status: int
    answer_type: str
    answer_body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.url).query, keep_blank_values=True)

    @property
    def request_type(self) -> str:
        return self.request_headers.get("Content-Type", "").partition(";")[0]

    def answer(self) -> Any:
        return json.loads(self.answer_body)

    def __str__(self) -> str:
        return f"{self.method} {self.url} -> {self.status}"


class RecordingSessions(Sessions):
    """The product's own sessions, with a note of every exchange."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        super().__init__("Cobot-sevdesk-Portal by its contract tests")

    def _make(self) -> requests.Session:
        session = super()._make()
        session.hooks["response"].append(self._note)
        return session

    def _note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        request = response.request
        assert request.method is not None
        assert request.url is not None
        sent = request.body or b""
        self.exchanges.append(
            Exchange(
                method=request.method,
                url=request.url,
                request_headers=dict(request.headers),
                request_body=sent if isinstance(sent, bytes) else str(sent).encode(),
                status=response.status_code,
                answer_type=response.headers.get("Content-Type", "").partition(";")[0],
                answer_body=response.content,
            )
        )
