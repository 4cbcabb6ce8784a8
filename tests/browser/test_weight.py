"""What a first page costs, and whom the browser talks to."""

from __future__ import annotations

from collections.abc import Callable
from gzip import compress
from urllib.parse import urlsplit

from playwright.sync_api import Response, expect

from tests.browser.person import Person
from tests.browser.planted import Planted
from tests.browser.world import NEULAND, Place

LARGEST_FIRST_PAGE = 60_000
MOST_STEPS = 8


def test_the_first_page_is_light_and_comes_from_one_host(person: Callable[..., Person]) -> None:
    one = person()
    answers: list[Response] = []
    one.page.on("response", lambda answer: answers.append(answer))
    one.open("/")
    one.page.wait_for_load_state("networkidle")
    weights = {answer.url: len(compress(answer.body(), 6)) for answer in answers}
    assert sum(weights.values()) <= LARGEST_FIRST_PAGE, weights
    assert one.watch.hosts() == {urlsplit(one.portal_url).netloc}


def test_the_log_is_light_too(owner: Callable[..., Person], planted: Planted) -> None:
    one = owner()
    answers: list[Response] = []
    one.page.on("response", lambda answer: answers.append(answer))
    one.open(f"{planted.full.path}/log")
    one.page.wait_for_load_state("networkidle")
    assert sum(len(compress(answer.body(), 6)) for answer in answers) <= LARGEST_FIRST_PAGE
    assert one.watch.hosts() == {urlsplit(one.portal_url).netloc}


def test_a_newcomer_gets_from_the_sign_in_to_the_first_synced_invoice_in_few_steps(
    person: Callable[..., Person], neuland: Place
) -> None:
    """Follows only what the pages themselves offer: links, buttons, labels."""
    one = person()
    one.open("/")
    one.sign_in("Nils Anders")  # two presses: ours and Cobot's
    steps = 2
    expect(one.page).to_have_url(f"{one.portal_url}/spaces/{NEULAND}/sevdesk")
    expect(one.page.get_by_text(one.words["where"])).to_be_visible()
    one.page.get_by_label(one.words["token"], exact=True).fill(neuland.token)
    one.page.get_by_label(one.words["days"]).fill("14")
    one.page.locator("#save").click()
    one.page.get_by_role("link", name=one.words["to log"]).click()
    steps += 4
    expect(one.page.get_by_text("Die erste erscheint wenige Sekunden")).to_be_visible()
    neuland.issue("2026-0001")
    one.page.locator("#show-new").click(timeout=20_000)
    steps += 1
    one.expect_state("2026-0001", "synced")
    assert steps <= MOST_STEPS
