"""Calls go to the hosts of the settings, verified, and nowhere else; whatever an answer says."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask

from portal.cobot.client import CobotClient, CobotUrls
from portal.cobot.records import CobotUser
from portal.config import Config
from portal.connections import HostRefused
from portal.core import create_core
from portal.errors import OutcomeUnknown, TemporaryError, UnusableAnswer
from portal.oauth import register_cobot
from portal.outbound import AllowedHosts
from portal.transport import Sessions, Transport
from tests.clients.peer import Peer, answer
from tests.conftest import test_config as config_of

GET = "GET /thing/{id}"
REAL = Config.model_fields
DEFAULTS = tuple(
    str(REAL[name].default)
    for name in ("cobot_www_url", "cobot_api_url", "cobot_space_url", "sevdesk_api_url")
)


def say(*replies: bytes):
    left = list(replies)

    def behave(connection, peer):
        while peer.take_request(connection):
            connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return behave


def redirect_to(url: str) -> bytes:
    head = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


@pytest.fixture
def elsewhere() -> Iterator[Peer]:
    with Peer(say(answer(b'{"access_token": "x"}'))) as peer:
        yield peer


def sessions_for(*urls: str, **more: object) -> Sessions:
    return Sessions("tests", total_seconds=5, allowed=AllowedHosts(urls), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "https://www.cobot.me/oauth/access_token",
        "https://api.cobot.me/user",
        "https://co-up.cobot.me/api/activities",
        "https://CO-UP.cobot.me:443/",
        "https://my.sevdesk.de/api/v1/Voucher",
    ],
)
def test_the_hosts_of_the_settings_may_be_called(url: str) -> None:
    assert AllowedHosts(DEFAULTS).allows(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://www.cobot.me/",
        "https://www.cobot.me:8443/",
        "https://cobot.me/",
        "https://a.b.cobot.me/",
        "https://-.cobot.me/",
        "https://xcobot.me/",
        "https://www.cobot.me.evil.example/",
        "https://evil.example/.cobot.me",
        "https://evil.example#.cobot.me",
        "https://www.cobot.me@evil.example/",
        "https://evil@www.cobot.me/",
        "https://sevdesk.de/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[broken/",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_other_address_may_be_called(url: str) -> None:
    assert not AllowedHosts(DEFAULTS).allows(url)


def test_what_the_product_calls_with_allows_the_settings_and_nothing_else() -> None:
    app = create_core(config_of(**dict(zip(_names(), DEFAULTS, strict=True))))
    sessions = app.extensions["portal"].sessions
    for url in ("https://evil.example", "http://127.0.0.1:9", "https://169.254.169.254"):
        with pytest.raises(TemporaryError, match="HostRefused"):
            Transport(url, "cobot", {}, sessions).get("/", endpoint="GET /")


def _names() -> list[str]:
    return ["cobot_www_url", "cobot_api_url", "cobot_space_url", "sevdesk_api_url"]


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_a_host_that_no_setting_names_is_never_reached(method: str, elsewhere: Peer) -> None:
    sessions = sessions_for("https://www.cobot.me")
    with pytest.raises(TemporaryError, match="HostRefused"):
        getattr(Transport(elsewhere.url, "cobot", {}, sessions), method)("/x", endpoint="X /x")
    assert elsewhere.connections == 0
    sessions.close()


@pytest.mark.parametrize("subdomain", ["evil.example/", "a.b", "evil.example#", "x@evil", ""])
def test_a_subdomain_cannot_lead_to_another_host(subdomain: str) -> None:
    sessions = sessions_for(*DEFAULTS)
    urls = CobotUrls(www=DEFAULTS[0], api=DEFAULTS[1], space=DEFAULTS[2])
    client = CobotClient(urls, "token-of-a-space", subdomain, sessions=sessions)
    with pytest.raises(TemporaryError, match=r"HostRefused|InvalidURL"):
        client.subscriptions()
    sessions.close()


@pytest.mark.parametrize(
    "subdomain", ["evil.example/", "a.b", "", "-a", "a-", "ä", "a" * 64, "a b"]
)
def test_a_space_whose_subdomain_is_no_host_name_is_not_taken(subdomain: str) -> None:
    with pytest.raises(ValueError, match=r"space\.subdomain"):
        CobotUser.from_json(_user(subdomain))
    assert CobotUser.from_json(_user("co-up")).spaces[0].subdomain == "co-up"


def _user(subdomain: str) -> dict[str, object]:
    space = {"id": "s", "type": "spaces", "attributes": {"subdomain": subdomain}}
    return {
        "data": {
            "id": "u",
            "attributes": {},
            "relationships": {"adminOf": {"data": [{"type": "spaces", "id": "s"}]}},
        },
        "included": [space],
    }


@pytest.mark.parametrize(
    ("method", "error"),
    [("get", UnusableAnswer), ("post", OutcomeUnknown), ("delete", OutcomeUnknown)],
)
def test_a_redirect_is_not_followed(method: str, error: type, elsewhere: Peer) -> None:
    with Peer(say(redirect_to(elsewhere.url))) as peer:
        # Both hosts are allowed: it is the redirect that must not be followed.
        sessions = sessions_for(peer.url, elsewhere.url)
        with pytest.raises(error):
            getattr(Transport(peer.url, "cobot", {}, sessions), method)("/x", endpoint="X /x")
        assert len(peer.requests) == 1
        sessions.close()
    assert elsewhere.connections == 0


def test_a_redirect_that_something_follows_still_meets_the_list(elsewhere: Peer) -> None:
    with Peer(say(redirect_to(elsewhere.url))) as peer:
        sessions = sessions_for(peer.url)
        with pytest.raises(HostRefused):
            sessions.session(peer.url, "t").get(peer.url, allow_redirects=True, timeout=5)
        sessions.close()
    assert elsewhere.connections == 0


# --- signing in -------------------------------------------------------------------------------


def fetch_token(www_url: str, allowed: tuple[str, ...]) -> object:
    config = config_of(cobot_www_url=www_url)
    sessions = sessions_for(*allowed, max_bytes=100_000)
    app = Flask("test")
    try:
        return register_cobot(app, config, sessions).fetch_access_token(
            code="c", redirect_uri="http://127.0.0.1/oauth/callback"
        )
    finally:
        sessions.close()


def test_the_token_is_fetched_as_all_else_is_called() -> None:
    with Peer(say(answer(b'{"access_token": "t"}'))) as peer:
        assert fetch_token(peer.url, (peer.url,))["access_token"] == "t"  # type: ignore[index]
        assert b"code=c" in peer.requests[0]


def test_the_token_is_not_fetched_from_another_host(elsewhere: Peer) -> None:
    with pytest.raises(OSError, match="HostRefused"):
        fetch_token(elsewhere.url, ("https://www.cobot.me",))
    assert elsewhere.connections == 0


def test_signing_in_follows_no_redirect(elsewhere: Peer) -> None:
    with Peer(say(redirect_to(elsewhere.url))) as peer, pytest.raises(ValueError, match="HTTP 302"):
        fetch_token(peer.url, (peer.url, elsewhere.url))
    assert elsewhere.connections == 0


def test_signing_in_reads_no_endless_answer() -> None:
    def endless(connection, peer):
        peer.take_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not peer.ended.is_set():
            connection.sendall(b" " * 65_536)

    with Peer(endless) as peer, pytest.raises(OSError, match="too large"):
        fetch_token(peer.url, (peer.url,))


# --- certificates -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, for 127.0.0.1: the files of it and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.mark.parametrize("is_known", [False, True], ids=["a stranger's", "one of the bundle"])
def test_only_a_certificate_of_the_bundle_is_taken(
    certificate: tuple[Path, Path], is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    was_asked = threading.Event()

    def behave(connection, peer):
        with context.wrap_socket(connection, server_side=True) as safe:
            if peer.take_request(safe):
                was_asked.set()
                safe.sendall(answer(b'{"a": 1}'))

    with Peer(behave) as peer:
        url = f"https://127.0.0.1:{peer.port}"
        sessions = sessions_for(url, ca_bundle=str(certificate[0]) if is_known else None, retries=0)
        call = Transport(url, "cobot", {}, sessions)
        if is_known:
            assert call.get("/x", endpoint=GET) == {"a": 1}
        else:
            with pytest.raises(TemporaryError, match="SSLError"):
                call.get("/x", endpoint=GET)
        assert was_asked.is_set() == is_known
        sessions.close()
