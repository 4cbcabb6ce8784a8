"""The live log lets people work: nothing they typed, ticked or look at is taken away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import Person
from tests.browser.planted import Planted
from tests.browser.world import NEW_CODE, OWNER, Place, line
from tests.browserless import Browserless

POLLS = 10
HIDE = """(isHidden) => Object.defineProperty(
  document, "hidden", {get: () => isHidden, configurable: true})"""


@pytest.fixture
def retry(signed_in: Callable[[str], Browserless]) -> Callable[[str, str], object]:
    """Press "try again" as somebody else."""
    return signed_in(OWNER).retry


@pytest.mark.timeout(120)
def test_text_ticks_focus_and_place_survive_ten_polls_with_changes(
    owner: Callable[..., Person], connected: Place, retry: Callable[[str, str], object]
) -> None:
    """Somebody else tries the invoices again, and Cobot issues new ones."""
    invoices = [connected.issue(f"2026-{n:04}", line(f"Kabine {n}", "35.0")) for n in range(1, 13)]
    one = owner(size=(1280, 500))
    one.page.clock.install()
    one.open(f"{connected.path}/log")
    failed = one.page.locator('#log-rows [data-state="failed"]')
    one.reload_until(lambda: failed.count() == len(invoices), seconds=60)
    ticked = one.row("2026-0006").get_by_role("checkbox")
    ticked.check()
    search = one.page.get_by_role("searchbox")
    search.press_sequentially("halb getip")
    one.page.evaluate("() => window.scrollTo(0, 300)")
    caret = "(field) => [field.selectionStart, document.activeElement === field, field.value]"
    before = (search.evaluate(caret), one.page.evaluate("() => window.scrollY"))
    answered: list[str] = []
    one.page.on(
        "response",
        lambda got: (
            answered.append(got.url) if "/log/changes" in got.url and got.status == 200 else None
        ),
    )
    for poll in range(POLLS):
        number = f"2026-{poll + 1:04}"
        connected.add_account(f"Kabine {poll + 1}", poll)
        retry(connected.subdomain, invoices[poll]["data"]["id"])
        _poll_until(one, f'[data-invoice-number="{number}"][data-state="synced"]')
        connected.issue_one_more()
    assert len(answered) >= POLLS
    assert (search.evaluate(caret), one.page.evaluate("() => window.scrollY")) == before
    expect(ticked).to_be_checked()
    expect(one.page.locator("[data-picked]")).to_have_text("1")
    _poll_until(one, "#show-new")


def test_focus_stays_on_a_row_that_changes(
    owner: Callable[..., Person], connected: Place, retry: Callable[[str, str], object]
) -> None:
    invoice = connected.issue("2026-0001", line(NEW_CODE, "35.0"))
    one = owner()
    one.page.clock.install()
    one.open(f"{connected.path}/log")
    one.reload_until(lambda: one.page.locator('[data-state="failed"]').count() == 1)
    connected.add_account()
    one.row("2026-0001").get_by_role("link").focus()
    retry(connected.subdomain, invoice["data"]["id"])
    _poll_until(one, '[data-invoice-number="2026-0001"][data-state="synced"]')
    expect(one.row("2026-0001").get_by_role("link")).to_be_focused()


def test_the_log_can_be_held_and_does_not_ask_in_the_meantime(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner()
    one.page.clock.install()
    one.open(f"{planted.empty.path}/log")
    asked = _asked(one)
    _expect_a_poll(one)
    one.button("pause").click()
    _expect_no_poll(one, asked)
    one.page.locator("[data-pause]").click()
    _expect_a_poll(one)


def test_a_hidden_tab_does_not_ask(owner: Callable[..., Person], planted: Planted) -> None:
    one = owner()
    one.page.clock.install()
    one.open(f"{planted.empty.path}/log")
    asked = _asked(one)
    one.page.evaluate(HIDE, True)
    _expect_no_poll(one, asked)
    one.page.evaluate(HIDE, False)
    _expect_a_poll(one)


def test_after_ten_minutes_without_a_hand_the_log_asks_every_half_minute(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner()
    one.page.clock.install()
    one.open(f"{planted.empty.path}/log")
    one.later(601)  # the first poll after ten minutes
    asked = _asked(one)
    for _ in range(12):  # a minute
        one.later(5.1)
    one.page.title()
    assert len(asked) == 2
    one.page.keyboard.press("Shift")
    _expect_a_poll(one)


def test_news_are_told_at_most_every_fifteen_seconds(
    owner: Callable[..., Person], connected: Place
) -> None:
    one = owner()
    one.page.clock.install()
    one.open(f"{connected.path}/log")
    news = one.page.locator("#live-news")
    connected.issue_one_more()
    _poll_until(one, "#show-new")
    expect(news).to_have_text("1 neue")
    connected.issue_one_more()
    pill = one.page.locator("#show-new").filter(has_text="2 neue")
    while not pill.count():
        with one.page.expect_response("**/log/changes**"):
            one.page.clock.run_for(5_100)
        before = news.text_content()
    assert before == "1 neue"
    one.later(15)
    expect(news).to_have_text("2 neue")


def test_a_lost_connection_is_said_and_over_when_it_is_back(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner()
    one.page.clock.install()
    one.open(f"{planted.empty.path}/log")
    lost = one.page.locator("#live-lost")
    with one.offline():
        one.later(6)
        expect(lost).to_be_visible()
    one.later(6)
    expect(lost).to_be_hidden()


def test_after_the_session_ended_the_log_leads_back_to_the_sign_in(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner()
    one.page.clock.install()
    one.open(f"{planted.full.path}/log")
    search = one.page.get_by_role("searchbox")
    search.fill("halb getippt")
    one.context.clear_cookies()
    with one.refused(401):
        with one.page.expect_response("**/log/changes**"):
            one.later(6)
        expect(one.page.locator("#live-ended")).to_be_visible()
    expect(one.page.locator("#notice")).to_contain_text("Du bist abgemeldet.")
    expect(search).to_have_value("halb getippt")
    assert planted.full.path in str(
        one.page.locator("#live-ended").get_by_role("link").get_attribute("href")
    )


def _asked(one: Person) -> list[str]:
    """Return a list that grows with every poll from now on."""
    asked: list[str] = []
    one.page.on("request", lambda got: asked.append(got.url) if "/changes" in got.url else None)
    return asked


def _expect_a_poll(one: Person) -> None:
    with one.page.expect_response("**/log/changes**"):
        one.later(6)


def _expect_no_poll(one: Person, asked: list[str]) -> None:
    before = len(asked)
    for _ in range(3):
        one.later(6)
    one.page.title()  # a round trip: what the page sent is known
    assert len(asked) == before


def _poll_until(one: Person, selector: str) -> None:
    """Let the log ask again and again until it shows this."""
    found = one.page.locator(selector)
    for _ in range(40):
        with one.page.expect_response("**/log/changes**"):
            one.later(6)
        if found.count():
            return
    raise AssertionError(f"the log does not show {selector}")
