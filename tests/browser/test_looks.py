"""Every page in every state: accessible, no wider than the window, targets large enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest
from playwright.sync_api import Error

from tests.browser.looks import axe_violations, small_targets, too_wide
from tests.browser.person import PHONE, WIDE, Person
from tests.browser.planted import Planted
from tests.browser.screens import Screen, screens


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("size", "language"), [(WIDE, "de"), (PHONE, "en")])
def test_axe_finds_nothing_on_any_page_in_light_and_dark(
    person: Callable[..., Person], planted: Planted, size: tuple[int, int], language: str
) -> None:
    def look(one: Person, screen: Screen) -> list[str]:
        screen.show(one)
        found = axe_violations(one.page)
        one.page.emulate_media(color_scheme="dark")
        found += [f"dark: {fault}" for fault in axe_violations(one.page)]
        one.page.emulate_media(color_scheme="light")
        return found

    assert _on_each(person, planted, look, size=size, language=language) == ""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", [320, PHONE[0]])
def test_no_page_scrolls_sideways_and_targets_are_large_enough(
    person: Callable[..., Person], planted: Planted, width: int
) -> None:
    """German words are the longer ones."""

    def look(one: Person, screen: Screen) -> list[str]:
        page = screen.show(one)
        return small_targets(page) + too_wide(page)

    assert _on_each(person, planted, look, size=(width, 640), language="de") == ""


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
