"""`flask doctor` finds what is wrong with a deployment, and says it in one line each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from portal.cli_doctor import doctor_command
from portal.config import Config
from portal.core import core, create_core
from portal.crypto import new_key
from portal.database import db, utcnow
from portal.models import Space
from portal.services import health, inbox
from portal.services.doctor import Grade, examine
from tests.conftest import ROOT, as_owner, set_migration
from tests.services.conftest import Remote, announce

SECRETS = ("demo-secret", "test-secret-key-of-the-tests")


def found(grade: Grade) -> dict[str, str]:
    """Return what is said of each subject with this grade, one text each."""
    said: dict[str, list[str]] = {}
    for finding in examine():
        if finding.grade is grade:
            said.setdefault(finding.subject, []).append(finding.said)
        assert not any(secret in finding.said for secret in SECRETS)
    return {subject: "; ".join(lines) for subject, lines in said.items()}


def test_a_deployment_that_is_well(remote: Remote, alpha: Space) -> None:
    core().queue.redis.config_set("maxmemory-policy", "noeviction")
    health.beat()
    assert announce(alpha, "created_invoice", "i-1") == 202
    assert found(Grade.BROKEN) == {}
    well = found(Grade.OK)
    assert well.keys() >= {
        "settings", "database", "migration", "keys", "queue", "upkeep", "Cobot", "Cobot's API",
        "sevdesk", "clock", "hooks",
    }  # fmt: skip
    assert "all 1 connected" in well["keys"]
    assert "the latest arrived 0 minutes ago" in well["hooks"]
    warnings = found(Grade.WARNING)
    assert "this machine only" in warnings["settings"]
    assert "0 on drain" in warnings["workers"]


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="SQLite has no roles")
def test_a_role_above_row_level_security_and_a_table_without_it(
    core_app: Flask, make_config: Callable[..., Config]
) -> None:
    assert "works as portal_app" in found(Grade.OK)["role"]
    as_owner("ALTER TABLE invoice_sync NO FORCE ROW LEVEL SECURITY")
    as_owner("DROP POLICY entered_spaces ON chart")
    assert "no row level security on chart, invoice_sync" in found(Grade.BROKEN)["role"]
    app = create_core(make_config(database_role=""))
    with app.app_context():
        assert "above row level security" in found(Grade.BROKEN)["role"]
        db.session.remove()
        db.engine.dispose()


def test_a_migration_that_is_missing(core_app: Flask) -> None:
    set_migration("0001")
    assert "flask db upgrade" in found(Grade.BROKEN)["migration"]


def test_a_migration_of_a_later_release_is_a_warning(core_app: Flask) -> None:
    set_migration("9999")
    assert "migration" not in found(Grade.BROKEN)
    assert "9999" in found(Grade.WARNING)["migration"]
    assert found(Grade.OK).keys() >= {"keys", "hooks"}, "the rest is looked at all the same"


def test_a_database_and_a_queue_that_are_away(
    remote: Remote, make_config: Callable[..., Config]
) -> None:
    app = create_core(
        make_config(database_url="sqlite:////nowhere/p.db", redis_url="unix:///nowhere.sock")
    )
    with app.app_context():
        broken = found(Grade.BROKEN)
        db.engine.dispose()
    assert "DATABASE_URL" in broken["database"]
    assert "REDIS_URL" in broken["queue"]
    assert broken.keys() >= {"Cobot", "Cobot's API", "sevdesk"}, "port 9 answers nobody"


def test_a_key_that_was_lost(
    remote: Remote, alpha: Space, make_config: Callable[..., Config]
) -> None:
    app = create_core(make_config(token_keys=new_key()))
    with app.app_context():
        assert "1 of 1 connected spaces" in found(Grade.BROKEN)["keys"]
        db.session.remove()
        db.engine.dispose()


def test_a_clock_that_is_wrong(remote: Remote, alpha: Space) -> None:
    with time_machine.travel(utcnow() + timedelta(minutes=10), tick=True):
        assert "set its clock" in found(Grade.BROKEN)["clock"]
    with time_machine.travel(utcnow() + timedelta(seconds=30), tick=True):
        assert "set its clock" in found(Grade.WARNING)["clock"]


def test_a_queue_that_forgets(core_app: Flask) -> None:
    redis = core().queue.redis
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "noeviction" in found(Grade.WARNING)["queue"]
    finally:
        redis.config_set("maxmemory-policy", "noeviction")


def test_work_that_nobody_does(remote: Remote, alpha: Space) -> None:
    announce(alpha, "created_invoice", "i-1")
    inbox.take_in(alpha.id)
    core().queue.redis.set(health.UPKEEP_BEAT, str(utcnow().timestamp() - 1000))
    with time_machine.travel(utcnow() + timedelta(hours=1), tick=True):
        warnings = found(Grade.WARNING)
    assert "due for 60 minutes" in warnings["work"]
    assert "was last seen" in warnings["upkeep"]


def environment(**given: str) -> dict[str, str]:
    names = {name.upper() for name in Config.model_fields}
    kept = {key: value for key, value in os.environ.items() if key not in names}
    return {**kept, "FLASK_SKIP_DOTENV": "1", **given}


def test_missing_settings_are_its_first_finding(tmp_path: os.PathLike[str]) -> None:
    """Without settings the application cannot be loaded, and the command is found all the same."""
    ended = subprocess.run(
        [sys.executable, "-m", "flask", "--app", f"{ROOT}/wsgi.py", "doctor"],
        cwd=tmp_path,
        env=environment(SECRET_KEY="short"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout.startswith("BROKEN  settings")
    assert "TOKEN_KEYS: is missing" in ended.stdout
    assert "SECRET_KEY: needs 16 characters or more" in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("words", [["doctor"], ["spaces", "list"]])
def test_addresses_that_cannot_be_read_are_named_and_there_is_no_traceback(
    tmp_path: os.PathLike[str], words: list[str]
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "flask", "--app", f"{ROOT}/wsgi.py", *words],
        cwd=tmp_path,
        env=environment(
            SECRET_KEY="test-secret-key-of-the-tests",
            TOKEN_KEYS=new_key(),
            DATABASE_URL="postgresql://u:ge[heim@h/db",
            REDIS_URL="http://geheim",
            PUBLIC_URL="https://portal.example",
            COBOT_CLIENT_ID="demo",
            COBOT_CLIENT_SECRET="demo-secret",
        ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "Traceback" not in said
    assert "DATABASE_URL: " in said
    assert "REDIS_URL: " in said
    assert "heim" not in said


def test_the_exit_code_says_whether_something_is_broken(
    core_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.cli_doctor.create_core", lambda: core_app)
    runner = core_app.test_cli_runner()
    well = runner.invoke(doctor_command)
    assert well.exit_code == 0, well.output
    assert well.output.startswith("ok      settings")
    set_migration("0001")
    assert runner.invoke(doctor_command).exit_code == 1
