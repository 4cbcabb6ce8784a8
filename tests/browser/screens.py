"""Every page in every state: how to get there. Looked at by axe, by rulers, and by people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.browser.person import Person
from tests.browser.planted import Planted
from tests.browser.world import OWNER, STRANGER, SUPPORT
from tests.e2e.worlds import token_of

WRONG_TOKEN = "0123456789abcdef" * 2


def nothing(_person: Person) -> None:
    """Leave the page as it came."""


@dataclass(frozen=True)
class Screen:
    """A page in a state. `then` is what a person does there to reach the state."""

    name: str
    path: str
    user: str | None = OWNER
    status: int = 200
    then: Callable[[Person], None] = nothing

    def show(self, person: Person) -> Page:
        person.open(self.path, status=self.status)
        with person.watch.allowing(422, 401):
            self.then(person)
        return person.page


def screens(planted: Planted) -> Iterator[Screen]:
    """All of them, sorted by who looks at them."""
    yield from _public()
    yield from _spaces(planted)
    yield from _connect(planted)
    yield from _checks(planted)
    yield from _log(planted)
    yield from _invoices(planted)
    yield from _repairs(planted)
    yield from _takeovers(planted)
    yield from _support(planted)


def _public() -> Iterator[Screen]:
    yield Screen("sign in", "/", None)
    yield Screen("sign in, too late", "/oauth/callback?state=old&code=old", None, 400)
    yield Screen("help", "/help", None)
    yield Screen("privacy", "/privacy", None)
    yield Screen("not found, signed out", "/nowhere", None, 404)


def _spaces(planted: Planted) -> Iterator[Screen]:
    yield Screen("spaces", "/spaces")
    yield Screen("spaces, found", "/spaces?q=werk")
    yield Screen("spaces, none found", "/spaces?q=qqq")
    yield Screen("spaces, admin of none", "/spaces", STRANGER)
    yield Screen("not found", "/spaces/nowhere/log", status=404)
    yield Screen("overview", "/overview")
    yield Screen("overview, connected none", "/overview", STRANGER)
    yield Screen("account", "/account")
    yield Screen("forget me", "/account/forget")


def _connect(planted: Planted) -> Iterator[Screen]:
    unconnected = "/spaces/ziegelei"
    yield Screen("connect", f"{unconnected}/sevdesk")
    yield Screen("connect, help open", f"{unconnected}/sevdesk", then=_open_help)
    yield Screen("connect, nothing entered", f"{unconnected}/sevdesk", then=_save)
    yield Screen("connect, token tested", f"{unconnected}/sevdesk", then=_enter_token)
    yield Screen("connect, wrong token", f"{unconnected}/sevdesk", then=_enter_wrong_token)
    yield Screen("log, not connected", f"{unconnected}/log")
    yield Screen("connected", f"{planted.full.path}/sevdesk")
    yield Screen("connected, special cases", f"{planted.full.path}/sevdesk#choices", then=_unfold)
    yield Screen("connected, token refused", f"{planted.refused.path}/sevdesk")
    yield Screen("settings", f"{planted.full.path}/settings")
    yield Screen("settings, not connected", "/spaces/ziegelei/settings")
    yield Screen("data", f"{planted.full.path}/data")
    yield Screen("data, person found", f"{planted.full.path}/data?q=xyz", then=_found_person)
    yield Screen("data, nobody found", f"{planted.full.path}/data?q=qqq")
    yield Screen("erase a name", f"{planted.full.path}/data?q=xyz", then=_erase)
    yield Screen("disconnect", f"{planted.full.path}/disconnect")
    yield Screen("disconnect, wrong name", f"{planted.full.path}/disconnect", then=_wrong_name)


def _checks(planted: Planted) -> Iterator[Screen]:
    place = planted.unswitched.path
    yield Screen("rehearsal, to be checked first", f"{place}/rehearsal")
    yield Screen("rehearsal, what fails", f"{place}/rehearsal?show=failed")
    yield Screen("rehearsal, no such days", f"{place}/rehearsal", then=_rehearse_nothing)
    yield Screen("rehearsal, no invoices", f"{planted.empty.path}/rehearsal")
    yield Screen("rehearsal, not connected", "/spaces/ziegelei/rehearsal")
    yield Screen("log, to be checked first", f"{place}/log")
    yield Screen("codes, never checked", f"{planted.empty.path}/mapping")
    yield Screen("codes", f"{place}/mapping", then=_check_codes)
    yield Screen("codes, assign in the row", f"{place}/mapping", then=_assign_in_row)
    yield Screen("codes, assign", f"{place}/mapping/assign?code=Fotostudio")
    yield Screen("codes, no such account", f"{place}/mapping/assign?code=Fotostudio", then=_misname)


def _log(planted: Planted) -> Iterator[Screen]:
    log = f"{planted.full.path}/log"
    yield Screen("log", log)
    yield Screen("log, to do", f"{log}?state=failed")
    yield Screen("log, filters open", f"{log}?cause=account_missing&from=2026-01-01")
    yield Screen("log, nothing fits", f"{log}?q=qqq")
    yield Screen("log, no such amount", f"{log}?amount_from=viel&from=bald", status=422)
    yield Screen("log, paused by hand", log, then=_pause)
    yield Screen("log, empty", f"{planted.empty.path}/log")
    yield Screen("log, token refused", f"{planted.refused.path}/log")
    yield Screen("retry, preview", f"{log}?state=failed", then=_preview)
    yield Screen("retry, done", f"{log}?q=2026-0117", then=_retry_all)
    yield Screen("log, new invoices", f"{planted.lively.path}/log", then=_let_issue(planted))
    yield Screen("log, connection lost", log, then=_lose_connection)
    yield Screen("log, menu open", log, then=_open_menu)
    yield Screen("retry, skip", f"{log}?state=failed", then=_skip_preview)


def _invoices(planted: Planted) -> Iterator[Screen]:
    for name in (
        "two lines", "mismatched", "missing 0", "no code", "zero tax", "correction", "rate",
        "skipped", "changed", "unknown", "waiting",
    ):  # fmt: skip
        yield Screen(f"invoice, {name}", planted.path(name))
    yield Screen("invoice, descriptions", planted.path("two lines"), then=_read_texts)
    yield Screen("invoice, details open", planted.path("two lines"), then=_unfold)


def _repairs(planted: Planted) -> Iterator[Screen]:
    mismatched = planted.path("mismatched")
    yield Screen("contacts", f"{mismatched}/contacts")
    yield Screen("contacts, none found", f"{mismatched}/contacts?q=qqq")
    yield Screen("skip an invoice", f"{planted.path('no code')}/skip")
    yield Screen("skip, no reason", f"{planted.path('no code')}/skip", then=_skip_without_reason)
    yield Screen("remote side away", f"{planted.path('waiting')}/pdf", status=503)


def _takeovers(planted: Planted) -> Iterator[Screen]:
    """Longer work of a space and what spans several: each page before, while and after."""
    coming, done = planted.takeovers.coming.path, planted.takeovers.done.path
    fresh, refused = planted.empty.path, planted.refused.path
    yield Screen("overview, figures", "/overview", then=_unfold)
    yield Screen("older invoices", f"{fresh}/backfill")
    yield Screen("older invoices, rehearsed", f"{coming}/backfill")
    yield Screen("older invoices, waiting", f"{refused}/backfill")
    yield Screen("older invoices, taken over", f"{done}/backfill")
    yield Screen("members", f"{fresh}/members")
    yield Screen("members, compared", f"{coming}/members")
    yield Screen("members, taken over", f"{done}/members")
    this, last = planted.takeovers.months
    yield Screen("months", f"{planted.full.path}/months")
    yield Screen("month, not compared", f"{fresh}/months/{last}")
    yield Screen("month, differs", f"{planted.full.path}/months/{this}")
    yield Screen("month, equal", f"{done}/months/{last}")
    yield Screen("month, waiting", f"{refused}/months/{this}")
    setup = f"{planted.full.path}/setup"
    yield Screen("set-up, choose", setup)
    yield Screen("set-up, preview", f"{setup}?from={planted.takeovers.done.subdomain}")
    shared = planted.takeovers.shared
    yield Screen(
        "set-up, one sevdesk", f"{shared.path}/setup?from={planted.takeovers.done.subdomain}"
    )
    yield Screen("settings, one sevdesk", f"{shared.path}/settings")
    yield Screen("connected, one sevdesk", f"{shared.path}/sevdesk")


def _support(planted: Planted) -> Iterator[Screen]:
    yield Screen("support", "/support", SUPPORT)
    yield Screen("support, found", "/support?q=2026-011", SUPPORT)
    yield Screen("support, nothing found", "/support?q=xyzxyz", SUPPORT)
    unvisited = f"/support/spaces/{planted.empty.subdomain}"
    yield Screen("support, reason", unvisited, SUPPORT)
    yield Screen("support, no reason", unvisited, SUPPORT, then=_no_reason)
    visited = f"/support/spaces/{planted.full.subdomain}"
    yield Screen("support, space", visited, SUPPORT, then=give_reason)
    invoice = f"{visited}/invoices/{planted.invoices['missing 0']['data']['id']}"
    yield Screen("support, invoice", invoice, SUPPORT, then=give_reason)


def _read_texts(person: Person) -> None:
    person.page.locator("#read-texts").click()
    expect(person.page.locator("#lines [role=status]")).to_be_focused()


def _open_help(person: Person) -> None:
    person.page.get_by_text(person.words["where"]).click()


def _save(person: Person) -> None:
    person.page.locator("main form button[type=submit]").first.click()
    expect(person.page.locator("#api_token[aria-invalid=true]")).to_be_visible()


def _enter_wrong_token(person: Person) -> None:
    person.page.get_by_label(person.words["token"], exact=True).fill(WRONG_TOKEN)
    person.page.get_by_label(person.words["days"]).fill("30")
    person.page.locator("main form button[type=submit]").first.click()
    expect(person.page.get_by_text(person.words["refused"]).first).to_be_visible()


def _enter_token(person: Person) -> None:
    person.page.get_by_label(person.words["token"], exact=True).fill(token_of("ziegelei"))
    expect(person.page.locator("[data-token=good]")).to_be_visible()


def _open_menu(person: Person) -> None:
    menu = person.page.locator(".space-menu summary")
    if menu.is_visible():
        menu.click()


def _skip_preview(person: Person) -> None:
    person.page.locator("input[name=pick]").first.check()
    person.page.locator("#batch button[name=skip]").click()
    expect(person.page.locator("[data-batch-state=draft]")).to_be_visible()


def _skip_without_reason(person: Person) -> None:
    person.page.locator("main form button[type=submit]").first.click()
    expect(person.page.locator("[aria-invalid=true]")).to_be_visible()


def _unfold(person: Person) -> None:
    person.page.evaluate(
        "() => document.querySelectorAll('main details').forEach((one) => { one.open = true; })"
    )


def give_reason(person: Person) -> None:
    """Say why support looks, where it is asked."""
    field = person.page.get_by_label(person.words["reason"])
    if field.count():
        field.fill("Ticket 4711")
        person.button("open to read").click()
    expect(person.page.locator(".support-bar")).to_contain_text("Ticket 4711")


def _no_reason(person: Person) -> None:
    person.button("open to read").click()
    expect(person.page.locator("[aria-invalid=true]")).to_be_visible()


def _wrong_name(person: Person) -> None:
    person.page.locator("main input[name=name]").fill("Sonstwo")
    person.page.locator("main form button[type=submit]").first.click()
    expect(person.page.locator("[aria-invalid=true]")).to_be_visible()


def _found_person(person: Person) -> None:
    """Whoever has a company is known by its name alone, as on the invoice."""
    expect(person.page.locator("[data-person] .danger-line")).to_have_count(1)


def _erase(person: Person) -> None:
    _found_person(person)
    person.page.locator("[data-person] .danger-line").first.click()
    expect(person.page.locator("main form button.danger")).to_be_visible()


def _rehearse_nothing(person: Person) -> None:
    person.page.locator("#days").fill("0")
    person.page.locator("#rehearse").click()
    expect(person.page.locator("#days[aria-invalid=true]")).to_be_visible()


def _check_codes(person: Person) -> None:
    person.page.locator("#check").click()
    expect(person.page.locator("[data-code=Fotostudio]")).to_be_visible(timeout=20_000)
    expect(person.page.locator("#task[data-task=done]")).to_be_visible(timeout=20_000)


def _assign_in_row(person: Person) -> None:
    if not person.page.locator("[data-code=Fotostudio]").count():
        _check_codes(person)
    row = person.page.locator("[data-code='Meeting räume']")
    row.locator("summary").click()
    expect(row.locator("input[name=account]")).to_be_visible()


def _misname(person: Person) -> None:
    person.page.locator("input[name=account]").fill("Nirgends")
    person.page.locator(".assign button.primary").click()
    expect(person.page.locator("input[aria-invalid=true]")).to_be_visible()


def _preview(person: Person) -> None:
    for box in person.page.locator("input[name=pick]").all()[:4]:
        box.check()
    person.page.locator("#batch button[name=ticked]").click()
    expect(person.page.locator("[data-batch-state=draft]")).to_be_visible()


def _retry_all(person: Person) -> None:
    person.page.locator("#batch button[name=all]").click()
    person.page.locator("[data-batch-state=draft] button.primary").click()
    expect(person.page.locator("[data-batch-state=done]")).to_be_visible(timeout=20_000)


def _let_issue(planted: Planted) -> Callable[[Person], None]:
    def act(person: Person) -> None:
        person.page.clock.install()
        person.page.reload()
        planted.lively.issue_one_more()
        pill = person.page.locator("#log-new a")
        for _ in range(20):
            person.later(5)
            person.page.wait_for_timeout(200)
            if pill.count():
                break
        expect(pill).to_be_visible()

    return act


def _lose_connection(person: Person) -> None:
    person.page.clock.install()
    person.page.reload()
    with person.offline():
        person.later(6)
        expect(person.page.locator("#live-lost")).to_be_visible()


def _pause(person: Person) -> None:
    person.button("pause").click()
