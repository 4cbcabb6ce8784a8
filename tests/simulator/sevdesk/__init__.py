"""The sevdesk side of the simulator: clients, contacts, vouchers, and how sevdesk refuses what is
wrong."""

from tests.simulator.sevdesk.api import sevdesk_blueprint
from tests.simulator.sevdesk.client import SevdeskClient
from tests.simulator.sevdesk.control import sevdesk_control_blueprint
from tests.simulator.sevdesk.side import SevdeskSide

__all__ = ["SevdeskClient", "SevdeskSide", "sevdesk_blueprint", "sevdesk_control_blueprint"]
