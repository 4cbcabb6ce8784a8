"""Spaces with longer work: looked at and about to begin, done, waiting; and two on one sevdesk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from tests.browser.world import COST_CENTRE, NEW_CODE, SPACES, Place, line
from tests.browserless import Browserless, Page
from tests.calendar_day import today
from tests.stack import Stack

MONEY = ("220.0", "35.0", "19.90", "640.0", "12.50", "99.0")


@dataclass(frozen=True)
class Takeovers:
    """`coming`: all looks are done, `done`: all work is; `shared` books into the latter's sevdesk.

    `months`: this month and the last one, as their pages are called.
    """

    coming: Place
    done: Place
    shared: Place
    months: tuple[str, str]


def last_month() -> date:
    """Return a day in the middle of the last month."""
    return (today().replace(day=1) - timedelta(days=1)).replace(day=14)


def old_invoices(place: Place, *, with_faults: bool) -> None:
    """Let Cobot have invoices of the last month that it told nobody of."""
    when = last_month().isoformat()
    for at, money in enumerate(MONEY):
        place.issue(f"2026-03{at:02}", line(net=money), debtor=at % 4, told=False, invoiceDate=when)
    if with_faults:
        place.issue("2026-0310", line(NEW_CODE, "35.0"), told=False, invoiceDate=when)
        place.issue("2026-0311", line(NEW_CODE, "70.0"), told=False, invoiceDate=when)
        place.issue("2026-0312", debtor=None, told=False, invoiceDate=when)
        place.issue("2026-0313", line(net="0.0"), told=False, invoiceDate=when)


def plant_takeovers(
    stack: Stack, owner: Browserless, full: Place, refused: Place, *subdomains: str
) -> Takeovers:
    """Let it happen in three spaces of their own, and in those with everything and no token."""
    coming, done, shared = (Place(stack, key, SPACES[key]) for key in subdomains)
    for place in (coming, done):
        owner.connect(place.subdomain, place.token, cost_centre=COST_CENTRE)
        old_invoices(place, with_faults=place is coming)
    owner.connect(shared.subdomain, done.token, due_after_days=14)
    choices = owner.get(f"{done.path}/sevdesk").form(f"{done.path}/choices")
    owner.submit(choices, zero_tax_rule="4", corrections="negative")
    this, last = f"{today():%Y-%m}", f"{last_month():%Y-%m}"
    for place in (coming, done):
        rehearse(owner, place)
        begin(owner, f"{place.path}/members")
    for place in (coming, done):
        _wait(stack, owner, f"{place.path}/backfill", "look-ready")
        _wait(stack, owner, f"{place.path}/members", "look-ready")
    for path in (f"{done.path}/backfill", f"{done.path}/members"):
        _press(owner, owner.get(path), "start")
        _wait(stack, owner, path, "work-done")
    for place, month in ((full, this), (done, last), (refused, this)):
        begin(owner, f"{place.path}/months/{month}")
    _wait(stack, owner, f"{full.path}/months/{this}", "done")
    _wait(stack, owner, f"{done.path}/months/{last}", "done")
    rehearse(owner, refused)
    return Takeovers(coming, done, shared, (this, last))


def rehearse(owner: Browserless, place: Place) -> None:
    path = f"{place.path}/backfill"
    window = {"from_date": last_month().replace(day=1), "to_date": today()}
    form = owner.get(path).form(path)
    owner.submit(form, **{name: one.isoformat() for name, one in window.items()})


def begin(owner: Browserless, path: str) -> None:
    """Press the button of a page that posts to the page itself."""
    owner.submit(owner.get(path).form(path))


def _press(owner: Browserless, page: Page, step: str) -> None:
    for form in page.forms():
        if form.method == "post" and form.action.endswith(f"/{step}"):
            owner.submit(form)
            return
        if form.method == "post" and form.action.endswith("/decide"):
            owner.submit(form, **{step: "1"})
            return
    raise AssertionError(f"{page.url} has no button to {step}")


def _wait(stack: Stack, owner: Browserless, path: str, state: str) -> None:
    stack.wait_until(
        lambda: f'data-task="{state}"' in owner.get(path).html,
        f"{path} to be {state}",
        seconds=60,
        every=0.3,
    )
