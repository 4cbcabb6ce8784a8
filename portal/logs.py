"""Log lines: one event, named values, as JSON or for the eye; nothing in them that is a secret.

A line carries who asked (`request_id`) and which job worked (`job_id`), so that the way of an
invoice can be followed from the hook to the last call.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import structlog
from dotenv import dotenv_values

from portal.config import Config
from portal.redaction import clean, is_hidden, never_write, one_line, without_secrets
from portal.reporting import report

REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
"""What a proxy of ours may give as one."""
_OURS = ("exception", "stack")
"""Values of several lines that we made ourselves."""


def new_request_id() -> str:
    return secrets.token_hex(8)


def request_id() -> str | None:
    """Return who asked for what is done now: a request, or the one that led to this job."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


@contextmanager
def tracing(**values: object) -> Iterator[None]:
    """Put these values on every line that is written in this block; None is left out."""
    given = {name: value for name, value in values.items() if value is not None}
    with structlog.contextvars.bound_contextvars(**given):
        yield


def start_tracing(request_id: str) -> None:
    """Forget what stood on the lines of this thread: a new request begins."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def end_tracing() -> None:
    structlog.contextvars.clear_contextvars()


def _may_be_written(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    """Clean every value of a line; those of structlog itself begin with an underscore."""
    for name in list(event):
        value = event.pop(name)
        if name.startswith("_"):
            event[name] = value
        elif is_hidden(name):
            event[one_line(name)] = "…"
        elif name in _OURS and isinstance(value, str):
            event[name] = "\n".join(one_line(line) for line in without_secrets(value).split("\n"))
        else:
            event[one_line(name)] = clean(value, name)
    return event


def _indented(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    """For the eye: no line of a traceback may look like the begin of a log line."""
    for name in _OURS:
        if name in event:
            event[name] = "\n".join(f"  | {line}" for line in event[name].split("\n"))
    return event


def _chain() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        report,
        structlog.processors.format_exc_info,
        _may_be_written,
    ]


def _last(log_format: str) -> list[Any]:
    if log_format == "json":
        return [structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [_indented, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]


def formatter(log_format: str) -> logging.Formatter:
    """Return the formatter of the lines of libraries and of the web server: the same chain."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *_chain()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_last(log_format),
        ],
    )


class _Lines:
    """Writes our own lines where those of the libraries go, past what `logging` does for each:
    nothing of that is shown, and a burst writes thousands."""

    disabled = False

    def __init__(self, name: str = "portal") -> None:
        self.name = name
        self.getEffectiveLevel = logging.getLogger(name).getEffectiveLevel

    def _write(self, line: str) -> None:
        _out.acquire()
        try:
            _out.stream.write(line + "\n")
            _out.flush()
        except (OSError, ValueError, AttributeError, RuntimeError):
            pass  # full, closed or not there: no reason to end what the line tells of
        finally:
            _out.release()

    debug = info = warning = error = exception = critical = _write


_out = logging.StreamHandler(sys.stderr)


def log_format() -> str:
    """Return LOG_FORMAT before the settings are read: the web server speaks first."""
    return os.environ.get("LOG_FORMAT") or dotenv_values(".env").get("LOG_FORMAT") or "json"


def configure_logging(config: Config) -> None:
    """Send our own lines and those of the libraries through one chain to standard error."""
    never_write(*config.secrets)
    structlog.configure(
        # First: a line that is not written need not be made.
        processors=[structlog.stdlib.filter_by_level, *_chain(), *_last(config.log_format)],
        logger_factory=_Lines,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _out.stream = sys.stderr  # not setStream: that flushes the one before, which may be closed
    _out.setFormatter(formatter(config.log_format))
    root = logging.getLogger()
    root.handlers = [_out]
    root.setLevel(config.log_level)
    # Access lines of the HTTP libraries would repeat what our own lines say, paths included.
    for name in ("urllib3", "werkzeug", "rq", "alembic"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    if config.log_format == "json":
        sys.excepthook = _log_the_end


def _log_the_end(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Write what ends the process as a line like all others, secrets blotted out."""
    if issubclass(kind, KeyboardInterrupt):
        return
    log = structlog.get_logger("portal")
    log.critical("the process ends", exc_info=(kind, error, traceback))
