"""/metrics and /readyz: complete, for those who may, and without a word of anybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from portal.core import core
from portal.counters import HASH, Counters
from portal.crypto import digest
from portal.database import db, utcnow
from portal.jobqueue import JobQueue
from portal.models import Budget, State
from portal.services import health, migrating
from tests.conftest import as_owner, set_migration
from tests.web.conftest import Cast

TOKEN = "metrics-token-of-the-tests"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
NAMED = re.compile(r"portal_\w+")


@pytest.fixture
def measured(make_app: Callable[..., Flask]) -> Flask:
    app = make_app(metrics_token=TOKEN, cobot_calls_per_minute=55, sevdesk_calls_per_second=2)
    with app.app_context():
        app.extensions["portal"].queue.redis.delete(HASH, health.UPKEEP_BEAT)
    return app


def read(app: Flask) -> dict[str, dict[tuple[str, ...], float]]:
    """Return every figure by name and labels' values."""
    answer = app.test_client().get("/metrics", headers=HEADERS)
    assert answer.status_code == 200
    return {
        name: {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == name
        }
        for name in NAMED.findall(re.sub(r"^#.*$", "", answer.text, flags=re.MULTILINE))
    }


def test_without_a_token_the_page_does_not_exist(client: FlaskClient) -> None:
    assert client.get("/metrics", headers=HEADERS).status_code == 404


@pytest.mark.parametrize(
    "sent",
    [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ä"],
)
def test_the_wrong_token_sees_nothing(measured: Flask, sent: str | None) -> None:
    headers = {} if sent is None else {"Authorization": sent.encode().decode("latin-1")}
    answer = measured.test_client().get("/metrics", headers=headers)
    assert (answer.status_code, answer.text) == (401, "")


def test_what_alerts_wait_for_is_told_from_nought(measured: Flask) -> None:
    """Prometheus sees no rise in a figure whose first value is one."""
    found = read(measured)
    places = ("page", "hook", "sync", "look", "upkeep")
    assert found["portal_faults_total"] == {(place,): 0 for place in places}
    assert found["portal_hooks_total"][("created_invoice", "503")] == 0
    with measured.app_context():
        core().counters.add("portal_faults", "page")
    assert read(measured)["portal_faults_total"][("page",)] == 1


def test_while_the_queue_is_away_nothing_falls_to_nought(make_app: Callable[..., Flask]) -> None:
    """It would seem to rise again when the queue is back."""
    found = read(make_app(metrics_token=TOKEN, redis_url="unix:///nowhere/queue.sock"))
    assert found["portal_queue_up"][()] == 0
    assert "portal_faults_total" not in found
    assert "portal_hooks_total" not in found


def test_the_figures_say_what_stands_in_the_database(
    measured: Flask, cast: Cast, add_invoice: Callable[..., int], edit_space: Callable[..., None]
) -> None:
    for state in (State.SYNCED, State.SYNCED, State.FAILED):
        add_invoice(cast.alpha, state)
    add_invoice(cast.beta, State.SYNCED)
    add_invoice(cast.alpha, State.WAITING, next_try_at=utcnow() - timedelta(minutes=5))
    edit_space(cast.beta, paused_at=utcnow(), pause_code="by_hand")
    found = read(measured)
    assert found["portal_invoices"][("synced",)] == 3
    assert found["portal_invoices"][("failed",)] == 1
    assert found["portal_invoices"][("sending",)] == 0
    assert found["portal_spaces"] == {("connected",): 1, ("paused",): 1, ("not_connected",): 0}
    assert found["portal_due"][("invoices",)] == 1
    assert 299 < found["portal_oldest_due_seconds"][()] < 330
    assert found["portal_database_up"][()] == found["portal_queue_up"][()] == 1


def test_the_figures_say_what_is_left_of_the_budgets(measured: Flask, cast: Cast) -> None:
    now = utcnow().timestamp()
    with measured.app_context():
        db.session.add_all(
            [
                Budget(key="cobot|u-1|GET /invoices/:id", calls=[now - 90, *[now - 5] * 50]),
                Budget(key="cobot|u-2|GET /invoices/:id", calls=[now - 5]),
                Budget(key=f"sevdesk|{digest('x')}", calls=[], blocked_until=now + 60),
            ]
        )
        db.session.commit()
    found = read(measured)
    assert found["portal_budget_left"] == {("cobot",): 5, ("sevdesk",): 2}
    assert found["portal_budget_blocked"] == {("cobot",): 0, ("sevdesk",): 1}


def test_hooks_and_pages_are_counted_over_all_processes(
    measured: Flask, make_app: Callable[..., Flask], cast: Cast, edit_space: Callable[..., None]
) -> None:
    edit_space(cast.alpha, hook_digest=digest("known"))
    url = "http://127.0.0.1:9/cobot-space/alpha/api/invoices/abc"
    other = make_app(metrics_token=TOKEN)
    for app in (measured, other, other):
        browser = app.test_client()
        browser.post("/hooks/cobot/known/created_invoice", json={"url": url})
        browser.post("/hooks/cobot/known/made_up<x>", json={"url": url})
        browser.get("/login")
        with app.app_context():
            assert app.extensions["portal"].counters.flush()
    found = read(measured)
    counted = {kind: number for kind, number in found["portal_hooks_total"].items() if number}
    assert counted == {("created_invoice", "202"): 3, ("other", "400"): 3}
    assert found["portal_pages_total"] == {("200",): 3}


def test_times_fall_into_buckets(measured: Flask) -> None:
    with measured.app_context():
        counters: Counters = measured.extensions["portal"].counters
        for seconds in (0.05, 0.3, 0.4, 99.0):
            counters.observe("portal_remote_call_seconds", "cobot", seconds=seconds)
        counters.observe("portal_drain_seconds", seconds=2)
    found = read(measured)
    buckets = found["portal_remote_call_seconds_bucket"]
    assert [buckets[bound, "cobot"] for bound in ("0.05", "0.25", "0.5", "+Inf")] == [1, 1, 3, 4]
    assert found["portal_remote_call_seconds_count"][("cobot",)] == 4
    assert found["portal_remote_call_seconds_sum"][("cobot",)] == pytest.approx(99.75)
    assert found["portal_drain_seconds_count"][()] == 1


def test_counts_wait_for_a_queue_that_is_away(core_app: Flask) -> None:
    with_redis: Counters = core_app.extensions["portal"].counters
    with_redis.read()
    core_app.extensions["portal"].queue.redis.delete(HASH)
    away = Counters(JobQueue("unix:///nowhere/queue.sock").redis)
    away.add("portal_hooks", "created_invoice", "202")
    assert not away.flush()
    assert away.read() is None
    away._redis = core_app.extensions["portal"].queue.redis
    away.add("portal_hooks", "created_invoice", "202")
    assert away.read() == {("portal_hooks", "created_invoice", "202"): 2}


def test_neither_page_names_anybody(
    measured: Flask, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    add_invoice(cast.alpha, State.FAILED, member="Mia Neumann", number="2531-GEHEIM")
    with measured.app_context():
        db.session.add(Budget(key="cobot|u-owner|GET /invoices/:id", calls=[]))
        db.session.commit()
    browser = measured.test_client()
    said = browser.get("/metrics", headers=HEADERS).text + browser.get("/readyz").text
    secrets = [value for value in measured.extensions["portal"].config.secrets if value in said]
    assert secrets == []
    for name in ("alpha", "beta", "Alpha", "u-owner", "Mia", "2531-GEHEIM", "example.org"):
        assert name not in said


def test_ready_says_what_is_there(measured: Flask, cast: Cast, add_invoice: Any) -> None:
    add_invoice(cast.alpha, State.WAITING, next_try_at=utcnow() - timedelta(minutes=5))
    with measured.app_context():
        health.beat()
    answer = measured.test_client().get("/readyz")
    assert answer.status_code == 200
    said = answer.json
    assert said["database"] is said["queue"] is True
    assert said["migration"] == said["migration_needed"]
    assert said["worker_heartbeat_seconds"] is None
    assert 0 <= said["upkeep_heartbeat_seconds"] < 30
    assert 299 < said["oldest_due_seconds"] < 330


def test_a_database_that_is_not_migrated_is_not_ready(measured: Flask) -> None:
    with measured.app_context():
        set_migration("0001")
    answer = measured.test_client().get("/readyz")
    assert answer.status_code == 503
    assert (answer.json["database"], answer.json["migration"]) == (False, "0001")


def test_a_database_of_a_later_release_is_ready(measured: Flask) -> None:
    """The new version migrates first, and the old one has to answer until it is replaced."""
    with measured.app_context():
        set_migration("9999")
    answer = measured.test_client().get("/readyz")
    assert answer.status_code == 200
    assert (answer.json["database"], answer.json["migration"]) == (True, "9999")
    assert answer.json["migration_needed"] == migrating.head_revision()


def test_a_database_before_its_first_migration_is_not_ready(measured: Flask) -> None:
    with measured.app_context():
        as_owner("DELETE FROM alembic_version")
    answer = measured.test_client().get("/readyz")
    assert (answer.status_code, answer.json["migration"]) == (503, "")


def test_without_database_there_are_still_figures(make_app: Callable[..., Flask]) -> None:
    app = make_app(metrics_token=TOKEN, database_url="sqlite:////nowhere/portal.db")
    found = read(app)
    assert found["portal_database_up"][()] == 0
    assert "portal_invoices" not in found
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["migration"]) == (503, None)
