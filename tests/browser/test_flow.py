"""From a token to a repaired invoice, as an admin goes through it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import PHONE, WIDE, Person
from tests.browser.planted import Planted
from tests.browser.screens import WRONG_TOKEN
from tests.browser.world import COST_CENTRE, NEW_CODE, Place, line

WAYS = [
    pytest.param({"language": "de", "size": WIDE}, id="german, wide, light"),
    pytest.param({"language": "en", "size": PHONE, "scheme": "dark"}, id="english, phone, dark"),
    pytest.param({"language": "de", "size": WIDE, "scripts": False}, id="german, without scripts"),
    pytest.param(
        {"language": "en", "size": PHONE, "scripts": False}, id="english, without scripts"
    ),
]


@pytest.mark.parametrize("way", WAYS)
def test_a_space_is_connected_and_an_invoice_that_failed_is_repaired(
    owner: Callable[..., Person], place: Place, way: dict[str, object]
) -> None:
    one = owner(**way)
    connect(one, place)
    is_told = one.has_scripts or way["language"] == "de"
    good = place.issue("2531-Ljnk-278", told=is_told)
    if one.has_scripts:
        see_new_rows(one)
    elif not is_told:
        one.page.locator("#look").click()
        expect(one.page.get_by_text("We are looking in Cobot.")).to_be_visible()
    one.expect_state("2531-Ljnk-278", "synced")
    assert good["data"]["id"] in str(
        one.row("2531-Ljnk-278").get_by_role("link").get_attribute("href")
    )

    place.issue("2531-Ljnk-279", line(NEW_CODE, "35.0"))
    see_new_rows(one)
    one.expect_state("2531-Ljnk-279", "failed")
    row = one.row("2531-Ljnk-279")
    expect(row).to_contain_text(one.words["missing"])
    row.get_by_role("link").click()
    expect(one.page.locator("#cause")).to_contain_text(one.words["missing"])

    place.add_account()
    one.button("retry").click()
    one.expect_state("2531-Ljnk-279", "synced")
    one.open(f"{place.path}/log")
    one.expect_state("2531-Ljnk-279", "synced")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_what_is_ticked_is_retried_after_a_preview(
    owner: Callable[..., Person], connected: Place, scripts: bool
) -> None:
    for number in ("2026-0001", "2026-0003"):
        connected.issue(number, line(NEW_CODE, "35.0"))
    connected.issue("2026-0002", line(rate="16.0"))
    one = owner(scripts=scripts)
    one.open(f"{connected.path}/log")
    one.reload_until(lambda: one.page.locator('[data-state="failed"]').count() == 3)
    connected.add_account()
    for number in ("2026-0001", "2026-0003"):
        one.row(number).get_by_role("checkbox").check()
    one.page.locator("#batch button[name=ticked]").click()
    expect(one.page.locator("[data-effect=to_try]")).to_have_attribute("data-count", "2")
    one.page.locator("[data-batch-state=draft] button.primary").click()
    if scripts:
        expect(one.page.locator("[data-batch-state=done]")).to_be_visible(timeout=30_000)
    else:
        one.reload_until(lambda: one.page.locator("[data-batch-state=done]").count() == 1)
    one.open(f"{connected.path}/log")
    one.expect_state("2026-0001", "synced")
    one.expect_state("2026-0003", "synced")
    one.expect_state("2026-0002", "failed")


def test_a_receipt_without_a_contact_says_so(
    owner: Callable[..., Person], connected: Place
) -> None:
    one = owner()
    one.open(f"{connected.path}/log")
    invoice = connected.issue("2026-0001", debtor=None)
    see_new_rows(one)
    one.expect_state("2026-0001", "mismatched")
    one.open(connected.invoice_path(invoice))
    expect(one.page.locator("#cause")).to_contain_text("Kundennummer 4711")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_space_is_let_go_after_its_name_was_typed(
    owner: Callable[..., Person], connected: Place, scripts: bool
) -> None:
    one = owner(scripts=scripts)
    one.open(f"{connected.path}/settings")
    one.page.get_by_role("link", name="Diesen Space trennen").click()
    with one.refused():
        one.page.locator("input[name=name]").fill("Sonstwo")
        one.page.get_by_role("button", name="Trennen").click()
        expect(one.page.locator("input[aria-invalid=true]")).to_be_visible()
    one.page.locator("input[name=name]").fill(connected.name)
    one.page.get_by_role("button", name="Trennen").click()
    expect(one.page.get_by_text("Getrennt.")).to_be_visible()
    one.open(f"{connected.path}/log")
    expect(one.page.get_by_text("Dieser Space ist nicht verbunden.")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_one_of_many_spaces_is_found_by_its_name(
    owner: Callable[..., Person], scripts: bool
) -> None:
    one = owner(scripts=scripts)
    one.open("/spaces")
    cards = one.page.locator("[data-space]")
    expect(cards.nth(9)).to_be_visible()
    search = one.page.get_by_role("searchbox")
    search.fill("mühlen")
    if not scripts:
        search.press("Enter")
    expect(cards).to_have_count(1)
    expect(one.page).to_have_url(re.compile("q=m"))
    search.fill("gibtesnicht")
    if not scripts:
        search.press("Enter")
    expect(one.page.get_by_text("„gibtesnicht“")).to_be_visible()
    one.page.get_by_role("link", name="Alle anzeigen").click()
    expect(cards.nth(9)).to_be_visible()


def connect(one: Person, place: Place) -> None:
    """Enter a wrong token, then the right one; ends in the log."""
    one.open(f"{place.path}/sevdesk")
    token = one.page.get_by_label(one.words["token"], exact=True)
    one.page.get_by_label(one.words["days"]).fill("30")
    with one.refused():
        token.fill(WRONG_TOKEN)
        if one.has_scripts:
            expect(one.page.locator("[data-token=refused]")).to_contain_text(one.words["refused"])
        one.page.locator("#save").click()
        expect(one.page.locator(".summary")).to_contain_text(one.words["refused"])
    expect(token).to_have_value("")
    expect(one.page.get_by_label(one.words["days"])).to_have_value("30")
    token.fill(place.token)
    if one.has_scripts:
        expect(one.page.locator("[data-token=good]")).to_contain_text(one.words["valid"])
    one.page.get_by_label(one.words["cost centre"]).fill(COST_CENTRE)
    one.page.locator("#save").click()
    one.page.wait_for_url(f"**{place.path}/rehearsal")
    one.open(f"{place.path}/log")


def see_new_rows(one: Person) -> None:
    """Wait for the log to announce new invoices and show them, as a person would."""
    if one.has_scripts:
        one.page.locator("#show-new").click(timeout=20_000)
    else:
        one.page.reload()


def test_a_form_sent_after_the_session_ended_is_not_lost(
    owner: Callable[..., Person], planted: Planted
) -> None:
    one = owner()
    one.open(f"{planted.path('no code')}/skip")
    one.page.get_by_label("Grund").fill("Von Hand gebucht")
    cookies = one.context.cookies()
    one.context.clear_cookies()
    with one.watch.allowing(401):
        one.page.locator("main form button[type=submit]").click()
        expect(one.page.get_by_role("heading", name="Du bist abgemeldet.")).to_be_visible()
    one.context.add_cookies(cookies)  # signed in again, in another tab
    with one.watch.allowing(400):
        one.page.get_by_role("button", name="Noch einmal senden").click()
        kept = one.page.locator("#unsent input[name=reason]")
        expect(kept).to_have_value("Von Hand gebucht")
