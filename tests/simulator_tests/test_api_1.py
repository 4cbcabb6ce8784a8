import pytest


def test_a_user_sees_what_they_administer(simulator):
    user = simulator.www("GET", "/api/user", simulator.user_token("stranger")).json()
    assert user["admin_of"] == []
    assert user["memberships"][0]["space_subdomain"] == "alpha"
    user = simulator.www("GET", "/api/user", simulator.user_token("second")).json()
    assert user["admin_of"][0]["space_link"].endswith("/api/spaces/alpha")


def test_a_space_is_shown_to_anybody(simulator):
    space = simulator.www("GET", "/api/spaces/alpha").json()
    assert (space["id"], space["locale"], space["country"]) == ("spc-a", "de-DE", "Germany")
    assert simulator.www("GET", "/api/spaces/none").status_code == 404


def test_a_membership_is_read_and_its_customer_number_written(simulator):
    token = simulator.space_token()
    member = simulator.space("GET", "/api/memberships/mem-1", token).json()
    assert member["address"]["full_address"] == "Hauptstr. 1\n10115 Berlin"
    assert member["team_id"] == "team-1"
    written = simulator.space("PUT", "/api/memberships/mem-1", token, {"customer_number": 1007})
    assert written.status_code == 200
    read = simulator.space("GET", "/api/memberships/mem-1", token).json()
    assert read == {**member, "customer_number": "1007"}


@pytest.mark.parametrize("body", [{}, {"number": "1"}, {"customer_number": [1]}, {"name": ""}])
def test_a_membership_takes_documented_fields_only(simulator, body):
    answer = simulator.space("PUT", "/api/memberships/mem-1", simulator.space_token(), body)
    assert answer.status_code == 422
    assert isinstance(answer.json()["errors"], dict)


def test_members_are_listed_without_those_that_have_left(simulator):
    token = simulator.space_token()
    left = {"id": "mem-2", "name": "Weg", "canceled_to": "2024-01-31"}
    simulator.control("POST", "/cobot/spaces/alpha/memberships", left)
    listed = simulator.space("GET", "/api/memberships?attributes=name", token).json()
    assert listed == [{"id": "mem-1", "name": "Mia Beispiel"}]
    assert simulator.space("GET", "/api/memberships?ids=mem-2", token).json() == []
    path = "/api/memberships/cancellations"
    found = simulator.space("GET", f"{path}?from=2024-01-01&to=2024-01-31", token).json()
    assert [member["id"] for member in found] == ["mem-2"]
    assert simulator.space("GET", path, token).status_code == 422


def test_accounting_codes_have_a_name_and_perhaps_a_rate(simulator):
    codes = simulator.space("GET", "/api/accounting_codes", simulator.space_token()).json()
    assert codes == [{"name": "Desk", "tax_rate": "19.0"}, {"name": "Bar", "tax_rate": None}]


def test_an_activity_keeps_links_and_loses_other_tags(simulator):
    token = simulator.space_token()
    body = {
        "text": 'a < b <b>fett</b> <a href="https://p.example/">hier</a><!-- x --><i>1</i>',
        "level": "ERROR",
        "channels": ["admin"],
        "source_ids": ["inv-1"],
    }
    answer = simulator.space("POST", "/api/activities", token, body)
    assert answer.status_code == 201
    text = 'a < b fett <a href="https://p.example/">hier</a>1'
    assert answer.json()["attributes"] == {"text": text}
    assert simulator.space_state()["activities"][0]["source_ids"] == ["inv-1"]
    found = simulator.space("GET", "/api/activities?source_ids=inv-1", token).json()
    assert found == [answer.json()]
    assert simulator.space("GET", "/api/activities?source_ids=mem-1", token).json() == []
    assert simulator.space("GET", "/api/activities?last=1", token).json() == found
    assert simulator.space("GET", "/api/activities?from=2099-01-01", token).json() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": " "}, "text"),
        ({"level": "FATAL"}, "level"),
        ({"channels": ["all"]}, "channels"),
        ({"source_ids": ["inv-b"]}, "source_ids"),
        ({"color": "red"}, "color"),
    ],
)
def test_a_wrong_activity_is_refused_field_by_field(simulator, change, field):
    body = {"text": "hallo", **change}
    answer = simulator.space("POST", "/api/activities", simulator.space_token(), body)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


def test_a_second_equal_subscription_is_409_and_each_app_sees_its_own(simulator):
    token = simulator.space_token()
    body = {"event": "created_invoice", "callback_url": "http://127.0.0.1:9/h/created_invoice"}
    made = simulator.space("POST", "/api/subscriptions", token, body)
    assert made.status_code == 201
    shown = made.json()
    path = f"/api/subscriptions/{shown['id']}"
    assert shown["active"] is True
    assert shown["url"].endswith(f"/cobot-space/alpha{path}")
    assert simulator.space("POST", "/api/subscriptions", token, body).status_code == 409
    assert simulator.space("GET", "/api/subscriptions", token).json() == [shown]
    deleted = simulator.space("DELETE", path, token)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert simulator.space("GET", "/api/subscriptions", token).json() == []
    assert simulator.space("DELETE", path, token).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"event": "updated_membership", "callback_url": "https://p.example/"},
        {"event": "created_invoice", "callback_url": "p.example"},
        {"event": "created_invoice", "callback_url": "ftp://p.example/"},
        {"event": "created_invoice"},
    ],
)
def test_unknown_events_and_bad_addresses_are_422(simulator, body):
    answer = simulator.space("POST", "/api/subscriptions", simulator.space_token(), body)
    assert answer.status_code == 422


def test_an_invoice_in_api_1_has_numbers_as_integers(simulator):
    token = simulator.space_token()
    invoice = simulator.space("GET", "/api/invoices/inv-1", token).json()
    assert invoice["formatted_invoice_number"] == "2531-Ljnk-278"
    assert invoice["customer_number"] == 10000
    assert invoice["items"][0]["total_amount_with_tax"] == "261.8"
    listed = simulator.space("GET", "/api/invoices?from=2025-02-01&to=2025-02-28", token).json()
    assert listed == [invoice]
