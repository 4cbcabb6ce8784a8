"""Fixtures for everything that needs the application: a migrated database, a queue, a client.

SQLite in a temporary folder, or PostgreSQL when TEST_DATABASE_URL names a server; never a mock of
our own code.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import TypeVar
from zoneinfo import available_timezones

import psycopg
import pytest
from flask import Flask, has_request_context
from flask.testing import FlaskClient
from flask_migrate import upgrade
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import select, text

from portal import tenancy
from portal.config import Config
from portal.core import PACKAGE, create_core
from portal.database import Base, db
from portal.embedded import EmbeddedValkey
from portal.supervisor import Supervisor

ROOT = Path(__file__).resolve().parent.parent
TESTS = str(ROOT / "tests") + os.sep
OURS = (TESTS, str(PACKAGE) + os.sep, str(ROOT / "jobs") + os.sep)
BETWEEN = tuple(str(PACKAGE / name) for name in ("database.py", "spaceguard.py", "tenancy.py"))
"""Ours, but not who asks the database."""
entered_reach = tenancy.current_reach


class Unentered(tenancy.Reach):
    """No space was entered: each statement must still carry one, whichever."""

    @property
    def is_all(self) -> bool:
        return False

    def holds(self, space_ids: Iterable[int | None]) -> bool:
        return None not in tuple(space_ids)


UNENTERED = Unentered(reason="a test prepares")
Model = TypeVar("Model", bound=Base)
TOKEN_KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


LONG_STORIES = "tests/e2e/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long stories first, in whatever order the rest is: no process waits for one at
    the end. The order is shuffled before this."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG_STORIES))


class CompiledTemplates(BytecodeCache):
    """Keeps what templates were compiled to, by their source, for every application to come."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._kept[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def _templates_compiled_once() -> Iterator[None]:
    """Each test has an application of its own; compiling the same pages for all of them took a
    third of a test's time."""
    with pytest.MonkeyPatch.context() as patch:
        options = {**Flask.jinja_options, "bytecode_cache": CompiledTemplates()}
        patch.setattr(Flask, "jinja_options", options)
        yield


@pytest.fixture(scope="session", autouse=True)
def _zones_looked_up_once() -> Iterator[None]:
    """Each test has settings of its own; the names of the zones are a walk through a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portal.config.available_timezones", cache(available_timezones))
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's .env and environment out of the tests."""
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setitem(Config.model_config, "env_file", None)


def reach_of_caller() -> tenancy.Reach:
    """Return all spaces where a test asks the database itself; else what the product entered."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _asks(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is not None and frame.f_code.co_filename.startswith(TESTS):
        return tenancy.Reach(reason="a test looks")
    entered = entered_reach()
    # A test may call a service itself to prepare something; a request enters as it always does.
    return entered if entered.is_somewhere or has_request_context() else UNENTERED


def _asks(filename: str) -> bool:
    """True for the code of a test or of the product; between both and the guard is SQLAlchemy."""
    if filename == __file__:
        return False
    return filename.startswith(OURS) and not filename.startswith(BETWEEN)


@pytest.fixture(autouse=True)
def _tests_look_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test reads and prepares is held to no space; what it calls is, as always."""
    monkeypatch.setattr(tenancy, "current_reach", reach_of_caller)
    yield
    tenancy.leave_spaces()


@pytest.fixture(scope="session")
def translations() -> None:
    """Compile the message catalogues once, as `make setup` does."""
    folder = PACKAGE / "translations"
    if any(folder.glob("*/LC_MESSAGES/*.po")):
        subprocess.run(
            [sys.executable, "-m", "babel.messages.frontend", "compile", "-d", str(folder)],
            check=True,
            capture_output=True,
        )


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Valkey of our own."""
    folder = tmp_path_factory.mktemp("valkey")
    valkey = EmbeddedValkey.in_folder(folder)
    supervisor = Supervisor(
        folder=ROOT,
        log_folder=folder / "logs",
        lock=folder / "supervisor.lock",
        leftovers=valkey.leftovers,
    )
    supervisor.start(valkey.process())
    try:
        valkey.wait_until_up()
        yield valkey.url
    finally:
        supervisor.close()


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated, empty database to copy from: an address of SQLite or PostgreSQL."""
    server = os.environ.get("TEST_DATABASE_URL")
    if server is None:
        path = tmp_path_factory.mktemp("database") / "empty.db"
        _migrate(f"sqlite:///{path}")
        yield str(path)
        return
    name = f"portal_template_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    _migrate(_named(server, name))
    yield name
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(migrated_database: str, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own."""
    server = os.environ.get("TEST_DATABASE_URL")
    if server is None:
        path = tmp_path / "portal.db"
        shutil.copy(migrated_database, path)
        yield f"sqlite:///{path}"
        return
    name = f"portal_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{migrated_database}"')
    yield _named(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def make_config(database_url: str, redis_url: str) -> Callable[..., Config]:
    """Settings for tests; each can be overridden."""

    def make(**overrides: object) -> Config:
        return test_config(**{"database_url": database_url, "redis_url": redis_url, **overrides})

    return make


@pytest.fixture
def core_app(make_config: Callable[..., Config], translations: None) -> Iterator[Flask]:
    """The application without pages, its context pushed."""
    app = create_core(make_config())
    with app.app_context():
        yield app
        _close(app)


@pytest.fixture
def app(make_config: Callable[..., Config], translations: None) -> Iterator[Flask]:
    """The web application."""
    from portal.app import create_app

    app = create_app(make_config())
    app.testing = True
    yield app
    with app.app_context():
        _close(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_config(**overrides: object) -> Config:
    """Return settings for a test: complete, local, without limits of calls."""
    values: dict[str, object] = {
        "secret_key": "test-secret-key-of-the-tests",
        "token_keys": TOKEN_KEY,
        "database_url": "sqlite://",
        "redis_url": "unix:///nowhere.sock",
        "public_url": "http://127.0.0.1:8000",
        "cobot_client_id": "demo",
        "cobot_client_secret": "demo-secret",
        "cobot_www_url": "http://127.0.0.1:9/cobot",
        "cobot_api_url": "http://127.0.0.1:9/cobot-api",
        "cobot_space_url": "http://127.0.0.1:9/cobot-space/{subdomain}",
        "sevdesk_api_url": "http://127.0.0.1:9/sevdesk/api/v1",
        "cobot_calls_per_minute": 0,
        "sevdesk_calls_per_second": 0,
        "log_format": "console",
        "log_level": "WARNING",
    }
    return Config(**{**values, **overrides})  # type: ignore[arg-type]


test_config.__test__ = False  # type: ignore[attr-defined]


def by_id(model: type[Model], row_id: int) -> Model:
    """Return a row of whichever space, as it stands now; for the product it takes its space too."""
    return db.session.scalars(
        select(model)
        .where(model.id == row_id)  # type: ignore[attr-defined]
        .execution_options(populate_existing=True)
    ).one()


def set_migration(version: str) -> None:
    """Say that the database is at this migration."""
    as_owner("UPDATE alembic_version SET version_num = :version", version=version)


def as_owner(statement: str, **values: object) -> None:
    """Run a statement as the owner of the tables: the portal itself may not."""
    with db.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connection.execute(text(statement), values)


def _migrate(url: str) -> None:
    app = create_core(test_config(database_url=url))
    with app.app_context():
        upgrade(str(PACKAGE / "migrations"))
        _close(app)


def _close(app: Flask) -> None:
    db.session.remove()
    db.engine.dispose()
    core = app.extensions["portal"]
    core.sessions.close()
    core.queue.redis.close()


def _named(server: str, name: str) -> str:
    return server.rpartition("/")[0] + "/" + name
