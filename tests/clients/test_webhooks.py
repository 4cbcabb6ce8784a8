"""Only this space's own addresses are taken from a hook."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.cobot.webhooks import EVENTS, remote_id
from portal.errors import BadHook, PortalError

REAL = "https://{subdomain}.cobot.me"
SIMULATED = "http://127.0.0.1:9100/cobot-space/{subdomain}"
ID_LETTERS = string.ascii_letters + string.digits + "_-"


def taken(url, event="created_invoice", space_url=REAL):
    return remote_id(url, event, space_url=space_url, subdomain="alpha")


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("space_url", [REAL, SIMULATED, SIMULATED + "/"])
def test_the_id_is_taken_from_the_own_address_that_fits_the_event(event, space_url):
    kind = "memberships" if event == "confirmed_membership" else "invoices"
    base = space_url.format(subdomain="alpha").rstrip("/")
    assert taken(f"{base}/api/{kind}/a1-B_2", event, space_url) == "a1-B_2"


@pytest.mark.parametrize(
    "url", ["https://alpha.cobot.me:443/api/invoices/i", "https://ALPHA.cobot.me/api/invoices/i"]
)
def test_another_spelling_of_the_same_origin_is_taken(url):
    assert taken(url) == "i"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://beta.cobot.me/api/invoices/i", "other_host"),
        ("https://alpha.cobot.me.evil.example/api/invoices/i", "other_host"),
        ("https://evil.example/alpha.cobot.me/api/invoices/i", "other_host"),
        ("https://alpha.cobot.me./api/invoices/i", "other_host"),
        ("http://alpha.cobot.me/api/invoices/i", "other_host"),
        ("//alpha.cobot.me/api/invoices/i", "other_host"),
        ("https:alpha.cobot.me/api/invoices/i", "other_host"),
        ("https://alpha.cobot.me:8443/api/invoices/i", "other_host"),
        ("https://alpha.cobot.me:0/api/invoices/i", "other_host"),
        ("https://user@alpha.cobot.me/api/invoices/i", "other_host"),
        ("https://@alpha.cobot.me/api/invoices/i", "other_host"),
        ("https://alpha.cobot.me@evil.example/api/invoices/i", "other_host"),
        ("https://[::1]/api/invoices/i", "other_host"),
        ("https://[alpha.cobot.me/api/invoices/i", "not_an_address"),
        ("https://alpha.cobot.me:99999/api/invoices/i", "not_an_address"),
        ("https://alpha.cobot.me:x/api/invoices/i", "not_an_address"),
        ("https://alpha.cobot.me\\@evil.example/api/invoices/i", "not_an_address"),
        ("https://alpha.cobot.me/api/invoices/i\n", "not_an_address"),
        ("https://alpha.cobot.me/api/in\tvoices/i", "not_an_address"),
        (" https://alpha.cobot.me/api/invoices/i", "not_an_address"),
        ("https://älpha.cobot.me/api/invoices/i", "not_an_address"),
        ("https://alpha.cobot.me/api/invoices/" + "i" * 3000, "not_an_address"),
        ("", "not_an_address"),
        (None, "not_an_address"),
        (["https://alpha.cobot.me/api/invoices/i"], "not_an_address"),
        ("https://alpha.cobot.me/api/invoices%2Fi", "other_path"),
        ("https://alpha.cobot.me/api/invoices/a%2f..%2fb", "other_path"),
        ("https://alpha.cobot.me/api/invoices/i?x=1", "other_path"),
        ("https://alpha.cobot.me/api/invoices/i?", "other_path"),
        ("https://alpha.cobot.me/api/invoices/i#x", "other_path"),
        ("https://alpha.cobot.me/api/invoices/i;x", "other_path"),
        ("https://alpha.cobot.me/api/memberships/i", "other_path"),
        ("https://alpha.cobot.me/API/invoices/i", "other_path"),
        ("https://alpha.cobot.me//api/invoices/i", "other_path"),
        ("https://alpha.cobot.me/x/../api/invoices/i", "other_path"),
        ("https://alpha.cobot.me", "other_path"),
        ("https://alpha.cobot.me/api/invoices/", "wrong_id"),
        ("https://alpha.cobot.me/api/invoices/i/", "wrong_id"),
        ("https://alpha.cobot.me/api/invoices/i/pdf", "wrong_id"),
        ("https://alpha.cobot.me/api/invoices/..", "wrong_id"),
        ("https://alpha.cobot.me/api/invoices/i.json", "wrong_id"),
        ("https://alpha.cobot.me/api/invoices/" + "i" * 65, "wrong_id"),
    ],
)
def test_any_other_address_is_refused_with_a_reason(url, reason):
    with pytest.raises(BadHook) as caught:
        taken(url)
    assert caught.value.reason_code == reason
    assert str(caught.value) == reason
    assert isinstance(caught.value, PortalError)


def test_an_event_that_we_did_not_subscribe_to_is_refused():
    with pytest.raises(BadHook, match="unknown_event"):
        taken("https://alpha.cobot.me/api/invoices/i", "created_membership")


def test_another_space_of_the_same_host_is_refused():
    with pytest.raises(BadHook, match="other_path"):
        taken("http://127.0.0.1:9100/cobot-space/beta/api/invoices/i", space_url=SIMULATED)


PIECES = st.sampled_from(
    [
        "https://",
        "http://",
        "//",
        "alpha.cobot.me",
        "beta.cobot.me",
        "evil.example",
        "@",
        ":443",
        ":80",
        "/",
        "/api/invoices/",
        "/api/memberships/",
        "i-1",
        "..",
        ".",
        "%2f",
        "%00",
        "?",
        "#",
        ";",
        "\\",
        "\n",
        "\t",
        " ",
        "user:pw@",
        "[::1]",
        "\u2024",
        "\uff0f",
        "\x00",
    ]
)


@given(
    url=st.one_of(
        st.text(max_size=80),
        st.lists(PIECES | st.text(max_size=4), max_size=9).map("".join),
        st.text(max_size=12).map(lambda end: f"https://alpha.cobot.me/api/invoices/{end}"),
    ),
    event=st.sampled_from(EVENTS),
)
def test_rubbish_is_refused_or_is_exactly_an_own_address(url, event):
    try:
        found = taken(url, event)
    except BadHook:
        return
    assert 1 <= len(found) <= 64
    assert set(found) <= set(ID_LETTERS)
    kind = "memberships" if event == "confirmed_membership" else "invoices"
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    assert scheme.lower() == "https"
    assert host.lower() in {"alpha.cobot.me", "alpha.cobot.me:443", "alpha.cobot.me:"}
    assert f"/{path}" == f"/api/{kind}/{found}"


@given(st.text(ID_LETTERS, min_size=1, max_size=64))
def test_every_well_formed_id_is_taken(found):
    assert taken(f"https://alpha.cobot.me/api/invoices/{found}") == found
