"""Settings that cannot be used are named, all at once, and never with their value."""

from __future__ import annotations

import pytest

from portal.config import ConfigError, load_config
from tests.conftest import test_config as config_of


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("database_url", "", "must be an address"),
        ("database_url", "geheim", "must be an address"),
        ("database_url", "mysql://u:geheim@h/db", "must be an address"),
        ("database_url", "postgresql+asyncpg://u:geheim@h/db", "must be an address"),
        ("database_url", "postgresql://u:geheim@h:abc/db", "must be an address"),
        ("database_url", "postgresql://u:ge[heim@h/db", "%5B"),
        ("database_url", "postgresql://u:ge]heim@h/db", "%5B"),
        ("database_url", "sqlite://geheim.db", "must be an address"),
        ("migrations_database_url", "geheim", "must be an address"),
        ("migrations_database_url", "postgresql://u:ge[heim@h/db", "%5B"),
        ("redis_url", "", "must be an address"),
        ("redis_url", "geheim", "must be an address"),
        ("redis_url", "http://geheim", "must be an address"),
        ("redis_url", "redis://u:geheim@h:abc/0", "must be an address"),
        ("redis_url", "redis://h:6379/0?db=geheim", "must be an address"),
        ("redis_url", "redis://:ge[heim@h:6379/0", "%5B"),
    ],
)
def test_an_address_that_cannot_be_used_is_named_without_its_password(
    name: str, value: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(**{name: value}, public_url="nowhere")
    [line] = [one for one in str(refused.value).splitlines() if f"  {name.upper()}: " in one]
    assert said in line
    assert "PUBLIC_URL: must be" in str(refused.value), "all that is wrong is named at once"
    assert "heim" not in str(refused.value)
    assert "abc" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", "sqlite://"),
        ("database_url", "sqlite:///portal.db"),
        ("database_url", "sqlite:////srv/portal/portal.db"),
        ("database_url", "postgres://u:p%5Bw@h/db"),
        ("database_url", "postgresql://u:p@[::1]:5432/db?sslmode=require"),
        ("database_url", "postgresql+psycopg://u:p@h/db"),
        ("database_url", "postgresql:///db?host=/run/postgresql"),
        ("migrations_database_url", ""),
        ("redis_url", "redis://h"),
        ("redis_url", "rediss://u:p%5Bw@h:6380/1"),
        ("redis_url", "unix:///run/valkey.sock?db=1"),
    ],
)
def test_every_address_that_works_is_taken(name: str, value: str) -> None:
    config = config_of(**{name: value})
    assert "p%5Bw" not in value or "p[w" in config.secrets, "both spellings are kept out of logs"
