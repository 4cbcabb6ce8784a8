import pytest


def test_a_space_token_carries_the_scopes_on_and_can_be_checked_and_revoked(simulator):
    user_token = simulator.user_token(scope="read_user read_invoices")
    answer = simulator.www(
        "POST", f"/api/access_tokens/{user_token}/space", user_token, {"space_id": "spc-a"}
    )
    shown = answer.json()
    token = shown["token"]
    assert shown["scope"] == ["read_user", "read_invoices"]
    assert simulator.www("GET", f"/api/access_tokens/{token}", token).json() == {
        "scope": ["read_user", "read_invoices"]
    }
    revoked = simulator.www("DELETE", f"/api/access_tokens/{token}", token)
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert simulator.api2("/invoices/inv-1", token).status_code == 401
    assert simulator.api2("/invoices/inv-1", user_token).status_code == 200


@pytest.mark.parametrize(
    ("user", "body", "status"),
    [
        ("stranger", {"space_id": "spc-a"}, 403),
        ("second", {"space_id": "spc-b"}, 403),
        ("owner", {"space_id": "alpha"}, 422),
        ("owner", {}, 422),
    ],
)
def test_a_space_token_needs_an_admin_and_the_space_id(simulator, user, body, status):
    token = simulator.user_token(user)
    path = f"/api/access_tokens/{token}/space"
    assert simulator.www("POST", path, token, body).status_code == status


def test_calls_without_a_valid_token_get_401_in_each_shape(simulator):
    assert simulator.space("GET", "/api/memberships").json()["errors"]
    assert simulator.space("GET", "/api/memberships", "wrong").status_code == 401
    answer = simulator.api2("/invoices/inv-1")
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/vnd.api+json"
    assert isinstance(answer.json()["errors"], list)


def test_a_missing_scope_is_403(simulator):
    token = simulator.user_token(scope="read_user")
    assert simulator.api2("/invoices/inv-1", token).status_code == 403
    assert simulator.api2("/user?include=adminOf", token).status_code == 403
    assert simulator.space("GET", "/api/subscriptions", token).status_code == 403


def test_api_2_needs_its_own_accept_header(simulator):
    token = simulator.user_token()
    assert simulator.api2("/invoices/inv-1", token, accept="*/*").status_code == 406


def test_losing_the_admin_right_ends_the_users_token_but_not_the_spaces(simulator):
    user_token, space_token = simulator.user_token(), simulator.space_token()
    simulator.control("PATCH", "/cobot/users/owner", {"admin_of": []})
    assert simulator.api2("/invoices/inv-1", user_token).status_code == 403
    assert simulator.api2("/invoices/inv-1", space_token).status_code == 200
    assert simulator.space("GET", "/api/memberships", space_token).status_code == 200
    simulator.control("PATCH", "/cobot/users/second", {"admin_of": []})
    assert simulator.api2("/invoices/inv-1", space_token).status_code == 403


def test_a_suspended_space_is_402(simulator):
    token = simulator.space_token()
    simulator.control("PATCH", "/cobot/spaces/alpha", {"suspended": True})
    assert simulator.api2("/invoices/inv-1", token).status_code == 402
    assert simulator.space("GET", "/api/memberships", token).status_code == 402


def test_unknown_things_are_404(simulator):
    token = simulator.space_token()
    assert simulator.api2("/invoices/none", token).status_code == 404
    assert simulator.api2("/nothing", token).json()["errors"][0]["status"] == "404"
    assert simulator.space("GET", "/api/memberships/none", token).status_code == 404
    assert simulator.space("GET", "/api/memberships", token, subdomain="none").status_code == 404


def test_a_space_token_stays_in_its_space_but_for_single_objects_of_the_same_admin(simulator):
    token = simulator.space_token()
    assert simulator.space("GET", "/api/memberships", token, subdomain="beta").status_code == 403
    assert simulator.api2("/spaces/spc-b/invoices", token).status_code == 403
    foreign = simulator.api2("/invoices/inv-b", token)
    assert foreign.json()["data"]["relationships"]["space"]["data"]["id"] == "spc-b"
    assert simulator.api2("/invoices/inv-b", simulator.space_token("second")).status_code == 403


def test_revoking_takes_the_tokens_of_a_space_or_of_a_user(simulator):
    user_token, space_token = simulator.user_token(), simulator.space_token()
    assert simulator.control("POST", "/cobot/revoke", {"space": "alpha"}).json() == {"revoked": 1}
    assert simulator.api2("/invoices/inv-1", space_token).status_code == 401
    assert simulator.control("POST", "/cobot/revoke", {"user": "owner"}).status_code == 200
    assert simulator.api2("/invoices/inv-1", user_token).status_code == 401
    assert simulator.control("POST", "/cobot/revoke", {"space": "none"}).status_code == 404
    assert simulator.control("POST", "/cobot/revoke", {}).status_code == 400
