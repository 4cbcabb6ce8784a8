import hashlib
import json

import pytest

from tests.simulator_tests.conftest import SEVDESK_TOKEN


def test_reset_with_the_state_gives_that_state_again(simulator, receiver, until):
    token = simulator.space_token()
    for event in ("created_invoice", "updated_invoice"):
        body = {"event": event, "callback_url": receiver.url(f"/{event}")}
        simulator.space("POST", "/api/subscriptions", token, body)
    simulator.space("POST", "/api/activities", token, {"text": "hallo", "source_ids": ["inv-1"]})
    debitor = {"type": "memberships", "id": "mem-1"}
    simulator.control("POST", "/cobot/spaces/alpha/invoices", {"debitor": debitor})
    simulator.control("DELETE", "/cobot/spaces/alpha/memberships/mem-1")
    receiver.wait_for(1)
    until(lambda: simulator.space_state()["deliveries"][0]["attempts"])
    before = simulator.state()
    simulator.reset(before)
    assert simulator.state() == before


def test_a_webhook_still_open_in_the_state_is_sent_after_the_reset(simulator, receiver, until):
    body = {"event": "created_invoice", "callback_url": receiver.url("/")}
    simulator.space("POST", "/api/subscriptions", simulator.space_token(), body)
    simulator.control("POST", "/cobot/spaces/alpha/invoices?webhook=0", {"id": "inv-2"})
    state = simulator.state()
    open_delivery = {
        "event": "created_invoice",
        "url": "http://127.0.0.1/api/invoices/inv-2",
        "callback_url": receiver.url("/"),
        "attempts": [],
        "next_at": 1.0,
    }
    state["spaces"][0]["deliveries"] = [open_delivery]
    simulator.reset(state)
    assert receiver.wait_for(1)[0][1] == {"url": open_delivery["url"]}


@pytest.mark.parametrize(
    ("world", "place"),
    [
        ({"space": []}, "world: unknown key space"),
        ({"spaces": {}}, "world.spaces"),
        ({"spaces": [{"title": "x"}]}, "spaces[0]: unknown key title"),
        (
            {"spaces": [{"memberships": [{"nam": "x"}]}]},
            "spaces[0].memberships[0]: unknown key nam",
        ),
        ({"spaces": [{"id": "a"}, {"id": "a"}]}, "spaces[1].id"),
        ({"spaces": [{"subdomain": "A b"}]}, "spaces[0].subdomain"),
        ({"spaces": [{"timeZone": "Mars"}]}, "spaces[0].timeZone"),
        ({"users": [{"admin_of": ["none"]}]}, "users[0].admin_of"),
        ({"clients": [{"client_id": "a", "secret": "b"}]}, "clients[0]: unknown key secret"),
        ({"spaces": [{"suspended": "no"}]}, "spaces[0].suspended"),
    ],
)
def test_a_wrong_world_is_400_names_the_place_and_changes_nothing(simulator, world, place):
    before = simulator.state()
    answer = simulator.control("POST", "/reset", {"world": world})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(place)
    assert simulator.state() == before
    assert simulator.control("POST", "/reset", {}).status_code == 400


def test_ids_and_numbers_left_out_never_meet_given_ones(simulator):
    simulator.reset({"spaces": [{"subdomain": "alpha", "memberships": [{"name": "A"}]}]})
    [first] = simulator.space_state()["memberships"]
    members = [{"name": "A"}, {"name": "B", "id": first["id"], "customer_number": "1"}]
    simulator.reset({"spaces": [{"subdomain": "alpha", "memberships": members}]})
    made = simulator.space_state()["memberships"]
    assert [member["name"] for member in made] == ["A", "B"]
    assert made[1]["id"] == first["id"] != made[0]["id"]
    assert (made[0]["customer_number"], made[1]["customer_number"]) == ("2", "1")


def test_objects_are_made_as_the_real_side_shows_them(simulator):
    def create(kind, body):
        answer = simulator.control("POST", f"/cobot/spaces/alpha/{kind}", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    assert create("memberships", {"name": "Neu"})["plan"]["name"] == "Flex"
    assert create("teams", {"name": "Neu"})["data"]["type"] == "teams"
    assert create("contacts", {"email": "x@example.org"})["data"]["type"] == "contacts"
    assert create("invoices", {})["data"]["type"] == "invoices"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/cobot/spaces/none/invoices", {}, 404),
        ("POST", "/cobot/spaces/alpha/bookings", {}, 404),
        ("PATCH", "/cobot/spaces/alpha/teams/none", {}, 404),
        ("DELETE", "/cobot/spaces/alpha/contacts/none", None, 404),
        ("PATCH", "/cobot/users/none", {}, 404),
        ("GET", "/nothing", None, 404),
        ("PATCH", "/cobot/users/owner", {"admin_of": ["none"]}, 400),
        ("PATCH", "/cobot/spaces/alpha", {"invoices": []}, 400),
        ("PATCH", "/cobot/spaces/alpha/memberships/mem-1", {"id": "x"}, 400),
        ("POST", "/cobot/spaces/alpha/memberships", ["x"], 400),
        ("GET", "/calls?after=x", None, 400),
    ],
)
def test_wrong_control_calls_say_what_is_wrong(simulator, method, path, body, status):
    answer = simulator.control(method, path, body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


def test_accounting_codes_are_edited_by_name_or_all_at_once(simulator):
    base = "/cobot/spaces/alpha/accounting_codes"
    assert simulator.control("PATCH", f"{base}/Bar", {"tax_rate": "7"}).json()["tax_rate"] == "7"
    assert simulator.control("POST", base, {"name": "A/B"}).status_code == 201
    assert simulator.control("DELETE", f"{base}/A/B").status_code == 200
    codes = [{"name": "Nur", "tax_rate": None}]
    assert simulator.control("PATCH", base, {"accounting_codes": codes}).json() == codes
    assert simulator.space_state()["accounting_codes"] == codes


def test_a_deleted_space_is_gone_with_its_rights(simulator):
    token = simulator.space_token()
    assert simulator.control("DELETE", "/cobot/spaces/alpha").status_code == 200
    assert simulator.api2("/invoices/inv-1", token).status_code == 401
    assert simulator.state()["users"][1]["admin_of"] == []


def test_every_call_is_logged_without_any_token(simulator):
    start = simulator.control("GET", "/calls").json()["last"]
    code = simulator.code()
    user_token = simulator.exchange(code).json()["access_token"]
    body = {"space_id": "spc-a"}
    path = f"/api/access_tokens/{user_token}/space"
    token = simulator.www("POST", path, user_token, body).json()["token"]
    invoice = simulator.api2("/invoices/inv-1?a=b", token).json()
    link = invoice["data"]["attributes"]["pdf"]["url"]
    simulator.http.get(link)
    simulator.space("GET", "/api/memberships", token)
    simulator.http.get(
        f"{simulator.ready['SEVDESK_API_URL']}/Voucher", headers={"Authorization": SEVDESK_TOKEN}
    )
    log = simulator.control("GET", f"/calls?after={start}").json()
    calls = log["calls"]
    assert [(c["side"], c["method"], c["path"], c["status"]) for c in calls] == [
        ("cobot-www", "POST", "/oauth/authorize", 302),
        ("cobot-www", "POST", "/oauth/access_token", 200),
        ("cobot-www", "POST", "/api/access_tokens/-/space", 201),
        ("cobot-api", "GET", "/invoices/inv-1", 200),
        ("cobot-api", "GET", "/invoices/inv-1.pdf", 200),
        ("cobot-space", "GET", "/api/memberships", 200),
        ("sevdesk", "GET", "/Voucher", 200),
    ]
    assert [c["n"] for c in calls] == list(range(start + 1, log["last"] + 1))
    assert calls[3]["query"] == "a=b"
    assert calls[3]["caller"] == hashlib.sha256(token.encode()).hexdigest()[:12]
    assert [c["space"] for c in calls[3:]] == ["alpha", "alpha", "alpha", None]
    assert calls[0]["caller"] is None
    keys = "n at side method path query status ms bytes caller space fault"
    assert " ".join(calls[0]) == keys
    text = json.dumps(calls)
    secrets = (token, user_token, code, SEVDESK_TOKEN, link.split("token=")[1])
    assert [secret for secret in secrets if secret in text] == []


def test_kept_connections_answer_without_delay(simulator):
    token = simulator.space_token()
    start = simulator.control("GET", "/calls").json()["last"]
    answers = [simulator.api2("/invoices/inv-1", token) for _ in range(50)]
    # The middle one: a busy machine slows a single call, a held back answer slows them all.
    assert sorted(answer.elapsed.total_seconds() for answer in answers)[25] < 0.03
    assert simulator.control("GET", f"/calls?after={start}").json()["last"] == start + 50
