"""The simulator itself: one world, one lock, and what stands around them."""

import threading

from tests.simulator.calls import CallLog
from tests.simulator.checks import Json
from tests.simulator.cobot.pdf import PdfPrinter
from tests.simulator.faults import Faults
from tests.simulator.limits import Limits
from tests.simulator.options import Addresses, Options
from tests.simulator.webhooks import Webhooks
from tests.simulator.world import World


class Simulator:
    """Holds everything that lasts longer than a call. The lock makes one handler run at a time."""

    def __init__(self, world: Json, options: Options, addresses: Addresses) -> None:
        self.options = options
        self.addresses = addresses
        self.lock = threading.RLock()
        self.world = World.from_json(world)
        self.faults = Faults()
        self.calls = CallLog()
        self.limits = Limits(options.cobot_per_minute, options.sevdesk_per_second)
        self.printer = PdfPrinter()
        self.webhooks = Webhooks(self)
        self._resume_webhooks()

    def reset(self, world: object) -> None:
        """Begin again with this world, without tokens, faults and counted calls.

        The log of calls goes on. Raises WorldError and changes nothing when the world is wrong.
        """
        self.world = World.from_json(world)
        self.faults.clear()
        self.limits.forget()
        self._resume_webhooks()

    def state(self) -> Json:
        """Return the whole state, in the shape of a world."""
        return self.world.to_json(self.addresses.cobot_space)

    def _resume_webhooks(self) -> None:
        for space in self.world.cobot.spaces.values():
            self.webhooks.resume(space)
