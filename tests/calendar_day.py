"""Which day it is in the simulated spaces, whatever clock this machine goes by."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
"""The zone of the simulated spaces and the portal's default: around midnight the day in UTC is
another, and an invoice of that day lies before the start of a space connected just now."""


def today(days_ago: int = 0) -> date:
    """Return today's date in a simulated space, or a day before it."""
    return datetime.now(ZONE).date() - timedelta(days=days_ago)
