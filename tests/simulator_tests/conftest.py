"""One simulator for all tests; each begins with a fresh world."""

import copy
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.simulator_tests.driver import Driver, Receiver, running

SEVDESK_TOKEN = "a" * 32
WORLD: dict[str, Any] = {
    "users": [
        {"id": "owner", "email": "ada@example.org", "name": "Ada", "admin_of": ["spc-a", "spc-b"]},
        {"id": "second", "email": "ben@example.org", "name": "Ben", "admin_of": ["spc-a"]},
        {"id": "stranger", "email": "eve@example.org", "name": "Eve", "admin_of": []},
    ],
    "spaces": [
        {
            "id": "spc-a",
            "subdomain": "alpha",
            "name": "Alpha",
            "accounting_codes": [
                {"name": "Desk", "tax_rate": "19.0"},
                {"name": "Bar", "tax_rate": None},
            ],
            "memberships": [
                {
                    "id": "mem-1",
                    "name": "Mia Beispiel",
                    "email": "mia@example.org",
                    "customer_number": "10000",
                    "user": {"id": "stranger", "email": "eve@example.org"},
                    "address": {
                        "company": "Beispiel GmbH",
                        "name": "Mia Beispiel",
                        "address": "Hauptstr. 1",
                        "post_code": "10115",
                        "city": "Berlin",
                        "country": "Germany",
                    },
                }
            ],
            "teams": [
                {"id": "team-1", "name": "Beispiel", "members": [{"id": "mem-1", "role": "paying"}]}
            ],
            "contacts": [{"id": "con-1", "email": "gast@example.org", "address": {"name": "Gast"}}],
            "invoices": [
                {
                    "id": "inv-1",
                    "number": "2531-Ljnk-278",
                    "invoiceDate": "2025-02-28",
                    "debitor": {"type": "memberships", "id": "mem-1"},
                    "items": [
                        {"accountingCode": "Desk", "quantity": "2.0", "amount": {"net": "110.0"}}
                    ],
                }
            ],
        },
        {"id": "spc-b", "subdomain": "beta", "name": "Beta", "invoices": [{"id": "inv-b"}]},
    ],
    "sevdesk": [{"token": SEVDESK_TOKEN}],
}


@pytest.fixture(scope="session")
def started() -> Iterator[Driver]:
    with running("--cobot-per-minute", "0", "--webhook-backoff", "0.05,0.05") as driver:
        yield driver


@pytest.fixture
def simulator(started: Driver) -> Driver:
    started.reset(copy.deepcopy(WORLD))
    return started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Ask again until the answer is true, for five seconds at most."""

    def wait(question: Callable[[], Any]) -> Any:
        ends_at = time.monotonic() + 5
        pause = threading.Event()
        while not (answer := question()):
            assert time.monotonic() < ends_at, "it never came true"
            pause.wait(0.02)
        return answer

    return wait
