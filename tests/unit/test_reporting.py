"""Reports of errors: off without an address, and nothing in them that a log line may not hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from portal.crypto import Sealer
from portal.logs import configure_logging, tracing
from portal.reporting import configure_reporting
from tests.conftest import TOKEN_KEY, test_config

PLANTED = ["demo-secret", "opened-token-of-a-space", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "Mia\r\n"]


class Kept(Transport):
    """Takes reports and sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        if event is not None:
            self.events.append(dict(event))


@pytest.fixture
def kept() -> Iterator[Kept]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    transport = Kept()
    config = test_config(sentry_dsn="https://public@reports.example/1", log_level="INFO")
    configure_logging(config)
    root.handlers[0].stream = io.StringIO()  # type: ignore[attr-defined]
    configure_reporting(config, release="1", transport=transport)
    yield transport
    sentry_sdk.get_global_scope().set_client(None)
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def fail(text: str) -> None:
    local = text  # noqa: F841 a local variable must not be reported
    raise RuntimeError(f"it said {text}")


def test_errors_are_reported_without_secrets(kept: Kept) -> None:
    Sealer([TOKEN_KEY]).seal("opened-token-of-a-space", context="space|1|cobot_token")
    log = structlog.get_logger("portal.test")
    for planted in PLANTED:
        with tracing(request_id="request-1", job_id="job-1"):
            try:
                fail(planted)
            except RuntimeError:
                log.exception("unexpected error", space=7, api_token=planted, facts=[planted])
        log.error(f"a line with {planted}", authorization=planted)
        logging.getLogger("library").error("it said %s", planted)
    assert len(kept.events) == 3 * len(PLANTED)
    text = json.dumps(kept.events, default=str, ensure_ascii=False)
    assert [planted for planted in PLANTED if planted in text] == []
    assert "it said …" in text
    first = kept.events[0]
    assert first["tags"] == {"request_id": "request-1", "job_id": "job-1", "space": "7"}
    frames = first["exception"]["values"][0]["stacktrace"]["frames"]
    assert all("vars" not in frame for frame in frames)
    assert "request" not in first
    assert not first.get("server_name")


def test_what_is_no_error_is_not_reported(kept: Kept) -> None:
    structlog.get_logger("portal.test").warning("tried again later")
    logging.getLogger("library").warning("tried again later")
    assert kept.events == []


def test_nothing_is_reported_without_an_address() -> None:
    configure_reporting(test_config(), release="1")
    assert not sentry_sdk.is_initialized()
    configure_reporting(test_config(sentry_dsn=""), release="1")
    assert not sentry_sdk.is_initialized()
