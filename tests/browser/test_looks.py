"""Every page in every state: accessible, no wider than the window, targets large enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest
from playwright.sync_api import Error, Page

from tests.browser.looks import axe_violations, small_targets, too_wide
from tests.browser.person import PHONE, WIDE, Person
from tests.browser.planted import Planted
from tests.browser.screens import Screen, screens

NARROWEST = 320


@pytest.mark.timeout(300)
def test_axe_finds_nothing_on_any_wide_page_in_light_and_dark(
    person: Callable[..., Person], planted: Planted
) -> None:
    def look(one: Person, screen: Screen) -> list[str]:
        return _axe_in_both(screen.show(one))

    assert _on_each(person, planted, look, size=WIDE, language="en") == ""


@pytest.mark.timeout(300)
def test_on_a_phone_axe_finds_nothing_nothing_is_too_wide_and_targets_are_large_enough(
    person: Callable[..., Person], planted: Planted
) -> None:
    """In German, whose words are the longer ones; also at 320 px, which WCAG asks for."""

    def look(one: Person, screen: Screen) -> list[str]:
        page = screen.show(one)
        found = _axe_in_both(page) + small_targets(page) + too_wide(page)
        page.set_viewport_size({"width": NARROWEST, "height": PHONE[1]})
        found += [f"at {NARROWEST} px: {fault}" for fault in small_targets(page) + too_wide(page)]
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        return found

    assert _on_each(person, planted, look, size=PHONE, language="de") == ""


def _axe_in_both(page: Page) -> list[str]:
    found = axe_violations(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {fault}" for fault in axe_violations(page)]
    page.emulate_media(color_scheme="light")
    return found


def _on_each(
    person: Callable[..., Person],
    planted: Planted,
    look: Callable[[Person, Screen], list[str]],
    **how: object,
) -> str:
    """Look at every page in every state; return what was found, one line each."""
    people: dict[str | None, Person] = {}
    findings: dict[str, list[str]] = defaultdict(list)
    for screen in screens(planted):
        if screen.user not in people:
            people[screen.user] = person(screen.user, **how)
        try:
            findings[screen.name] += look(people[screen.user], screen)
        except (AssertionError, Error) as fault:  # the other screens are looked at all the same
            findings[screen.name].append(str(fault)[:500])
    return "\n".join(f"{name}: {fault}" for name, faults in findings.items() for fault in faults)
