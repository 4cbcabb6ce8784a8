"""Real sockets: deadlines, resets, kept connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from portal.errors import OutcomeUnknown, RemoteError, TemporaryError, UnusableAnswer
from portal.transport import Sessions, Transport
from tests.clients.peer import Peer, answer, reset

TOKEN = "token-on-a-real-socket"
GET = "GET /thing/{id}"
POST = "POST /thing"


@pytest.fixture
def quick() -> Iterator[Sessions]:
    kept = Sessions(
        "tests", connect_seconds=0.5, read_seconds=0.4, total_seconds=1.0, max_bytes=100_000
    )
    yield kept
    kept.close()


def transport(peer: Peer, sessions: Sessions) -> Transport:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return Transport(peer.url, "cobot", headers, sessions, token_key=TOKEN)


def drip(head: bytes) -> object:
    def behave(connection: socket.socket, peer: Peer) -> None:
        peer.take_request(connection)
        connection.sendall(head)
        while not peer.ended.wait(0.05):
            connection.sendall(b" ")

    return behave


def test_many_calls_share_one_connection(quick):
    def keep(connection, peer):
        while peer.take_request(connection):
            connection.sendall(answer(b'{"a": 1.10}'))

    with Peer(keep) as peer:
        calls = transport(peer, quick)
        for _ in range(20):
            calls.get("/thing/1", endpoint=GET)
            calls.post("/thing", endpoint=POST, json={})
        assert (peer.connections, len(peer.requests)) == (1, 40)
        quick.close()


def test_another_token_gets_a_connection_of_its_own(quick):
    def keep(connection, peer):
        while peer.take_request(connection):
            connection.sendall(answer())

    with Peer(keep) as peer:
        transport(peer, quick).get("/thing/1", endpoint=GET)
        Transport(peer.url, "cobot", {}, quick, token_key="another").get("/thing/1", endpoint=GET)
        assert peer.connections == 2
        quick.close()


def test_sessions_beyond_the_most_are_closed_oldest_first():
    kept = Sessions("tests", max_open=2)
    first = kept.session("https://a.example", "t")
    kept.session("https://b.example", "t")
    assert kept.session("https://a.example/path", "t") is first
    kept.session("https://c.example", "t")
    assert kept.session("https://a.example", "t") is first
    assert len(kept._open) == 2
    kept.close()


def test_certificates_are_verified_and_the_environment_names_no_proxy(monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    kept = Sessions("tests")
    session = kept.session("https://a.example", "t")
    assert (session.trust_env, session.verify) == (False, True)
    kept.close()


def test_a_cookie_is_not_sent_back(quick):
    def set_cookie(connection, peer):
        while peer.take_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}")

    with Peer(set_cookie) as peer:
        for _ in range(2):
            transport(peer, quick).get("/thing/1", endpoint=GET)
        assert b"cookie" not in peer.requests[1].lower()
        quick.close()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
        b"HTTP/1.1 200 OK\r\nX-Drip: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["body", "chunk", "head", "body without length"],
)
def test_a_dripping_answer_ends_by_the_deadline_of_the_whole_call(quick, head):
    with Peer(drip(head)) as peer:
        began = time.monotonic()
        with pytest.raises(TemporaryError):
            transport(peer, quick).get("/thing/1", endpoint=GET)
        assert 0.8 < time.monotonic() - began < 2.0


def test_a_dripping_answer_to_a_write_is_outcome_unknown(quick):
    with Peer(drip(b"HTTP/1.1 201 Created\r\nContent-Length: 1000000\r\n\r\n")) as peer:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown) as caught:
            transport(peer, quick).post("/thing", endpoint=POST, json={})
        assert caught.value.status_code == 201
        assert time.monotonic() - began < 2.0


def test_a_silent_peer_is_left_after_the_read_limit_and_asked_again_within_the_deadline(quick):
    def silent(connection, peer):
        peer.take_request(connection)
        peer.ended.wait(5)

    with Peer(silent) as peer:
        began = time.monotonic()
        with pytest.raises(TemporaryError):
            transport(peer, quick).get("/thing/1", endpoint=GET)
        assert time.monotonic() - began < 2.0
        assert len(peer.requests) > 1


def test_a_write_that_is_not_answered_is_sent_once_and_its_outcome_is_unknown(quick):
    def silent(connection, peer):
        peer.take_request(connection)
        peer.ended.wait(5)

    with Peer(silent) as peer:
        with pytest.raises(OutcomeUnknown):
            transport(peer, quick).post("/thing", endpoint=POST, json={"a": 1})
        assert len(peer.requests) == 1


def test_an_endless_fast_body_ends_at_the_size_limit(quick):
    def endless(connection, peer):
        peer.take_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not peer.ended.is_set():
            connection.sendall(b"x" * 65_536)

    with Peer(endless) as peer, pytest.raises(UnusableAnswer, match="too large"):
        transport(peer, quick).get("/thing/1", endpoint=GET)


def test_a_read_survives_one_reset(quick):
    def reset_first(connection, peer):
        peer.take_request(connection)
        if peer.connections == 1:
            reset(connection)
        else:
            connection.sendall(answer(b'{"ok": true}'))

    with Peer(reset_first) as peer:
        assert transport(peer, quick).get("/thing/1", endpoint=GET) == {"ok": True}
        assert len(peer.requests) == 2


@pytest.mark.parametrize("is_taken", [True, False], ids=["after the request", "in the middle"])
def test_a_reset_during_a_write_is_outcome_unknown_and_sent_once(quick, is_taken):
    def reset_it(connection, peer):
        if is_taken:
            peer.take_request(connection)
        else:
            connection.recv(1)
        reset(connection)

    with Peer(reset_it) as peer:
        with pytest.raises(OutcomeUnknown):
            transport(peer, quick).post("/thing", endpoint=POST, json={"a": 1})
        assert peer.connections == 1


def test_a_kept_connection_that_dies_during_a_write_is_outcome_unknown(quick):
    def one_answer(connection, peer):
        if peer.take_request(connection):
            connection.sendall(answer())
        peer.take_request(connection)
        reset(connection)

    with Peer(one_answer) as peer:
        calls = transport(peer, quick)
        calls.get("/thing/1", endpoint=GET)
        with pytest.raises(OutcomeUnknown):
            calls.post("/thing", endpoint=POST, json={})
        assert (peer.connections, len(peer.requests)) == (1, 2)


def test_a_kept_connection_closed_long_ago_is_replaced_before_a_write(quick):
    closed = threading.Event()

    def one_answer(connection, peer):
        peer.take_request(connection)
        connection.sendall(answer())
        connection.close()
        closed.set()

    with Peer(one_answer) as peer:
        calls = transport(peer, quick)
        calls.get("/thing/1", endpoint=GET)
        assert closed.wait(5)
        calls.post("/thing", endpoint=POST, json={})
        assert peer.connections == 2


def test_a_body_cut_short_is_temporary_for_a_read_and_unknown_for_a_write(quick):
    def cut(connection, peer):
        peer.take_request(connection)
        connection.sendall(answer(b"{", length=100))

    with Peer(cut) as peer:
        with pytest.raises(TemporaryError):
            transport(peer, quick).get("/thing/1", endpoint=GET)
        with pytest.raises(OutcomeUnknown):
            transport(peer, quick).post("/thing", endpoint=POST, json={})


def test_what_is_not_http_is_temporary_for_a_read_and_unknown_for_a_write(quick):
    def garble(connection, peer):
        peer.take_request(connection)
        connection.sendall(b"\x00\x01 is not HTTP\r\n\r\n")

    with Peer(garble) as peer:
        with pytest.raises(TemporaryError):
            transport(peer, quick).get("/thing/1", endpoint=GET)
        with pytest.raises(OutcomeUnknown):
            transport(peer, quick).post("/thing", endpoint=POST, json={})


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_refused_connection_means_that_nothing_was_sent(quick, method):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    calls = Transport(f"http://127.0.0.1:{port}", "cobot", {}, quick, token_key=TOKEN)
    with pytest.raises(TemporaryError, match="NewConnectionError") as caught:
        getattr(calls, method)("/thing/1", endpoint="X /thing/{id}")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_connection_that_nobody_accepts_means_that_nothing_was_sent(quick):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        calls = Transport(url, "sevdesk", {}, quick, token_key=TOKEN)
        with pytest.raises(TemporaryError, match="ConnectTimeoutError"):
            calls.post("/thing", endpoint=POST, json={})
        for caller in callers:
            caller.close()


def test_an_unknown_host_means_that_nothing_was_sent(quick, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    calls = Transport("https://my.sevdesk.de/api/v1", "sevdesk", {}, quick, token_key=TOKEN)
    with pytest.raises(TemporaryError, match="NameResolutionError"):
        calls.post("/thing", endpoint=POST, json={})


@pytest.mark.parametrize("hello", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], ids=["plain", "none"])
def test_a_failed_handshake_means_that_nothing_was_sent(quick, hello):
    def no_tls(connection, peer):
        connection.recv(65_536)
        if hello:
            connection.sendall(hello)
        else:
            reset(connection)

    with Peer(no_tls) as peer:
        calls = Transport(f"https://127.0.0.1:{peer.port}", "sevdesk", {}, quick, token_key=TOKEN)
        with pytest.raises(TemporaryError):
            calls.post("/thing", endpoint=POST, json={})


def test_a_refusal_whose_body_never_ends_is_still_a_refusal(quick):
    head = b"HTTP/1.1 422 No\r\nContent-Length: 1000000\r\n\r\n"
    with Peer(drip(head)) as peer, pytest.raises(RemoteError) as caught:
        transport(peer, quick).post("/thing", endpoint=POST, json={})
    assert caught.value.status_code == 422
    assert not isinstance(caught.value, OutcomeUnknown)
