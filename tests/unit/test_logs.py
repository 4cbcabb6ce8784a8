"""Log lines: one each whatever is in them, followed by request and job, and no secret in any."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from portal import redaction
from portal.config import Config
from portal.crypto import Sealer
from portal.logs import configure_logging, new_request_id, start_tracing, tracing
from tests.conftest import ROOT, TOKEN_KEY, test_config

NASTY = [
    'Mia\r\n{"event": "forged", "level": "info"}',
    "Mia\n2026-01-01 [info] forged",
    "Mia\x1b[2K\x1b[1A forged",
    "Mia\u2028forged\u0085forged\x9b1A",
    "Mia \u202egnirts",
    "<script>alert(1)</script>",
    "Mia\x00\x07",
]
HEX_TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
HOOK_SECRET = "kJ8_vQ2-" + 34 * "x" + "Z"

Written = Callable[[], list[str]]


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Written]]:
    """Begin to log with these settings; return a function that gives the lines so far."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    hook = sys.excepthook

    def begin(**settings: Any) -> Written:
        configure_logging(test_config(log_level="DEBUG", **settings))
        stream = io.StringIO()
        root.handlers[0].stream = stream  # type: ignore[attr-defined]
        return lambda: stream.getvalue().split("\n")[:-1]

    yield begin
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    root.handlers, root.level, sys.excepthook = before, level, hook
    monkeypatch.undo()


def forge(_name: str) -> None:
    raise ValueError(_name)


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_people_are_called_never_makes_a_line(
    write: Callable[..., Written], name: str, log_format: str
) -> None:
    lines = write(log_format=log_format)
    log = structlog.get_logger("test")
    log.info("member read", name=name, parts=[name, {"deep": name, name: 1}])
    log.info(name)
    logging.getLogger("library").warning("it said %s", name)
    written = lines()
    assert len(written) == 3
    assert all(line.isprintable() for line in written)
    if log_format == "json":
        events = [json.loads(line) for line in written]
        assert [event["level"] for event in events] == ["info", "info", "warning"]
        assert events[0]["event"] == "member read"


@pytest.mark.parametrize("name", NASTY)
def test_tracebacks_keep_to_their_own_line(write: Callable[..., Written], name: str) -> None:
    lines = write(log_format="json")
    try:
        forge(name)
    except ValueError:
        structlog.get_logger("test").exception("unexpected error")
    [line] = lines()
    assert "ValueError" in json.loads(line)["exception"]
    assert line.isprintable()
    lines = write(log_format="console")
    try:
        forge(name)
    except ValueError:
        structlog.get_logger("test").exception("unexpected error")
    first, *rest = lines()
    assert "unexpected error" in first
    assert rest
    assert all(line.startswith("  | ") for line in rest)


def test_no_secret_is_written(write: Callable[..., Written]) -> None:
    opened = "sk-live-of-a-space"
    Sealer([TOKEN_KEY]).seal(opened, context="space|1|cobot_token")
    lines = write(
        log_format="json",
        metrics_token="metrics-token-of-the-tests",
        database_url="postgresql://portal:pg-password@db/portal",
        migrations_database_url="postgresql://owner:owner%2Fpassword@db/portal",
        redis_url="rediss://queue.example/0?db=1&password=queue%2Fpassword",
        secret_key_fallbacks="former-secret-key",
        sentry_dsn="https://public-key@reports.example/1",
    )
    log = structlog.get_logger("test")
    known = [
        "owner%2Fpassword",
        "owner/password",
        "queue%2Fpassword",
        "queue/password",
        "former-secret-key",
        "https://public-key@reports.example/1",
        "test-secret-key-of-the-tests",
        TOKEN_KEY,
        "demo-secret",
        "metrics-token-of-the-tests",
        "pg-password",
        opened,
        HEX_TOKEN,
        HOOK_SECRET,
    ]
    for secret in known:
        log.warning(f"said {secret}", url=f"https://x/hooks/cobot/{secret}/created_invoice")
        facts = {"list": [f"Bearer {secret}"], secret: 1}
        log.warning("deep", facts=facts, error=ValueError(secret))
        logging.getLogger("library").error("it said %s", secret)
        try:
            forge(secret)
        except ValueError:
            log.exception("failed")
    for name in ("Authorization", "X-CSRFToken", "api_token", "client_secret", "Set-Cookie"):
        log.warning("headers", **{name: "shown-nowhere"}, headers={name: "shown-nowhere"})
    text = "\n".join(lines())
    assert [secret for secret in [*known, "shown-nowhere"] if secret in text] == []
    assert "created_invoice" in text, "what is no secret stays"


def test_an_id_of_cobot_is_no_token(write: Callable[..., Written]) -> None:
    """It is 32 hex digits as well (examples in Cobot's API docs), and support looks for it; where
    such a field holds a known secret, that is blotted out all the same."""
    remote_id, known = "cc7e75473a6911587b63d78f4e3f8eba", "a9f6bcbed420c37539fa1257e66fd66b"
    lines = write(log_format="json", metrics_token=known)
    log = structlog.get_logger("test")
    with tracing(request_id=remote_id):
        log.info("hooks kept", hooks=[{"remote_id": remote_id, "request_id": known}], other=known)
        log.info("taken in", remote_id=remote_id)
    first, second = map(json.loads, lines())
    assert first["hooks"] == [{"remote_id": remote_id, "request_id": "…"}]
    assert (first["request_id"], first["other"]) == (remote_id, "…")
    assert second["remote_id"] == remote_id


def test_secrets_in_addresses_are_seen_by_their_place() -> None:
    cleaned = redaction.clean_text("GET /hooks/cobot/short/created_invoice redis://user:pw@host/0")
    assert cleaned == "GET /hooks/cobot/…/created_invoice redis://…@host/0"


def test_only_so_many_secrets_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "MOST_REMEMBERED", 3)
    monkeypatch.setattr(redaction, "_remembered", type(redaction._remembered)())
    for number in range(5):
        redaction.remember_secret(f"secret-number-{number}")
    assert list(redaction._remembered) == [f"secret-number-{number}" for number in (2, 3, 4)]


def test_secrets_that_begin_alike_are_all_blotted_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "MOST_REMEMBERED", 2)
    monkeypatch.setattr(redaction, "_remembered", type(redaction._remembered)())
    monkeypatch.setattr(redaction, "_begins", type(redaction._begins)())
    for end in ("one", "two", "three"):
        redaction.remember_secret(f"same-begin-{end}")
        redaction.remember_secret(f"same-begin-{end}")
    assert redaction.clean_text("x same-begin-two, same-begin-three") == "x …, …"
    assert redaction.clean_text("same-begin-one") == "same-begin-one", "forgotten"
    redaction.remember_secret("another-1")
    redaction.remember_secret("another-2")
    assert set(redaction._begins) == {"another-"}


def test_a_text_that_was_clean_is_looked_at_again_after_a_new_secret() -> None:
    assert redaction.clean_text("it says later-secret") == "it says later-secret"
    redaction.remember_secret("later-secret")
    assert redaction.clean_text("it says later-secret") == "it says …"
    assert redaction.clean_text("it was settings-secret") == "it was settings-secret"
    redaction.never_write("settings-secret")
    assert redaction.clean_text("it was settings-secret") == "it was …"


class Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("broken", [Full(), closed(), None])
def test_a_line_that_cannot_be_written_ends_nothing(
    write: Callable[..., Written], broken: io.StringIO | None
) -> None:
    lines = write(log_format="json")
    out = logging.getLogger().handlers[0]
    log = structlog.get_logger("test")
    log.info("before")
    stream, out.stream = out.stream, broken  # type: ignore[attr-defined]
    log.info("lost")
    out.stream = stream  # type: ignore[attr-defined]
    log.info("after")
    assert [json.loads(line)["event"] for line in lines()] == ["before", "after"]


def test_logging_begins_anew_when_the_last_stream_is_closed(
    write: Callable[..., Written],
) -> None:
    write(log_format="json")
    logging.getLogger().handlers[0].stream = closed()  # type: ignore[attr-defined]
    lines = write(log_format="json")
    structlog.get_logger("test").info("again")
    assert len(lines()) == 1


def test_lines_name_the_request_and_the_job(write: Callable[..., Written]) -> None:
    lines = write(log_format="json")
    log = structlog.get_logger("test")
    start_tracing("request-1")
    log.info("in the request")
    with tracing(job_id="job-1", request_id=None):
        log.info("in the job")
        with tracing(request_id="request-2"):
            log.info("of another request")
    log.info("after it")
    seen = [(one.get("request_id"), one.get("job_id")) for one in map(json.loads, lines())]
    assert seen == [
        ("request-1", None),
        ("request-1", "job-1"),
        ("request-2", "job-1"),
        ("request-1", None),
    ]


def test_request_ids_do_not_repeat() -> None:
    assert len({new_request_id() for _ in range(1000)}) == 1000


def test_what_ends_a_process_is_a_line_too() -> None:
    code = (
        "from portal.logs import configure_logging\n"
        "from tests.conftest import test_config\n"
        "configure_logging(test_config(log_format='json'))\n"
        "raise RuntimeError('demo-secret\\nforged')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    said = json.loads(line)
    assert said["event"] == "the process ends"
    assert "demo-secret" not in line


def test_all_secrets_of_the_settings_are_known() -> None:
    """A new setting that holds a secret must be added to Config.secrets."""
    secret = {
        name
        for name, field in Config.model_fields.items()
        if "SecretStr" in str(field.annotation) and not name.endswith("_url")
    }
    values = {name: f"value-of-{name}-0123456789" for name in secret}
    config = test_config(
        **{
            **values,
            "token_keys": TOKEN_KEY,
            "database_url": "postgresql://u:of-the-database@h/p",
            "redis_url": "redis://:of-the-queue@h/0",
        }
    )
    wanted = {value for name, value in values.items() if name != "token_keys"}
    assert set(config.secrets) == wanted | {TOKEN_KEY, "of-the-database", "of-the-queue"}
