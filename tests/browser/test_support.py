"""Support looks at a space: a reason first, reading only, and the admins can read of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import PHONE, Person
from tests.browser.world import OWNER, SUPPORT, Place


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_support_gives_a_reason_reads_an_invoice_and_the_admin_sees_that(
    person: Callable[..., Person], connected: Place, scripts: bool
) -> None:
    number = f"SUP-{connected.subdomain}"
    connected.issue(number)
    admin = person(OWNER, scripts=False)
    admin.open(f"{connected.path}/log")
    admin.expect_state(number, "synced")

    one = person(SUPPORT, scripts=scripts, size=PHONE)
    one.open("/support")
    one.page.get_by_role("searchbox").fill(number)
    one.page.get_by_role("searchbox").press("Enter")
    one.page.get_by_role("link", name=number).click()
    with one.refused():
        one.button("open to read").click()
        expect(one.page.locator("input[aria-invalid=true]")).to_be_visible()
    one.page.get_by_label(one.words["reason"]).fill("Ticket 4711")
    one.button("open to read").click()
    bar = one.page.locator(".support-bar")
    expect(bar).to_contain_text(one.words["read only"])
    expect(bar).to_contain_text("Ticket 4711")
    expect(one.row(number)).to_have_attribute("data-state", "synced")
    expect(one.page.locator("main form[method=post]")).to_have_count(0)
    bar.get_by_role("button").click()
    expect(bar).not_to_contain_text("Ticket 4711")

    admin.open(f"{connected.path}/settings")
    expect(admin.page.locator("#looks")).to_contain_text("Ticket 4711")
    expect(admin.page.locator("#looks")).to_contain_text(number)


def test_support_pages_do_not_exist_for_admins(person: Callable[..., Person]) -> None:
    person(OWNER).open("/support", status=404)
