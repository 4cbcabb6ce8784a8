"""The product as real processes, once for all tests that need no settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.browserless import Browserless
from tests.e2e.reports import Reports, receiving
from tests.e2e.worlds import ADMIN, COST_CENTRE, SUPPORT, token_of, world_of
from tests.stack import Stack

# No limits, and quick retries: these tests are about what happens, not about when.
QUICK = {
    "COBOT_CALLS_PER_MINUTE": "0",
    "SEVDESK_CALLS_PER_SECOND": "0",
    "UPKEEP_SECONDS": "1",
    "RETRY_FIRST_SECONDS": "1",
}
FORMER_KEY = "former-secret-key-of-the-tests-0123456789"
METRICS_TOKEN = "metrics-token-of-the-tests-0123456789"
NO_LIMITS = ("--cobot-per-minute", "0", "--webhook-backoff", "0.2,0.5,1,2,4")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in item.nodeid or item.nodeid.startswith("tests/e2e/"):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def reports() -> Iterator[Reports]:
    """Where the stack's errors are reported to."""
    with receiving() as place:
        yield place


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, reports: Reports) -> Iterator[Stack]:
    """Two drain workers, and a space for each story."""
    world = world_of("hilfeseite", "zaehlung", "fuenfzig", "geheim")
    folder = tmp_path_factory.mktemp("stack")
    settings = {
        **QUICK,
        "METRICS_TOKEN": METRICS_TOKEN,
        "SECRET_KEY_FALLBACKS": FORMER_KEY,
        "SENTRY_DSN": reports.dsn,
        "SUPPORT_USER_IDS": SUPPORT,
    }
    with Stack(folder, world=world, simulator=NO_LIMITS, settings=settings, drains=2) as started:
        yield started


@pytest.fixture
def second_web(stack: Stack) -> Iterator[str]:
    """Another web server on the same database; its address."""
    with stack.another_web() as url:
        yield url


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Browserless:
    """The admin of all spaces, signed in."""
    person = Browserless(stack.portal_url)
    person.sign_in(ADMIN)
    return person


@pytest.fixture(scope="session")
def connected(stack: Stack, admin: Browserless) -> Callable[[str], str]:
    """A space of the world, connected through the pages; returns its sevdesk token."""
    done: set[str] = set()

    def connect(subdomain: str) -> str:
        if subdomain not in done:
            admin.connect(subdomain, token_of(subdomain), cost_centre=COST_CENTRE)
            done.add(subdomain)
        return token_of(subdomain)

    return connect


@pytest.fixture(scope="session")
def ends_as(stack: Stack, admin: Browserless) -> Callable[..., None]:
    """Wait until the log shows an invoice in this state."""

    def wait(subdomain: str, number: str, state: str, *, seconds: float = 30) -> None:
        def is_so() -> bool:
            row = admin.log_row(subdomain, number)
            return row is not None and row.state == state

        stack.wait_until(is_so, f"{number} to be {state}", seconds=seconds)

    return wait
