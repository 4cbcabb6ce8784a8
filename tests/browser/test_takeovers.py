"""What an admin does after go-live: old invoices and members, a month, another space, repairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.person import PHONE, WIDE, Person
from tests.browser.takeovers import last_month, old_invoices
from tests.browser.world import KNOWN, NEW_CODE, OWNER, Place, line
from tests.browserless import Browserless
from tests.calendar_day import today

WAYS = [
    pytest.param({"language": "de", "size": WIDE}, id="german, wide"),
    pytest.param(
        {"language": "en", "size": PHONE, "scheme": "dark", "scripts": False},
        id="english, phone, dark, without scripts",
    ),
]
MONTH = f"{last_month():%Y-%m}"


@pytest.mark.parametrize("way", WAYS)
def test_old_invoices_are_rehearsed_and_then_taken_over(
    owner: Callable[..., Person], connected: Place, way: dict[str, object]
) -> None:
    old_invoices(connected, with_faults=True)
    one = owner(**way)
    one.open(f"{connected.path}/backfill")
    one.page.locator("[name=from_date]").fill(last_month().replace(day=1).isoformat())
    one.page.locator("[name=to_date]").fill(today().isoformat())
    one.page.locator("#window button").click()
    shown(one, one.page.locator("#outcome"))
    expect(one.page.locator("[data-item]")).to_have_count(10)
    expect(one.page.locator("[data-verdict=failed]")).to_have_count(2)
    assert connected.stack.sevdesk(connected.token)["vouchers"] == []
    one.page.locator("#start").click()
    shown(one, one.page.locator("[data-task=work-done]"))
    expect(one.page.locator("#to-failed")).to_have_text("2")
    assert len(connected.stack.sevdesk(connected.token)["vouchers"]) == 7
    one.page.locator("#to-failed").click()
    expect(one.page.locator("[data-invoice-number]")).to_have_count(2)
    one.expect_state("2026-0310", "failed")


@pytest.mark.parametrize("way", WAYS)
def test_members_are_compared_and_then_taken_over(
    owner: Callable[..., Person], connected: Place, way: dict[str, object]
) -> None:
    one = owner(**way)
    one.open(f"{connected.path}/members")
    one.page.locator("main form button.primary").click()
    shown(one, one.page.locator("#counts"))
    expect(one.page.locator("[data-verdict=create]")).to_have_count(1)
    leave = one.page.locator(f"select[name='choice-mem-{KNOWN[1][0]}-{connected.subdomain}']")
    leave.select_option("leave")
    one.page.locator("#start").click()
    shown(one, one.page.locator("[data-task=work-done]"))
    contacts = connected.stack.sevdesk(connected.token)["contacts"]
    numbers = {contact["customerNumber"] for contact in contacts}
    members = connected.stack.space(connected.subdomain)["memberships"]
    new = next(row for row in members if row["id"].startswith("mem-4711"))
    assert str(new["customer_number"]) in numbers


@pytest.mark.parametrize("way", WAYS)
def test_a_month_is_equal_until_something_is_changed(
    owner: Callable[..., Person], connected: Place, way: dict[str, object]
) -> None:
    one = owner(**way)
    when = last_month().isoformat()
    made = {
        number: connected.issue(number, invoiceDate=when)
        for number in ("2026-0001", "2026-0002", "2026-0004")
    }
    one.open(f"{connected.path}/log")
    synced = one.page.locator("[data-state=synced]")
    one.reload_until(lambda: synced.count() == 3)
    one.open(f"{connected.path}/months")
    one.page.locator(f"[data-month='{MONTH}'] a").click()
    one.page.locator("#compare").click()
    shown(one, one.page.locator("[data-verdict=equal]"))
    expect(one.page.locator("[data-gaps]")).to_contain_text("2026-0003")

    vouchers = connected.stack.sevdesk(connected.token)["vouchers"]
    lost = next(row for row in vouchers if row["description"] == "2026-0002")
    connected.stack.control("DELETE", f"/sevdesk/{connected.token}/vouchers/{lost['id']}")
    edited = made["2026-0004"]["data"]["id"]
    connected.stack.control(
        "PATCH",
        f"/cobot/spaces/{connected.subdomain}/invoices/{edited}?webhook=0",
        {"items": [line(net="230.0")]},
    )
    one.page.locator("#compare").click()
    shown(one, one.page.locator("[data-verdict=differs]"))
    entries = one.page.locator("[data-entry]")
    expect(entries).to_have_count(2)
    expect(one.page.locator("[data-group=deleted_in_sevdesk] [data-entry]")).to_contain_text(
        "2026-0002"
    )
    expect(one.page.locator("[data-group=edited] [data-field=gross] ins")).to_contain_text("273")
    with one.page.expect_download() as begun:
        one.page.locator("#csv").click()
    assert begun.value.suggested_filename == f"{connected.subdomain}-{MONTH}.csv"
    text = begun.value.path().read_text(encoding="utf-8-sig")
    assert "2026-0002" in text
    one.page.emulate_media(media="print")
    for part in (".top", ".foot", "#compare", "#csv"):
        expect(one.page.locator(part)).to_be_hidden()
    expect(one.page.locator("#figures")).to_be_visible()
    one.page.emulate_media(media="screen")


@pytest.mark.parametrize("way", WAYS)
def test_a_set_up_is_seen_and_taken_over(
    owner: Callable[..., Person],
    connected: Place,
    way: dict[str, object],
    signed_in: Callable[[str], Browserless],
    next_place: Callable[[], Place],
) -> None:
    other = next_place()
    signed_in(OWNER).connect(other.subdomain, connected.token, due_after_days=14, cost_centre="200")
    one = owner(**way)
    one.open(f"{connected.path}/settings")
    expect(one.page.locator("#sharing")).to_contain_text(other.name)
    one.page.locator("#setup a").click()
    one.page.locator("select[name=from]").select_option(other.subdomain)
    one.page.locator("main form button").first.click()
    expect(one.page.locator("[data-shares]")).to_be_visible()
    centre = one.page.locator("[data-difference=cost_centre_number] input")
    expect(centre).not_to_be_checked()
    expect(one.page.locator("[data-difference=due_after_days] input")).to_be_checked()
    one.page.locator("#take-over").click()
    expect(one.page.locator(".flash")).to_be_visible()
    expect(one.page.locator("[data-difference]")).to_have_count(1)
    expect(one.page.locator("[data-difference=cost_centre_number]")).to_be_visible()


@pytest.mark.parametrize("way", WAYS)
def test_one_press_heals_all_invoices_of_a_cause(
    owner: Callable[..., Person], connected: Place, way: dict[str, object]
) -> None:
    one = owner(**way)
    one.open(f"{connected.path}/settings")
    one.page.locator("[name=auto_retry]").uncheck()
    one.page.locator("#auto-retry button").click()
    for number in ("2026-0001", "2026-0002", "2026-0003"):
        connected.issue(number, line(NEW_CODE, "35.0"))
    one.open(f"{connected.path}/log")
    failed = one.page.locator("[data-state=failed]")
    one.reload_until(lambda: failed.count() == 3)
    group = one.page.locator("[data-group=account_missing]")
    expect(group).to_have_attribute("data-count", "3")
    connected.add_account()
    one.page.locator("#check-causes").click()
    expect(group).to_have_attribute("data-gone", "yes")
    group.locator("button").click()
    for number in ("2026-0001", "2026-0002", "2026-0003"):
        one.expect_state(number, "synced")


@pytest.mark.parametrize("way", WAYS)
def test_a_contact_is_chosen_and_seen_on_the_receipt_and_an_invoice_skipped(
    owner: Callable[..., Person], connected: Place, way: dict[str, object]
) -> None:
    one = owner(**way)
    lost = connected.issue("2026-0001", debtor=None)
    left = connected.issue("2026-0002", line(rate="16.0"))
    one.open(f"{connected.path}/log")
    mismatched = one.page.locator("[data-state=mismatched]")
    one.reload_until(lambda: mismatched.count() == 1)
    connected.add_contact()
    one.open(connected.invoice_path(lost))
    one.page.locator("#find-contact").click()
    one.page.locator("[data-contact='777'] button").click()
    expect(one.page.locator("#contact")).to_contain_text("777")
    [voucher] = connected.stack.sevdesk(connected.token)["vouchers"]
    connected.stack.control(
        "PATCH",
        f"/sevdesk/{connected.token}/vouchers/{voucher['id']}",
        {"supplier": {"id": "777", "objectName": "Contact"}},
    )
    one.page.locator("#look-again").click()
    one.expect_state("2026-0001", "synced")
    expect(one.page.locator("#tag-left")).to_be_visible()

    one.open(connected.invoice_path(left))
    one.reload_until(lambda: one.page.locator("#skip").count() == 1)
    one.page.locator("#skip").click()
    one.page.locator("[name=reason]").fill("bar bezahlt")
    one.page.locator("main form button.primary").click()
    one.expect_state("2026-0002", "skipped")
    one.page.locator("#take-up").click()
    one.expect_state("2026-0002", "failed")


@pytest.mark.parametrize("way", WAYS)
def test_the_overview_leads_to_what_is_open(
    owner: Callable[..., Person], connected: Place, way: dict[str, object]
) -> None:
    connected.issue("2026-0001", line(None, "19.0"))
    one = owner(**way)
    one.open(f"{connected.path}/log")
    one.reload_until(lambda: one.page.locator("[data-state=failed]").count() == 1)
    one.open("/overview")
    row = one.page.locator(f"#space-table [data-space='{connected.subdomain}']")
    expect(row).to_have_attribute("data-badge", "connected")
    expect(one.page.locator("[data-cause=code_empty]")).to_contain_text(connected.name)
    one.page.locator("#figures").click()
    expect(one.page.locator("#figures + table tbody tr")).to_have_count(30)
    row.locator("[id^=failed-]").click()
    one.expect_state("2026-0001", "failed")


def shown(one: Person, part: Locator) -> None:
    """Wait until the page shows it by itself; without scripts it is loaded anew."""
    if one.has_scripts:
        expect(part).to_be_visible(timeout=30_000)
    else:
        one.reload_until(lambda: part.count() == 1)
