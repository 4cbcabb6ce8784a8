import time

import pytest
import requests

from tests.simulator_tests.conftest import SEVDESK_TOKEN


def write_number(simulator, token, number="55"):
    return simulator.space("PUT", "/api/memberships/mem-1", token, {"customer_number": number})


def number(simulator):
    return simulator.space_state()["memberships"][0]["customer_number"]


def sevdesk(simulator, path):
    address = f"{simulator.ready['SEVDESK_API_URL']}{path}"
    return simulator.http.get(address, headers={"Authorization": SEVDESK_TOKEN})


@pytest.mark.parametrize(
    ("side", "shape"),
    [("cobot-api", list), ("cobot-space", dict), ("cobot-www", dict)],
)
def test_a_status_comes_in_the_shape_of_its_side(simulator, side, shape):
    token = simulator.space_token()
    simulator.fault(side=side, effect="status:429:retry-after=7", times=0)
    answer = {
        "cobot-api": lambda: simulator.api2("/invoices/inv-1", token),
        "cobot-space": lambda: simulator.space("GET", "/api/memberships", token),
        "cobot-www": lambda: simulator.www("GET", "/api/user", token),
    }[side]()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert isinstance(answer.json()["errors"], shape)


def test_a_status_of_sevdesk_has_its_error_object_and_a_bad_gateway_is_html(simulator):
    simulator.fault(side="sevdesk", effect="status:422")
    simulator.fault(side="sevdesk", effect="status:502")
    answer = sevdesk(simulator, "/Voucher")
    assert answer.status_code == 422
    assert "message" in answer.json()["error"]
    assert sevdesk(simulator, "/Voucher").text.startswith("<html>")
    assert sevdesk(simulator, "/Voucher").status_code == 200


def test_a_status_is_given_before_anything_is_done(simulator):
    token = simulator.space_token()
    path = "/api/memberships/*"
    simulator.fault(side="cobot-space", method="put", path=path, effect="status:500")
    assert write_number(simulator, token).status_code == 500
    assert number(simulator) == "10000"
    assert write_number(simulator, token).status_code == 200


@pytest.mark.parametrize(
    ("effect", "after"), [("reset_before", "10000"), ("reset_after_commit", "55")]
)
def test_a_reset_breaks_the_connection(simulator, effect, after):
    token = simulator.space_token()
    simulator.fault(side="cobot-space", method="PUT", effect=effect)
    with pytest.raises(requests.ConnectionError, match="reset"):
        write_number(simulator, token)
    assert number(simulator) == after


def test_a_status_after_commit_hides_that_it_was_done(simulator):
    token = simulator.space_token()
    simulator.fault(side="cobot-space", method="PUT", effect="status_after_commit:503")
    assert write_number(simulator, token).status_code == 503
    assert number(simulator) == "55"


def test_no_id_after_commit_takes_every_id_out(simulator):
    token = simulator.space_token()
    simulator.fault(side="cobot-space", method="PUT", effect="no_id_after_commit")
    answer = write_number(simulator, token)
    assert answer.status_code == 200
    assert '"id"' not in answer.text
    assert answer.json()["customer_number"] == "55"


def test_a_hang_does_nothing_for_a_client_that_has_gone(simulator, until):
    token = simulator.space_token()
    start = simulator.control("GET", "/calls").json()["last"]
    simulator.fault(side="cobot-space", method="PUT", effect="hang:0.4")
    base = simulator.ready["COBOT_SPACE_URL"].format(subdomain="alpha")
    with pytest.raises(requests.Timeout):
        requests.put(
            f"{base}/api/memberships/mem-1",
            json={"customer_number": "55"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=0.1,
        )
    calls = until(lambda: simulator.control("GET", f"/calls?after={start}").json()["calls"])
    assert calls[0]["status"] == 0
    assert number(simulator) == "10000"


@pytest.mark.parametrize("effect", ["hang:0.3", "hang_after_commit:0.3", "slow_body:0.3"])
def test_slow_answers_come_in_the_end_and_hold_nobody_else_up(simulator, effect):
    token = simulator.space_token()
    simulator.fault(side="cobot-space", method="PUT", effect=effect)
    started = time.monotonic()
    assert write_number(simulator, token).json()["customer_number"] == "55"
    assert time.monotonic() - started >= 0.3


def test_garbage_is_200_without_json(simulator):
    simulator.fault(side="cobot-api", path="/invoices/*", effect="garbage")
    answer = simulator.api2("/invoices/inv-1", simulator.space_token())
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_faults_let_calls_through_first_and_count_what_is_left(simulator):
    token = simulator.space_token()
    first = simulator.fault(side="cobot-api", effect="status:500", after=1, times=2)
    second = simulator.fault(side="cobot-api", effect="status:503", times=0)
    statuses = [simulator.api2("/invoices/inv-1", token).status_code for _ in range(4)]
    assert statuses == [503, 500, 500, 503]
    listed = simulator.control("GET", "/faults").json()["faults"]
    assert [(f["id"], f["left"]) for f in listed] == [(first, 0), (second, None)]
    assert simulator.control("DELETE", f"/faults/{first}").status_code == 200
    assert simulator.control("DELETE", f"/faults/{first}").status_code == 404
    assert simulator.control("DELETE", "/faults").status_code == 200
    assert simulator.api2("/invoices/inv-1", token).status_code == 200


def test_a_fault_can_be_for_one_space_or_one_token(simulator):
    alpha, beta = simulator.space_token(), simulator.space_token(space_id="spc-b")
    simulator.fault(side="cobot-api", effect="status:500", times=0, space="alpha")
    assert simulator.api2("/invoices/inv-1", alpha).status_code == 500
    assert simulator.api2("/invoices/inv-b", beta).status_code == 200
    simulator.control("DELETE", "/faults")
    simulator.fault(side="cobot-api", effect="status:500", times=0, token=beta)
    assert simulator.api2("/invoices/inv-1", alpha).status_code == 200
    assert simulator.api2("/invoices/inv-b", beta).status_code == 500


@pytest.mark.parametrize(
    "body",
    [
        {"side": "cobot", "effect": "garbage"},
        {"side": "cobot-api", "effect": "explode"},
        {"side": "cobot-api", "effect": "status:abc"},
        {"side": "cobot-api", "effect": "status:429:retry-after=soon"},
        {"side": "cobot-api", "effect": "hang"},
        {"side": "cobot-api", "effect": "search_lag:3"},
        {"side": "cobot-api", "effect": "drop_webhook"},
        {"side": "cobot-api", "effect": "garbage", "times": -1},
        {"side": "cobot-api", "effect": "garbage", "when": "now"},
        ["garbage"],
    ],
)
def test_a_wrong_fault_is_400(simulator, body):
    answer = simulator.control("POST", "/faults", body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_search_lag_hides_young_vouchers(simulator):
    path = f"/sevdesk/{SEVDESK_TOKEN}/vouchers"
    made = simulator.control("POST", path, {"description": "R-1"})
    assert made.status_code == 201, made.text
    simulator.fault(side="sevdesk", method="GET", path="/Voucher", effect="search_lag:60")
    assert sevdesk(simulator, "/Voucher?descriptionLike=R-1").json()["objects"] == []
    assert len(sevdesk(simulator, "/Voucher?descriptionLike=R-1").json()["objects"]) == 1
