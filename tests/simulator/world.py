"""A whole world: both sides, read strictly from JSON and written in the same shape again."""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from tests.simulator.checks import Fields, Json
from tests.simulator.cobot.state import CobotSide
from tests.simulator.cobot.world import cobot_from_world, cobot_to_world
from tests.simulator.sevdesk import SevdeskSide

KEYS = ("clients", "users", "spaces", "sevdesk")


class World:
    """Everything both sides know at this moment."""

    def __init__(self, cobot: CobotSide, sevdesk: SevdeskSide) -> None:
        self.cobot = cobot
        self.sevdesk = sevdesk

    @classmethod
    def from_json(cls, value: object) -> "World":
        """Return the world; raises WorldError with the place of the first thing that is wrong."""
        given = Fields(value, "world", KEYS)
        return cls(
            cobot_from_world(given), SevdeskSide.from_world(given.many("sevdesk"), german_today)
        )

    def to_json(self, space_url: Callable[[str], str]) -> Json:
        """Return the state; `from_json` makes the same world of it."""
        return {**cobot_to_world(self.cobot, space_url), "sevdesk": self.sevdesk.to_world()}


def german_today() -> date:
    """Return the day it is at sevdesk."""
    return datetime.now(ZoneInfo("Europe/Berlin")).date()
