"""Everything without a mouse: log, connect and invoice pages, with a ring that one sees."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.looks import focus
from tests.browser.person import Person
from tests.browser.planted import Planted
from tests.browser.world import NEW_CODE, Place, line

MOST_TABS = 120


def walk(one: Person, until: str | None = None) -> list[str]:
    """Press Tab until an element matching this has the focus, or to the end of the page.

    Each stop must be drawn, on the screen and not covered. Returns the stops.
    """
    stops: list[str] = []
    for _ in range(MOST_TABS):
        one.page.keyboard.press("Tab")
        here = focus(one.page)
        if not here:
            break
        stops.append(f"{here['tag']} {here['text']}")
        assert here["isDrawn"], f"no ring around {stops[-1]}"
        assert here["isOnScreen"], f"not on the screen: {stops[-1]}"
        assert not here["isCovered"], f"something lies over {stops[-1]}"
        if until and one.page.locator(f"{until}:focus").count():
            return stops
    assert until is None, f"Tab does not lead to {until}: {stops}"
    return stops


def test_tab_reaches_every_control_of_the_log_and_every_stop_is_seen(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner(size=(1280, 600))
    one.open(f"{planted.full.path}/log")
    stops = walk(one)
    wanted = one.page.locator("main a[href]:visible, main button:visible, main summary:visible")
    assert len(stops) >= wanted.count()


def test_the_skip_link_leads_past_the_head(owner: Callable[..., Person], planted: Planted) -> None:
    one = owner()
    one.open(f"{planted.full.path}/log")
    one.page.keyboard.press("Tab")
    expect(one.page.locator(".skip")).to_be_focused()
    one.page.keyboard.press("Enter")
    one.page.keyboard.press("Tab")
    expect(one.page.locator("main :focus")).to_have_count(1)


def test_slash_jumps_to_the_search_but_not_out_of_a_field(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner()
    one.open(f"{planted.full.path}/log")
    one.page.keyboard.press("/")
    search = one.page.get_by_role("searchbox")
    expect(search).to_be_focused()
    one.page.keyboard.type("2026/1")
    expect(search).to_have_value("2026/1")


def test_an_invoice_is_found_read_and_retried_by_keys_alone(
    owner: Callable[..., Person], connected: Place
) -> None:
    connected.issue("2026-0001", line(NEW_CODE, "35.0"))
    one = owner(size=(1280, 600))
    one.open(f"{connected.path}/log")
    one.reload_until(lambda: one.page.locator('[data-state="failed"]').count() == 1)
    connected.add_account()
    keys = one.page.keyboard
    keys.press("/")
    keys.type("2026-0001")
    keys.press("Enter")
    one.page.wait_for_url("**q=2026-0001**")
    walk(one, until="tr a")
    keys.press("Enter")
    expect(one.page.locator("#cause")).to_be_visible()
    walk(one, until="form[action$=retry] button")
    keys.press("Enter")
    one.expect_state("2026-0001", "synced")


def test_rows_are_ticked_and_sent_to_the_preview_by_keys_alone(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner(size=(1280, 600))
    one.open(f"{planted.full.path}/log?state=failed")
    walk(one, until="#log-rows input[name=pick]")
    one.page.keyboard.press("Space")
    expect(one.page.locator("[data-picked]")).to_have_text("1")
    walk(one, until="#batch button[name=ticked]")
    one.page.keyboard.press("Enter")
    expect(one.page.locator("[data-batch-state=draft]")).to_be_visible()


def test_a_space_is_connected_by_keys_alone(owner: Callable[..., Person], place: Place) -> None:
    one = owner()
    one.open(f"{place.path}/sevdesk")
    keys = one.page.keyboard
    walk(one, until="#api_token")
    with one.refused():
        keys.press("Enter")
        expect(one.page.locator(".summary")).to_be_focused()
    walk(one, until="#api_token")
    keys.type(place.token)
    walk(one, until="#due_after_days")
    keys.type("30")
    keys.press("Enter")
    one.page.wait_for_url(f"**{place.path}/rehearsal")
