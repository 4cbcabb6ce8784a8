"""The application without pages: what a worker needs, and what the web application builds on."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from flask import Flask, current_app
from flask_babel import Babel
from flask_migrate import Migrate

from portal.config import Config, load_config
from portal.counters import Counters
from portal.crypto import Sealer
from portal.database import db, engine_options, prepare_engine
from portal.jobqueue import JobQueue
from portal.logs import configure_logging
from portal.outbound import AllowedHosts
from portal.reporting import configure_reporting
from portal.transport import Sessions

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Core:
    """What lives as long as the process: settings, keys, queue, connections to the remote sides."""

    config: Config
    sealer: Sealer
    queue: JobQueue
    sessions: Sessions
    counters: Counters
    chart_indexes: dict[int, Any] = field(default_factory=dict)
    """Booking accounts of a space, ready for matching (portal.services.charts)."""
    open_groups: dict[int, Any] = field(default_factory=dict)
    """What holds the invoices of a space back, and its last change then (portal.services.heal)."""
    parked: dict[tuple[int, str], Any] = field(default_factory=dict)
    """What was just read of an invoice that waits for our budget (portal.services.work)."""
    hook_spaces: dict[str, Any] = field(default_factory=dict)
    """What is known of a space, by the digest of its hook secret (portal.services.webhooks)."""
    country_ids: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """sevdesk's ids of countries, for each token's digest."""
    cobot_urls: dict[int, Any] = field(default_factory=dict)
    """Cobot's own pages of a space, and when they were asked (portal.services.remote_pages)."""


def portal_version() -> str:
    """Return the version that is installed."""
    try:
        return version("cobot-sevdesk-portal")
    except PackageNotFoundError:
        return "dev"


def user_agent() -> str:
    """Return how we introduce ourselves; sevdesk asks for "name by company"."""
    return f"cobot-sevdesk-portal/{portal_version()} by cobot-sevdesk-portal"


def create_core(config: Config | None = None) -> Flask:
    """Return a Flask application with database, queue and languages, and no pages."""
    config = config or load_config()
    configure_logging(config)
    configure_reporting(config, release=portal_version())
    app = Flask(
        "portal",
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
        root_path=str(PACKAGE),
    )
    app.config.update(
        SECRET_KEY=config.secret_key.get_secret_value(),
        SECRET_KEY_FALLBACKS=[key.get_secret_value() for key in config.secret_key_fallbacks],
        SQLALCHEMY_DATABASE_URI=config.sqlalchemy_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(config.sqlalchemy_url),
        BABEL_DEFAULT_LOCALE=config.default_locale,
        BABEL_DEFAULT_TIMEZONE=config.timezone,
        BABEL_TRANSLATION_DIRECTORIES=str(PACKAGE / "translations"),
    )
    queue = JobQueue(config.redis_url.get_secret_value())
    app.extensions["portal"] = Core(
        config=config,
        sealer=Sealer([key.get_secret_value() for key in config.token_keys]),
        queue=queue,
        counters=Counters(queue.redis),
        # Shorter than the 30 s that a worker has to end warm.
        sessions=Sessions(user_agent(), total_seconds=25, allowed=AllowedHosts(config.remote_urls)),
    )
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine, config.database_role)
    Migrate(app, db, directory=str(PACKAGE / "migrations"), render_as_batch=True)
    Babel(app)
    return app


def core() -> Core:
    """Return the core of the current application."""
    return cast(Core, current_app.extensions["portal"])
