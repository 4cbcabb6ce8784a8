"""Errors to Sentry, or to whatever speaks its protocol. Without SENTRY_DSN nothing is sent.

Reported is what is logged as an error, after the same cleaning as the log lines. Local variables,
requests and headers are never sent along: they hold tokens and names.
"""

from __future__ import annotations

from typing import Any

import sentry_sdk
import structlog
from sentry_sdk.transport import Transport

from portal.config import Config
from portal.redaction import clean

LEVELS = {"error": "error", "exception": "error", "critical": "fatal"}
TAGS = ("request_id", "job_id", "space", "invoice", "member", "ref", "reference")
"""Values of a line that reports can be searched by; ids all of them."""
_IDS_OF_SENTRY = {"event_id", "timestamp", "contexts", "trace_id"}
"""Sentry's own, made of hex digits: they look like tokens."""


def configure_reporting(
    config: Config, *, release: str, transport: type[Transport] | Transport | None = None
) -> None:
    """Begin to report errors, if the settings name a place for them."""
    if config.sentry_dsn is None:
        return
    sentry_sdk.init(
        dsn=config.sentry_dsn.get_secret_value(),
        release=release,
        environment=config.sentry_environment,
        transport=transport,
        # None of its integrations: they would collect requests, headers and queries. Personal data
        # are off by default.
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        server_name="",
        traces_sample_rate=None,
        auto_session_tracking=False,
        before_send=_before_send,
    )


def report(_logger: Any, method: str, event: structlog.typing.EventDict) -> Any:
    """Report a line that is an error; a step in the chain of all log lines."""
    level = LEVELS.get(event.get("level") or method)
    name = str(event.get("logger", ""))
    if level is None or not sentry_sdk.is_initialized() or name.startswith("sentry_sdk"):
        return event
    values = {key: value for key, value in event.items() if not key.startswith("_")}
    error = values.pop("exc_info", None)
    with sentry_sdk.new_scope() as scope:
        scope.set_level(level)  # type: ignore[arg-type]
        for tag in TAGS:
            if tag in values:
                scope.set_tag(tag, str(values[tag]))
        scope.set_context("line", clean(values))
        if error:
            sentry_sdk.capture_exception(None if error is True else _exception(error))
        else:
            sentry_sdk.capture_message(str(values.get("event", "")))
    return event


def _exception(error: Any) -> Any:
    return error if isinstance(error, BaseException | tuple) else None


def _before_send(event: Any, _hint: Any) -> Any:
    """Clean all of a report, whatever part of it a value stands in."""
    cleaned = {
        name: value if name in _IDS_OF_SENTRY else clean(value) for name, value in event.items()
    }
    cleaned["contexts"] = {
        name: value if name == "trace" else clean(value)
        for name, value in event.get("contexts", {}).items()
    }
    cleaned.pop("modules", None)
    return cleaned
