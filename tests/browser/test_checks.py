"""Before go-live: save but check first, the rehearsal, the codes that do not match."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import PHONE, WIDE, Person
from tests.browser.test_flow import see_new_rows
from tests.browser.world import Place, line

WAYS = [
    pytest.param({"language": "de", "size": WIDE}, id="german, wide"),
    pytest.param({"language": "en", "size": PHONE, "scheme": "dark"}, id="english, phone, dark"),
    pytest.param({"language": "en", "size": WIDE, "scripts": False}, id="english, without scripts"),
]


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_before_the_switch_waits_and_follows_it(
    owner: Callable[..., Person], place: Place, way: dict[str, object]
) -> None:
    place.issue("2026-0001")
    place.issue("2026-0002", line("Meeting räume", "35.0"))
    one = owner(**way)
    one.open(f"{place.path}/sevdesk")
    one.page.get_by_label(one.words["token"], exact=True).fill(place.token)
    one.page.get_by_label(one.words["days"]).fill("30")
    one.page.locator("#check-first").click()
    one.page.wait_for_url(f"**{place.path}/rehearsal")
    expect(one.page.locator("#paused")).to_contain_text(one.words["off"])
    outcome = one.page.locator("#outcome")
    if one.has_scripts:
        expect(outcome).to_be_visible(timeout=20_000)
    else:
        one.reload_until(lambda: outcome.count() == 1)
    expect(outcome).to_have_attribute("data-ok", "1")
    expect(outcome).to_have_attribute("data-of", "2")
    expect(one.page.locator('[data-item="2026-0002"]')).to_contain_text("Meeting räume")
    assert place.stack.sevdesk(place.token)["vouchers"] == []

    place.issue("2026-0003")
    one.open(f"{place.path}/log")
    expect(one.page.locator("#paused")).to_contain_text(one.words["off"])
    waiting = one.page.locator("#log-rows [data-state=waiting]")
    one.reload_until(lambda: waiting.count() == 1)
    expect(waiting).to_contain_text(one.words["waiting"])
    assert place.stack.sevdesk(place.token)["vouchers"] == []
    one.page.locator("#switch-on").click()
    one.page.wait_for_url(f"**{place.path}/log")
    one.expect_state("2026-0003", "synced")
    expect(one.page.locator("#paused")).to_have_count(0)


@pytest.mark.parametrize("way", WAYS)
def test_a_code_that_does_not_match_is_assigned_and_what_waited_follows(
    owner: Callable[..., Person], connected: Place, way: dict[str, object]
) -> None:
    one = owner(**way)
    one.open(f"{connected.path}/log")
    connected.issue("2026-0001", line("Meeting räume", "35.0"))
    see_new_rows(one)
    if not one.has_scripts:
        one.reload_until(lambda: one.row("2026-0001").count() == 1)
    one.expect_state("2026-0001", "failed")
    one.open(f"{connected.path}/mapping")
    one.page.locator("#check").click()
    row = one.page.locator("[data-code='Meeting räume']")
    if one.has_scripts:
        expect(row).to_be_visible(timeout=20_000)
    else:
        one.reload_until(lambda: row.count() == 1)
    expect(row).to_contain_text(one.words["blank"])
    row.locator("summary").click()
    if not one.has_scripts:
        row.locator("details a").click()
    choice = one.page.locator("button[name=account_id]").first
    expect(choice).to_contain_text("4401 Meetingräume")
    choice.click()
    one.page.wait_for_url(f"**{connected.path}/mapping")
    expect(one.page.locator("[data-code='Meeting räume']")).to_contain_text(one.words["by hand"])
    one.open(f"{connected.path}/log")
    one.expect_state("2026-0001", "synced")


def test_the_name_to_copy_is_copied_and_accounts_are_offered_while_typing(
    owner: Callable[..., Person], connected: Place
) -> None:
    connected.issue("2026-0001", line("Meeting räume", "35.0"))
    one = owner()
    one.context.grant_permissions(["clipboard-read", "clipboard-write"])
    one.open(f"{connected.path}/mapping")
    one.page.locator("#check").click()
    row = one.page.locator("[data-code='Meeting räume']")
    row.locator("[data-copies]").first.click(timeout=20_000)
    expect(row.locator("[data-copies]").first).to_have_text("Kopiert")
    assert one.page.evaluate("() => navigator.clipboard.readText()") == "Meetingräume"
    row.locator("summary").click()
    row.locator("input[name=account]").fill("4401 Meetingräume")
    expect(one.page.locator("#accounts option")).to_have_count(3)
    row.locator(".assign button.primary").click()
    expect(one.page.locator("[data-how=mapping]")).to_have_count(1)
