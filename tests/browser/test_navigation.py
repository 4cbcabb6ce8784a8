"""The way from page to page, on a wide screen and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import PHONE, WIDE, Person
from tests.browser.planted import Planted

HIGHEST_HEAD = 200  # px of a phone's 740 before a page begins with what it is about


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_on_a_phone_the_pages_of_a_space_stand_behind_one_line(
    owner: Callable[..., Person], planted: Planted, scripts: bool
) -> None:
    one = owner(size=PHONE, scripts=scripts)
    one.open(f"{planted.full.path}/log")
    head = one.page.locator(".space-head").bounding_box()
    assert head is not None
    assert head["y"] + head["height"] <= HIGHEST_HEAD
    settings = one.page.get_by_role("link", name="Einstellungen", exact=True)
    expect(settings).to_be_hidden()
    one.page.locator(".space-menu summary").click()
    settings.click()
    expect(one.page).to_have_url(f"{one.portal_url}{planted.full.path}/settings")
    expect(one.page.locator(".space-menu summary")).to_contain_text("Einstellungen")


def test_on_a_wide_screen_they_stand_side_by_side(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner(size=WIDE)
    one.open(f"{planted.full.path}/settings")
    tabs = one.page.get_by_role("navigation", name=planted.full.name).get_by_role("link")
    tops = {box["y"] for tab in tabs.all() if (box := tab.bounding_box())}
    assert len(tops) == 1
    expect(tabs.and_(one.page.locator("[aria-current=page]"))).to_have_text("Einstellungen")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_language_and_appearance_are_chosen_at_the_foot_and_stay(
    person: Callable[..., Person], scripts: bool
) -> None:
    one = person(scripts=scripts)
    one.open("/help")
    one.page.get_by_role("button", name="English").click()
    expect(one.page.get_by_role("heading", level=1)).to_have_text("Help")
    one.page.get_by_role("button", name="Dark").click()
    root = one.page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(one.page).to_have_url(f"{one.portal_url}/help")
    one.open("/")
    expect(root).to_have_attribute("lang", "en")
    expect(root).to_have_attribute("data-theme", "dark")


def test_a_link_from_cobot_leads_to_the_cause_in_the_help(person: Callable[..., Person]) -> None:
    one = person()
    one.open("/help#account_missing")
    cause = one.page.locator("#account_missing")
    expect(cause).to_be_in_viewport()
    expect(cause).to_contain_text("Buchungskonto fehlt in sevdesk")
