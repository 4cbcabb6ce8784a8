"""Lets something happen in a space that a visitor of the demo connects by hand."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress

import requests

from tests.stack import Json, Stack

LOOKS_EVERY_SECONDS = 2.0
NUMBER = "2026-1001"
NET = "120.00"


class Welcome:
    """Has Cobot issue one invoice in each space that is connected after the story.

    Whoever tries the portal sees a first invoice arrive without knowing the simulator's calls.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._greeted = {space["subdomain"] for space in _connected(stack.state())}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="welcome", daemon=True)

    def __enter__(self) -> Welcome:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(LOOKS_EVERY_SECONDS):
            with suppress(requests.RequestException):  # the simulator may be starting anew
                self.look()

    def look(self) -> list[str]:
        """Issue what is due now; returns the spaces where it was."""
        found = [
            space
            for space in _connected(self._stack.state())
            if space["subdomain"] not in self._greeted
        ]
        for space in found:
            self._greeted.add(space["subdomain"])
            self._stack.create_invoice(space["subdomain"], _invoice(space))
        return [space["subdomain"] for space in found]


def _connected(state: Json) -> list[Json]:
    """Return the spaces from which Cobot sends webhooks."""
    return [space for space in state["spaces"] if space["subscriptions"]]


def _invoice(space: Mapping[str, list[Json]]) -> Json:
    member, code = space["memberships"][0], space["accounting_codes"][0]
    rate = code["tax_rate"]
    taxes = [{"name": "USt", "rate": rate}] if rate else []
    return {
        "number": NUMBER,
        "debitor": {"type": "memberships", "id": member["id"]},
        "items": [
            {
                "description": code["name"],
                "accountingCode": code["name"],
                "amount": {"net": NET, "currency": "EUR", "taxes": taxes},
            }
        ],
    }
