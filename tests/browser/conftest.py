"""The product as real processes, and people who look at it with a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest

from tests.browserless import Browserless
from tests.stack import Stack

# `make test` knows no Playwright and deselects these tests; then they are not even read.
HAS_PLAYWRIGHT = find_spec("playwright") is not None
collect_ignore_glob = [] if HAS_PLAYWRIGHT else ["test_*.py"]

if HAS_PLAYWRIGHT:
    from playwright.sync_api import Browser, expect, sync_playwright

    from tests.browser.chromium import launch
    from tests.browser.person import Person
    from tests.browser.planted import TAKEN, Planted, plant
    from tests.browser.running import running
    from tests.browser.world import NEULAND, OWNER, SPACES, Place

    expect.set_options(timeout=10_000)

LONGEST = ("test_looks.py", "test_flow.py", "test_checks.py", "test_live.py", "test_takeovers.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the longest files first, in whatever order the rest is: no process waits for one at
    the end. Each process has a stack and a browser of its own."""
    for item in items:
        if item.nodeid.startswith("tests/browser/"):
            item.add_marker(pytest.mark.browser)
    turns = {f"tests/browser/{name}": turn for turn, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(item.nodeid.partition("::")[0], len(turns)))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, translations: None) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def signed_in(stack: Stack) -> Callable[[str], Browserless]:
    """Sign a user in once; everybody else of that name shares the session."""
    people: dict[str, Browserless] = {}

    def sign_in(user_id: str) -> Browserless:
        if user_id not in people:
            people[user_id] = Browserless(stack.portal_url)
            people[user_id].sign_in(user_id)
        return people[user_id]

    return sign_in


@pytest.fixture
def person(
    stack: Stack, chrome: Browser, signed_in: Callable[[str], Browserless]
) -> Iterator[Callable[..., Person]]:
    """Make people with browsers. At the end nobody's browser may have complained."""
    people: list[Person] = []

    def make(user_id: str | None = None, **how: object) -> Person:
        cookies = dict(signed_in(user_id).http.cookies) if user_id else None
        people.append(Person(chrome, stack.portal_url, cookies=cookies, **how))
        return people[-1]

    yield make
    faults = [fault for one in people for fault in one.faults()]
    for one in people:
        one.context.close()
    assert faults == []


@pytest.fixture
def owner(person: Callable[..., Person]) -> Callable[..., Person]:
    """Make people signed in as the owner of all spaces."""
    return lambda **how: person(OWNER, **how)


@pytest.fixture(scope="session")
def _free_spaces(stack: Stack) -> Iterator[Place]:
    return (
        Place(stack, key, name) for key, name in SPACES.items() if key not in (*TAKEN, "ziegelei")
    )


@pytest.fixture
def place(_free_spaces: Iterator[Place]) -> Place:
    """A space that no other test uses, not connected yet."""
    return next(_free_spaces)


@pytest.fixture
def next_place(_free_spaces: Iterator[Place]) -> Callable[[], Place]:
    """Return further such spaces, for who needs more than one."""
    return lambda: next(_free_spaces)


@pytest.fixture
def connected(place: Place, signed_in: Callable[[str], Browserless]) -> Place:
    """The same space, connected."""
    signed_in(OWNER).connect(place.subdomain, place.token)
    return place


@pytest.fixture(scope="session")
def neuland(stack: Stack) -> Place:
    return Place(stack, NEULAND, "Neuland")


@pytest.fixture(scope="session")
def planted(stack: Stack, signed_in: Callable[[str], Browserless]) -> Planted:
    """A space with an invoice in each state."""
    return plant(stack, signed_in(OWNER))
