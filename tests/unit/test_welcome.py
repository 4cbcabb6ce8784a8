"""The demo lets something happen in the spaces that a visitor connects."""

from __future__ import annotations

from typing import Any, cast

from tests.demo.welcome import Welcome
from tests.stack import Stack


class Remote:
    """The remote sides' state, and the invoices that were issued."""

    def __init__(self) -> None:
        self.spaces = [space("told", True), space("visited", False)]
        self.issued: list[tuple[str, str]] = []

    def state(self) -> dict[str, Any]:
        return {"spaces": self.spaces}

    def create_invoice(self, subdomain: str, invoice: dict[str, Any]) -> None:
        self.issued.append((subdomain, invoice["items"][0]["accountingCode"]))


def space(subdomain: str, is_connected: bool) -> dict[str, Any]:
    return {
        "subdomain": subdomain,
        "subscriptions": [{"event": "created_invoice"}] if is_connected else [],
        "memberships": [{"id": f"mem-{subdomain}"}],
        "accounting_codes": [{"name": "4400", "tax_rate": "19.0"}],
    }


def test_each_space_connected_by_hand_gets_one_invoice() -> None:
    remote = Remote()
    welcome = Welcome(cast(Stack, remote))
    assert welcome.look() == []
    remote.spaces[1]["subscriptions"] = [{"event": "created_invoice"}]
    assert welcome.look() == ["visited"]
    assert welcome.look() == []
    assert remote.issued == [("visited", "4400")]
