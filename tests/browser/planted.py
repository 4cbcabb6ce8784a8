"""One space in which everything has happened that a page can show."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tests.browser.takeovers import Takeovers, plant_takeovers
from tests.browser.world import COST_CENTRE, NEW_CODE, SPACES, Place, line
from tests.browserless import Browserless
from tests.stack import Json, Stack

TAKEN = (
    "hafenkontor", "alte-weberei", "bergloft", "speicherstadt", "ostwerk", "turmzimmer",
    "uferhalle", "viktoria",
)  # fmt: skip
"""Spaces with what is planted there; the other ones are for one story each."""
FINAL = {"synced", "mismatched", "failed", "skipped"}
UNREAD = "cc7e75473a6911587b63d78f4e3f8eba"
"""An id as long as Cobot's are: it stands for the number where none was read yet."""


@dataclass(frozen=True)
class Planted:
    """The space with everything, an empty one, one with a refused token, a lively one, one that is
    to be checked first, and those with longer work."""

    full: Place
    empty: Place
    refused: Place
    lively: Place
    unswitched: Place
    invoices: dict[str, Json]
    takeovers: Takeovers

    def path(self, name: str) -> str:
        """Return the address of an invoice's page by what happened to it."""
        return self.full.invoice_path(self.invoices[name])

    def number(self, name: str) -> str:
        return str(self.invoices[name]["data"]["attributes"]["number"])


def plant(stack: Stack, owner: Browserless) -> Planted:
    """Let it happen; returns when every invoice has come to rest."""
    full, empty, refused, lively, unswitched = (Place(stack, key, SPACES[key]) for key in TAKEN[:5])
    for place in (full, empty, refused, lively):
        owner.connect(place.subdomain, place.token, cost_centre=COST_CENTRE)
    _to_be_checked(unswitched, owner)
    invoices = _finished(full)
    _wait(stack, owner, full, invoices, FINAL)
    path = f"/cobot/spaces/{full.subdomain}/invoices/{invoices['changed']['data']['id']}"
    stack.control("PATCH", path, {"customerNumber": "9999"})

    full.fault("sevdesk", "/Voucher/Factory/saveVoucher", "status:500", method="POST")
    invoices["unknown"] = full.issue("2026-0121")
    _wait(stack, owner, full, {"unknown": invoices["unknown"]}, {"unknown"})
    full.fault("cobot-api", f"/invoices/{UNREAD}*", "status:503", times=0)
    invoices["waiting"] = full.issue("2026-0122", id=UNREAD)

    stack.control("PATCH", f"/sevdesk/{refused.token}", {"revoked": True})
    refused.issue("2026-0201")
    stack.wait_until(
        lambda: (
            'data-badge="token' in owner.get(f"/spaces?q={refused.subdomain}").html
            or "paus" in owner.get(refused.path + "/log").html
        ),
        "the refused token to pause its space",
    )
    takeovers = plant_takeovers(stack, owner, full, refused, *TAKEN[5:])
    return Planted(full, empty, refused, lively, unswitched, invoices, takeovers)


def _to_be_checked(place: Place, owner: Browserless) -> None:
    """Save but check first, with old invoices of which some would fail."""
    for number in range(1, 5):
        place.issue(f"2026-030{number}", debtor=number % 4)
    place.issue("2026-0305", line("Meeting räume", "35.0"))
    place.issue("2026-0306", line(NEW_CODE, "35.0"), line("Fotostudio", "90.0"))
    place.issue("2026-0307", debtor=None)
    place.issue("2026-0308", line(rate="0"))
    owner.connect(place.subdomain, place.token, cost_centre=COST_CENTRE, check_first=True)


def _finished(full: Place) -> dict[str, Json]:
    """Issue what ends by itself: name -> Cobot's invoice."""
    made = {
        f"synced {place}": full.issue(f"2026-01{place:02}", debtor=place % 4)
        for place in range(1, 9)
    }
    made["two lines"] = full.issue(
        "2531-Ljnk-278", line(), line("Getränke", "2.80", "7.0", "Apfelschorle"), debtor=2
    )
    made["changed"] = full.issue("2026-0109")
    made["mismatched"] = full.issue("2026-0110", debtor=None)
    for place in range(3):
        made[f"missing {place}"] = full.issue(
            f"2026-011{place + 1}", line(NEW_CODE, str(Decimal("35.00") + place)), debtor=place
        )
    made["no code"] = full.issue("2026-0114", line(None, "19.0"))
    made["zero tax"] = full.issue("2026-0115", line(rate="0"))
    made["correction"] = full.issue("2026-0116", line(net="-220.0"))
    made["rate"] = full.issue("2026-0117", line(rate="16.0"))
    made["skipped"] = full.issue("2026-0118", line(net="0.0"))
    return made


def _wait(
    stack: Stack, owner: Browserless, place: Place, invoices: dict[str, Json], states: set[str]
) -> None:
    def is_so() -> bool:
        rows = {row.number: row.state for row in owner.log_rows(place.subdomain)}
        numbers = (one["data"]["attributes"]["number"] for one in invoices.values())
        return all(rows.get(number) in states for number in numbers)

    stack.wait_until(is_so, f"{place.name} to have everything in {states}", seconds=60, every=0.3)
