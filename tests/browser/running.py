"""The stack that the browser tests and the screenshots look at."""

from __future__ import annotations

from pathlib import Path

from tests.browser.world import SUPPORT, world
from tests.stack import Stack

# No limits, and no second attempt by itself: what a page shows stays until somebody acts.
SETTINGS = {
    "COBOT_CALLS_PER_MINUTE": "0",
    "SEVDESK_CALLS_PER_SECOND": "0",
    "UPKEEP_SECONDS": "1",
    "RETRY_FIRST_SECONDS": "900",
    "LOOKS_SECONDS": "900,1800,3600",
    "SUPPORT_USER_IDS": SUPPORT,
}
SIMULATOR = ("--cobot-per-minute", "0", "--webhook-backoff", "0.2,0.5,1,2,4")


def running(folder: Path) -> Stack:
    """Return the whole product with its world; entered as a context it runs."""
    return Stack(folder, world=world(), simulator=SIMULATOR, settings=SETTINGS, drains=2)
