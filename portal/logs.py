"""Log lines: one event, named values, as JSON or for the eye; secrets blotted out."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

from portal.config import Config

HIDDEN_NAMES = {
    "authorization",
    "cookie",
    "set-cookie",
    "token",
    "api_token",
    "access_token",
    "client_secret",
    "secret",
    "password",
    "x-csrftoken",
}
TOKEN_SHAPES = re.compile(r"(/hooks/cobot/|/access_tokens/)[^/\s?]+|\b[0-9a-f]{32}\b")


def _blot(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    """Replace what may be a secret, by its name or its shape, before a line is written."""
    for name, value in event.items():
        if name.lower() in HIDDEN_NAMES:
            event[name] = "…"
        elif isinstance(value, str):
            event[name] = TOKEN_SHAPES.sub(lambda hit: (hit.group(1) or "") + "…", value)
    return event


def configure_logging(config: Config) -> None:
    """Send our own lines and those of the libraries through one chain to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _blot,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if config.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(config.log_level)
    # Access lines of the HTTP libraries would repeat what our own lines say, paths included.
    for name in ("urllib3", "werkzeug", "rq", "alembic"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
