"""Signing in: Cobot's page and back, no, and too late."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.person import Person

DENY = """() => document.querySelector("form").insertAdjacentHTML(
  "beforeend", '<input type="hidden" name="decision" value="deny">')"""


def test_signing_in_leads_over_cobots_page_to_the_spaces_and_out_again(
    person: Callable[..., Person],
) -> None:
    one = person()
    one.open("/")
    one.sign_in("Ada Lorenz")
    expect(one.page).to_have_url(f"{one.portal_url}/spaces")
    expect(one.page.get_by_role("heading", level=1)).to_be_visible()
    one.page.get_by_role("button", name="Abmelden").click()
    expect(one.page.get_by_role("link", name="Mit Cobot anmelden")).to_be_visible()
    one.open("/spaces")
    expect(one.page).to_have_url(re.compile("/login"))


def test_a_page_asked_for_before_the_sign_in_comes_after_it(person: Callable[..., Person]) -> None:
    one = person(scripts=False)
    one.open("/spaces/neuland/log")
    one.sign_in("Nils Anders")
    expect(one.page).to_have_url(re.compile("/spaces/neuland/log$"))


def test_a_denied_sign_in_is_said_and_can_be_tried_again(person: Callable[..., Person]) -> None:
    one = person(language="en")
    one.open("/login?next=/spaces/neuland/log")
    one.page.get_by_role("link", name=one.words["sign in"]).click()
    one.page.evaluate(DENY)  # the simulated page has no button for that
    one.page.locator("form button").first.click()
    expect(one.page.get_by_role("alert").filter(has_text=one.words["denied"])).to_be_visible()
    one.sign_in("Nils Anders")
    expect(one.page).to_have_url(re.compile("/spaces/neuland/log$"))


def test_a_sign_in_that_is_too_late_can_be_started_again(person: Callable[..., Person]) -> None:
    one = person()
    one.open("/oauth/callback?state=old&code=old", status=400)
    expect(one.page.get_by_role("link", name="Mit Cobot anmelden")).to_be_visible()
