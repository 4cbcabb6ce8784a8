"""The settings: read from the environment once, typed, frozen.

A missing or wrong one stops the start; all of them are named at once.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import time
from functools import cached_property
from typing import Annotated, Literal
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from redis.connection import parse_url
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from portal.errors import PortalError

FEWEST_LOOKS = 3
"""So many empty looks at the least stand before a second write."""
LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1"}
DATABASES = {"sqlite", "postgres", "postgresql", "postgresql+psycopg"}
"""What an address of the database may begin with: the drivers that we ship."""


class ConfigError(PortalError):
    """The settings are incomplete or wrong; the message names each one and what to do."""


class Config(BaseSettings):
    """Every setting of the portal. The names are those of the environment, in upper case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    secret_key: Annotated[SecretStr, Field(min_length=16)]
    secret_key_fallbacks: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Former values of SECRET_KEY: what they signed is still taken, nothing new is signed."""
    token_keys: Annotated[tuple[SecretStr, ...], NoDecode]
    """Keys of 32 bytes, base64; the first encrypts, all decrypt."""
    database_url: SecretStr
    migrations_database_url: SecretStr | None = None
    """Who owns the tables, when DATABASE_URL is of somebody who only works with them."""
    database_role: str = Field(default="portal_app", pattern="^[a-z_][a-z0-9_]{0,50}$|^$")
    """On PostgreSQL: what the portal becomes after it has connected; empty: stay as it is."""
    redis_url: SecretStr
    public_url: str
    """The portal's own address; callback addresses are built from it, never from the Host."""
    cobot_client_id: str
    cobot_client_secret: SecretStr

    cobot_www_url: str = "https://www.cobot.me"
    cobot_api_url: str = "https://api.cobot.me"
    cobot_space_url: str = "https://{subdomain}.cobot.me"
    sevdesk_api_url: str = "https://my.sevdesk.de/api/v1"

    proxy_hops: int = Field(default=0, ge=0, le=10)
    """How many proxies of our own stand before the portal; only what they say is believed."""
    support_user_ids: Annotated[frozenset[str], NoDecode] = frozenset()
    default_locale: Literal["de", "en"] = "de"
    timezone: str = "Europe/Berlin"
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    """Who sends it may read /metrics; without one the page does not exist."""
    sentry_dsn: SecretStr | None = None
    """Where errors are reported to; nowhere without one."""
    sentry_environment: str = "production"

    cobot_calls_per_minute: int = Field(default=55, ge=0)
    """Per Cobot user and endpoint; 0 lifts the limit."""
    sevdesk_calls_per_second: float = Field(default=2, ge=0)
    """Per sevdesk token; 0 lifts the limit."""
    upkeep_seconds: float = Field(default=60, gt=0)
    catch_up_at: time = time(3, 30)
    retry_first_seconds: float = Field(default=30, gt=0)
    retry_max_seconds: float = Field(default=21_600, gt=0)
    give_up_after_seconds: float = Field(default=72_000, gt=0)
    looks_seconds: Annotated[tuple[float, ...], NoDecode] = (15, 120, 900)
    """When to look for a receipt whose answer was lost, counted from the lost answer."""
    chart_max_age_seconds: float = Field(default=300, ge=0)
    retention_history_years: int = Field(default=10, ge=1)
    """For so many full calendar years invoices and their history are kept."""
    retention_calls_days: int = Field(default=30, ge=0)
    """For so many days the masked requests and answers behind a history are kept."""
    retention_disconnected_days: int = Field(default=90, ge=1)
    """So long after the disconnect everything of a space is deleted, unless it wants it kept."""
    retention_inbox_days: int = Field(default=30, ge=1)
    """So long Cobot's messages are kept after they were worked off."""
    retention_support_days: int = Field(default=365, ge=1)
    """So long the looks of support at a space are kept."""
    retention_admin_days: int = Field(default=365, ge=1)
    """So long the e-mail of a person is kept who no longer signs in."""

    @field_validator("token_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("secret_key_fallbacks", mode="before")
    @classmethod
    def _split_fallbacks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("migrations_database_url", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return value or None

    @field_validator("database_url", "migrations_database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_database_address(value.get_secret_value())
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: SecretStr) -> SecretStr:
        _check_readable(value.get_secret_value())
        try:
            parse_url(value.get_secret_value())  # type: ignore[no-untyped-call]
        except ValueError:
            raise ValueError(
                "must be an address such as redis://host:6379/0, rediss://host:6379/0 or "
                "unix:///run/valkey.sock"
            ) from None
        return value

    @field_validator("token_keys")
    @classmethod
    def _check_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in value:
            try:
                length = len(base64.b64decode(key.get_secret_value(), validate=True))
            except binascii.Error:
                length = 0
            if length != 32:
                raise ValueError("each key must be 32 bytes in base64 (flask keys new makes one)")
        return value

    @field_validator("metrics_token", "sentry_dsn", mode="before")
    @classmethod
    def _nothing_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("support_user_ids", mode="before")
    @classmethod
    def _split_ids(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("looks_seconds", mode="before")
    @classmethod
    def _split_looks(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be the name of a time zone, such as Europe/Berlin")
        return value

    @field_validator("cobot_space_url")
    @classmethod
    def _check_space_url(cls, value: str) -> str:
        if "{subdomain}" not in value:
            raise ValueError("must hold {subdomain}")
        return value

    @field_validator("public_url", "cobot_www_url", "cobot_api_url", "sevdesk_api_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError("must be an address beginning with https://")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            raise ValueError("http is accepted for a loopback host only; use https")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _check_looks(self) -> Config:
        if not self.looks_seconds or list(self.looks_seconds) != sorted(self.looks_seconds):
            raise ValueError("LOOKS_SECONDS must be rising seconds, such as 15,120,900")
        if len(self.looks_seconds) < FEWEST_LOOKS:
            raise ValueError("LOOKS_SECONDS must name three looks at the least: 15,120,900")
        return self

    @cached_property
    def is_https(self) -> bool:
        """True when the portal is served over https: decides cookie name, Secure and HSTS."""
        return urlsplit(self.public_url).scheme == "https"

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Every value of the settings that must stand in no log and no report."""
        given = (
            self.secret_key,
            *self.secret_key_fallbacks,
            *self.token_keys,
            self.cobot_client_secret,
            self.metrics_token,
            self.sentry_dsn,
        )
        urls = (self.database_url, self.migrations_database_url, self.redis_url)
        values = [one.get_secret_value() for one in given if one is not None]
        for url in urls:
            values += _passwords_in(url.get_secret_value()) if url is not None else ()
        return tuple(value for value in values if value)

    @cached_property
    def remote_urls(self) -> tuple[str, ...]:
        """The base addresses of both remote sides: the only hosts that we call."""
        return (
            self.cobot_www_url,
            self.cobot_api_url,
            self.cobot_space_url,
            self.sevdesk_api_url,
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def sqlalchemy_url(self) -> str:
        """The database address with the driver that we ship."""
        return self._with_driver(self.database_url.get_secret_value())

    @cached_property
    def migrations_url(self) -> str:
        """The address that migrations use."""
        owner = self.migrations_database_url
        return self._with_driver(owner.get_secret_value()) if owner else self.sqlalchemy_url

    @staticmethod
    def _with_driver(url: str) -> str:
        for short in ("postgres://", "postgresql://"):
            if url.startswith(short):
                return "postgresql+psycopg://" + url.removeprefix(short)
        return url


def _check_database_address(url: str) -> None:
    """Raise ValueError, without the address, where the database cannot be found by it."""
    _check_readable(url)
    try:
        parts = make_url(url)
        is_usable = parts.drivername in DATABASES
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        is_usable = False
    # sqlite://portal.db names a host; a file has three strokes before it, or four.
    if not is_usable or (parts.drivername == "sqlite" and parts.host):
        raise ValueError(
            "must be an address such as postgresql://user:password@host/portal or "
            "sqlite:////srv/portal/portal.db"
        )


def _check_readable(url: str) -> None:
    """Raise ValueError, without the address, where its host cannot be told from its password."""
    try:
        urlsplit(url)
    except ValueError:
        raise ValueError(
            "cannot be read: characters such as [ ] / ? # @ have to be percent-encoded in a user "
            "name or password, [ as %5B and ] as %5D"
        ) from None


def _passwords_in(url: str) -> list[str]:
    """Return the password of an address, before the host or among its parameters, as it is written
    there and as it is meant."""
    parts = urlsplit(url)
    written = [parts.password or "", *re.findall(r"(?:^|&)password=([^&]*)", parts.query)]
    meant = parse_qs(parts.query).get("password", ())
    return [*written, *meant, *(unquote(one) for one in written if "%" in one)]


def _said(fault: ErrorDetails) -> str:
    """Return what is wrong with a setting, for who sets it."""
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "too_short" and fault["loc"][:1] == ("secret_key",):
        return f"needs {fault['ctx']['min_length']} characters or more"
    return fault["msg"].removeprefix("Value error, ")


def load_config(**overrides: object) -> Config:
    """Read the settings from the environment (and `.env`), `overrides` first.

    Raises ConfigError naming every missing and wrong setting; never a value, it may be a secret.
    """
    try:
        return Config(**overrides)  # type: ignore[arg-type]
    except ValidationError as err:
        lines = []
        for fault in err.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in fault["loc"][:1]).upper() or "settings"
            lines.append(f"  {name}: {_said(fault)}")
        raise ConfigError(
            "The portal cannot start. Set these in the environment or in .env "
            "(see .env.example):\n" + "\n".join(sorted(lines))
        ) from None
