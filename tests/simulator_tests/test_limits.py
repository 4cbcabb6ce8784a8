import copy
import time
from collections.abc import Iterator

import pytest

from tests.simulator_tests.conftest import SEVDESK_TOKEN, WORLD
from tests.simulator_tests.driver import Driver, running


@pytest.fixture(scope="module")
def limited_process() -> Iterator[Driver]:
    arguments = ("--sevdesk-per-second", "2", "--latency-ms", "5", "--webhook-delay-ms", "300")
    with running(*arguments) as driver:
        yield driver


@pytest.fixture
def limited(limited_process: Driver) -> Driver:
    limited_process.reset(copy.deepcopy(WORLD))
    return limited_process


def statuses(calls, count):
    return [calls().status_code for _ in range(count)]


def test_sixty_calls_a_minute_per_user_and_endpoint(limited):
    token, user_token = limited.space_token(), limited.user_token()
    assert statuses(lambda: limited.api2("/invoices/inv-1", token), 60) == [200] * 60
    refused = limited.api2("/invoices/inv-b", user_token)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json()["errors"][0]["status"] == "429"
    assert limited.api2("/invoices/inv-1.pdf", token).status_code == 200
    assert limited.api2("/invoices/inv-1", limited.space_token("second")).status_code == 200


def test_six_lists_of_members_a_minute(limited):
    token = limited.space_token()
    calls = statuses(lambda: limited.space("GET", "/api/memberships", token), 7)
    assert calls == [200] * 6 + [429]
    assert limited.space("GET", "/api/memberships/mem-1", token).status_code == 200


def test_sevdesk_allows_so_many_calls_a_second_per_token(limited):
    def call(token=SEVDESK_TOKEN):
        address = f"{limited.ready['SEVDESK_API_URL']}/Voucher"
        return limited.http.get(address, headers={"Authorization": token})

    assert statuses(call, 3) == [200, 200, 429]
    refused = call()
    assert refused.headers["Retry-After"] == "1"
    assert "message" in refused.json()["error"]
    assert call("b" * 32).status_code == 401


def test_latency_is_on_both_sides_and_not_on_the_control(limited):
    started = time.monotonic()
    limited.www("GET", "/api/spaces/alpha")
    assert time.monotonic() - started >= 0.005
    last = limited.control("GET", "/calls").json()["calls"][-1]
    assert last["ms"] >= 5


def test_webhooks_wait_for_their_delay(limited, receiver):
    body = {"event": "created_invoice", "callback_url": receiver.url("/")}
    limited.space("POST", "/api/subscriptions", limited.space_token(), body)
    started = time.monotonic()
    limited.control("POST", "/cobot/spaces/alpha/invoices", {})
    assert limited.space_state()["deliveries"][0]["next_at"] > time.time()
    receiver.wait_for(1)
    assert time.monotonic() - started >= 0.3
