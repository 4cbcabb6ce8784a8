import pytest


def subscribe(simulator, receiver, event="created_invoice", path=None):
    body = {"event": event, "callback_url": receiver.url(path or f"/{event}")}
    answer = simulator.space("POST", "/api/subscriptions", simulator.space_token(), body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def create_invoice(simulator, query="", **body):
    simulator.control("POST", f"/cobot/spaces/alpha/invoices{query}", body)


def test_a_webhook_says_only_where_the_object_is(simulator, receiver, until):
    subscribe(simulator, receiver)
    create_invoice(simulator, id="inv-2")
    base = simulator.ready["COBOT_SPACE_URL"].format(subdomain="alpha")
    url = f"{base}/api/invoices/inv-2"
    assert receiver.wait_for(1) == [("/created_invoice", {"url": url})]
    until(lambda: simulator.space_state()["deliveries"][0]["attempts"])
    delivery = simulator.space_state()["deliveries"][0]
    assert delivery["attempts"][0]["status"] == 202
    assert {**delivery, "attempts": []} == {
        "event": "created_invoice",
        "url": url,
        "callback_url": receiver.url("/created_invoice"),
        "attempts": [],
        "next_at": None,
    }


def test_webhook_0_tells_nobody(simulator, receiver):
    subscribe(simulator, receiver)
    create_invoice(simulator, "?webhook=0")
    assert simulator.space_state()["deliveries"] == []


def test_every_change_has_its_event(simulator, receiver, until):
    events = (
        "confirmed_membership",
        "updated_membership_details",
        "deleted_membership",
        "updated_invoice",
        "wrote_off_invoice",
        "requested_e_invoice",
        "deleted_invoice",
    )
    for event in events:
        subscribe(simulator, receiver, event)

    def change(method, path, body=None):
        answer = simulator.control(method, f"/cobot/spaces/alpha/{path}", body)
        assert answer.ok, answer.text

    def events_so_far():
        return [d["event"] for d in simulator.space_state()["deliveries"]]

    change("POST", "memberships", {"id": "mem-2", "confirmed_at": None})
    assert events_so_far() == []
    change("PATCH", "memberships/mem-2", {"confirmed_at": "2026-03-01T12:00:00Z"})
    change("PATCH", "memberships/mem-2", {"phone": "1"})
    change("POST", "memberships", {"name": "Neu"})
    change("DELETE", "memberships/mem-2")
    change("PATCH", "invoices/inv-1", {"number": "2531-neu"})
    change("PATCH", "invoices/inv-1", {"paidStatus": "paid"})
    change("PATCH", "invoices/inv-1", {"paidStatus": "writtenOff"})
    change("PATCH", "invoices/inv-1", {"eInvoice": True})
    change("DELETE", "invoices/inv-1")
    assert events_so_far() == [
        "confirmed_membership",
        "updated_membership_details",
        "confirmed_membership",
        "deleted_membership",
        "updated_invoice",
        "wrote_off_invoice",
        "requested_e_invoice",
        "deleted_invoice",
    ]
    bodies = dict(receiver.wait_for(8))
    assert bodies["/deleted_invoice"]["invoice"]["formatted_invoice_number"] == "2531-neu"
    assert bodies["/deleted_membership"]["membership"]["id"] == "mem-2"


def test_writing_a_customer_number_is_an_update_too(simulator, receiver):
    subscribe(simulator, receiver, "updated_membership_details")
    token = simulator.space_token()
    simulator.space("PUT", "/api/memberships/mem-1", token, {"customer_number": "1"})
    receiver.wait_for(1)


def test_a_failed_webhook_is_sent_again(simulator, receiver, until):
    subscribe(simulator, receiver)
    receiver.statuses = [503, 302]
    create_invoice(simulator)
    receiver.wait_for(3)
    until(lambda: len(simulator.space_state()["deliveries"][0]["attempts"]) == 3)
    space = simulator.space_state()
    assert [a["status"] for a in space["deliveries"][0]["attempts"]] == [503, 302, 202]
    assert space["subscriptions"][0]["active"] is True
    assert {path for path, _ in receiver.bodies} == {"/created_invoice"}


def test_after_the_last_retry_the_subscription_is_off(simulator, receiver, until):
    subscribe(simulator, receiver)
    receiver.statuses = [500, 500, 500]
    create_invoice(simulator)
    until(lambda: not simulator.space_state()["subscriptions"][0]["active"])
    assert len(receiver.bodies) == 3
    create_invoice(simulator)
    assert len(simulator.space_state()["deliveries"]) == 1


def test_410_switches_off_at_once_and_a_person_can_switch_on_again(simulator, receiver, until):
    id_ = subscribe(simulator, receiver)
    receiver.statuses = [410]
    create_invoice(simulator)
    until(lambda: not simulator.space_state()["subscriptions"][0]["active"])
    assert len(receiver.bodies) == 1
    path = f"/cobot/spaces/alpha/subscriptions/{id_}"
    assert simulator.control("PATCH", path, {"active": True}).json()["active"] is True
    create_invoice(simulator)
    receiver.wait_for(2)


def test_an_address_that_nobody_answers_counts_as_failed(simulator, receiver, until):
    body = {"event": "created_invoice", "callback_url": "http://127.0.0.1:9/"}
    simulator.space("POST", "/api/subscriptions", simulator.space_token(), body)
    create_invoice(simulator)
    until(lambda: not simulator.space_state()["subscriptions"][0]["active"])
    statuses = [a["status"] for a in simulator.space_state()["deliveries"][0]["attempts"]]
    assert statuses == [0, 0, 0]


def test_a_burst_of_hundreds_arrives_within_seconds(simulator, receiver):
    subscribe(simulator, receiver)
    for number in range(300):
        create_invoice(simulator, id=f"burst-{number}")
    assert len({body["url"] for _, body in receiver.wait_for(300)}) == 300


def test_a_dropped_webhook_never_comes(simulator, receiver):
    subscribe(simulator, receiver)
    simulator.fault(side="webhook", path="created_invoice", effect="drop_webhook")
    create_invoice(simulator, id="lost")
    create_invoice(simulator, id="found")
    assert receiver.wait_for(1)[0][1]["url"].endswith("/found")
    assert simulator.space_state()["deliveries"][0]["attempts"] == []


def test_a_duplicated_webhook_comes_so_many_times_more(simulator, receiver):
    subscribe(simulator, receiver)
    simulator.fault(side="webhook", effect="duplicate_webhook:49", space="alpha")
    create_invoice(simulator)
    assert len({body["url"] for _, body in receiver.wait_for(50)}) == 1
    assert len(receiver.bodies) == 50


def test_reordered_webhooks_come_last_first(simulator, receiver):
    subscribe(simulator, receiver)
    simulator.fault(side="webhook", effect="reorder_webhooks", times=3)
    for name in ("x1", "x2", "x3"):
        create_invoice(simulator, id=name)
    urls = [body["url"].rsplit("/", 1)[1] for _, body in receiver.wait_for(3)]
    assert urls == ["x3", "x2", "x1"]


def test_an_unsubscribed_webhook_is_not_retried(simulator, receiver, until):
    id_ = subscribe(simulator, receiver)
    receiver.statuses = [500]
    create_invoice(simulator)
    receiver.wait_for(1)
    simulator.space("DELETE", f"/api/subscriptions/{id_}", simulator.space_token())
    until(lambda: simulator.space_state()["deliveries"][0]["next_at"] is None)
    assert len(receiver.bodies) <= 2


@pytest.mark.parametrize(
    ("effect", "seen", "arrives"),
    [
        ("status:503", 503, 1),
        ("reset_before", 0, 1),
        ("status_after_commit:502", 502, 2),
        ("reset_after_commit", 0, 2),
        ("hang_after_commit:0.2", 202, 1),
    ],
)
def test_an_attempt_that_fails_on_its_way_is_repeated(
    simulator, receiver, until, effect, seen, arrives
):
    """Before the receiver has it, or after: then it comes twice."""
    subscribe(simulator, receiver)
    fault = simulator.fault(side="webhook", path="created_invoice", effect=effect)
    before = simulator.control("GET", "/calls?after=0").json()["last"]
    create_invoice(simulator)
    tries = 1 if seen == 202 else 2
    until(lambda: len(simulator.space_state()["deliveries"][0]["attempts"]) == tries)
    statuses = [a["status"] for a in simulator.space_state()["deliveries"][0]["attempts"]]
    assert statuses == [seen, 202][:tries]
    assert len(receiver.wait_for(arrives)) == arrives
    calls = simulator.control("GET", f"/calls?after={before}").json()["calls"]
    assert [call["fault"] for call in calls if call["side"] == "webhook"] == [fault, None][:tries]


def test_a_fault_of_attempts_may_hit_every_one(simulator, receiver, until):
    subscribe(simulator, receiver)
    simulator.fault(side="webhook", effect="status:500", times=0)
    create_invoice(simulator)
    until(lambda: not simulator.space_state()["subscriptions"][0]["active"])
    assert receiver.bodies == []


@pytest.mark.parametrize("effect", ["garbage", "no_id_after_commit", "slow_body:1", "search_lag:5"])
def test_effects_of_answers_make_no_sense_on_webhooks(simulator, effect):
    answer = simulator.control("POST", "/faults", {"side": "webhook", "effect": effect})
    assert answer.status_code == 400
