"""Each kind of answer to a read and to a write, as the error that says what to do next."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import requests
import responses
import time_machine
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError
from urllib3.exceptions import SSLError as TlsError

from portal.answers import WrongShape, decimal, parse_json, whole
from portal.call_hooks import Call, Hooks
from portal.errors import (
    BudgetExhausted,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    Rejected,
    RemoteError,
    SpaceSuspended,
    TemporaryError,
    TokenRefused,
    UnusableAnswer,
)
from portal.exchange import one_line, retry_after_seconds
from portal.masking import MASK
from portal.transport import Sessions, Transport, ignored, segment

TOKEN = "secret-token-of-nobody"
BASE = "https://api.example/base"
URL = f"{BASE}/things/7"
READ = "GET /things/{id}"
WRITE = "POST /things/{id}"


@pytest.fixture
def transport(sessions):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return Transport(BASE, "cobot", headers, sessions, token_key=TOKEN)


def read(transport):
    return transport.get("/things/7", endpoint=READ)


def write(transport, **more):
    return transport.post("/things/7", endpoint=WRITE, json={"a": 1}, **more)


REFUSALS = [
    (400, Rejected),
    (401, TokenRefused),
    (402, SpaceSuspended),
    (403, Forbidden),
    (404, NotFound),
    (409, Rejected),
    (410, NotFound),
    (413, Rejected),
    (422, Rejected),
]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *REFUSALS,
        (301, UnusableAnswer),
        (302, UnusableAnswer),
        (307, UnusableAnswer),
        (429, TemporaryError),
        (500, TemporaryError),
        (502, TemporaryError),
        (503, TemporaryError),
        (504, TemporaryError),
    ],
)
def test_a_status_of_a_read_is_the_error_that_says_what_to_do(remote, transport, status, kind):
    headers = {"Location": "https://elsewhere.example/"}
    remote.get(URL, status=status, json={"message": "no"}, headers=headers)
    with pytest.raises(RemoteError) as caught:
        read(transport)
    error = caught.value
    assert type(error) is kind
    facts = (error.remote, error.endpoint, error.status_code)
    assert facts == ("cobot", READ, status)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *REFUSALS,
        (302, OutcomeUnknown),
        (307, OutcomeUnknown),
        (429, TemporaryError),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (503, TemporaryError),
        (504, OutcomeUnknown),
    ],
)
@pytest.mark.parametrize("shape", [None, ignored], ids=["answer needed", "answer ignored"])
def test_a_status_of_a_write_is_the_error_and_is_sent_once(transport, status, kind, shape):
    with responses.RequestsMock() as remote:
        headers = {"Location": "https://elsewhere.example/"}
        remote.post(URL, status=status, json={"message": "no"}, headers=headers)
        with pytest.raises(RemoteError) as caught:
            write(transport, **({"shape": shape} if shape else {}))
        assert len(remote.calls) == 1
    assert type(caught.value) is kind
    assert caught.value.status_code == status


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_read_is_repeated_while_the_gateway_fails(remote, transport, status):
    remote.get(URL, status=status)
    remote.get(URL, status=status)
    remote.get(URL, json={"ok": 1})
    assert read(transport) == {"ok": 1}


@pytest.mark.parametrize("status", [429, 500])
def test_a_read_is_not_repeated_at_once_for_other_failures(remote, transport, status):
    remote.get(URL, status=status)
    with pytest.raises(TemporaryError):
        read(transport)
    assert len(remote.calls) == 1


def test_a_read_is_not_repeated_when_the_other_side_names_a_time(remote, transport):
    remote.get(URL, status=503, headers={"Retry-After": "120"})
    with pytest.raises(TemporaryError) as caught:
        read(transport)
    assert caught.value.retry_after_seconds == 120
    assert len(remote.calls) == 1


@pytest.mark.parametrize("body", ["", "<html>", '{"a": NaN}', '{"a": ', "[" * 100_000, "\xff"])
def test_what_is_not_json_is_unusable_for_a_read_and_unknown_for_a_write(remote, transport, body):
    remote.get(URL, body=body.encode("latin-1"))
    remote.post(URL, body=body.encode("latin-1"), status=201)
    with pytest.raises(UnusableAnswer, match="not JSON"):
        read(transport)
    with pytest.raises(OutcomeUnknown, match="not JSON"):
        write(transport)


@pytest.mark.parametrize("body", ["", "<html>", '{"a": 1}'])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_will_do_for_a_write_of_which_nothing_is_needed(transport, body, status):
    with responses.RequestsMock() as remote:
        remote.post(URL, body=body, status=status)
        remote.put(URL, body=body, status=status)
        remote.delete(URL, body=body, status=status)
        write(transport, shape=ignored)
        transport.put("/things/7", endpoint=WRITE, json={}, shape=ignored)
        transport.delete("/things/7", endpoint=WRITE)


def test_a_wrong_shape_names_the_field_and_never_its_content(remote, transport):
    remote.get(URL, json={"id": "personal"})
    remote.post(URL, json={"id": "personal"})

    def shape(reply):
        return whole(reply["id"], "things.id")

    with pytest.raises(UnusableAnswer, match=r"things\.id is missing") as caught:
        transport.get("/things/7", endpoint=READ, shape=shape)
    assert "personal" not in str(caught.value)
    with pytest.raises(OutcomeUnknown, match=r"things\.id is missing"):
        write(transport, shape=shape)


def test_an_answer_over_the_size_limit_is_unusable_for_a_read_and_unknown_for_a_write(remote):
    small = Sessions("tests", max_bytes=1000)
    transport = Transport(BASE, "cobot", {}, small)
    remote.get(URL, body=b"1" * 1001)
    remote.post(URL, body=b"1" * 1001)
    with pytest.raises(UnusableAnswer, match="too large"):
        read(transport)
    with pytest.raises(OutcomeUnknown, match="too large"):
        write(transport)
    small.close()


NOTHING_SENT = [
    requests.ConnectTimeout(),
    requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused"))),
    requests.ConnectionError(MaxRetryError(None, "/", ConnectTimeoutError())),
    requests.exceptions.SSLError(MaxRetryError(None, "/", TlsError("certificate"))),
]
MAYBE_SENT = [
    requests.ReadTimeout(),
    requests.ConnectionError(ConnectionResetError(104, "reset")),
    requests.ConnectionError(),
    requests.exceptions.ChunkedEncodingError(),
]


@pytest.mark.parametrize("failure", NOTHING_SENT, ids=lambda f: type(f).__name__)
def test_a_failure_before_sending_is_temporary_for_both(remote, transport, failure):
    remote.get(URL, body=failure)
    remote.post(URL, body=failure)
    for ask in (read, write):
        with pytest.raises(TemporaryError):
            ask(transport)


@pytest.mark.parametrize("failure", MAYBE_SENT, ids=lambda f: type(f).__name__)
def test_a_failure_after_sending_is_temporary_for_a_read_unknown_for_a_write(
    remote, transport, failure
):
    remote.get(URL, body=failure)
    remote.post(URL, body=failure)
    with pytest.raises(TemporaryError):
        read(transport)
    with pytest.raises(OutcomeUnknown):
        write(transport)


# What the remote side says


@pytest.mark.parametrize(
    ("said", "message", "code", "request_id"),
    [
        (
            {"error": {"message": "Rule not allowed", "code": 7100, "exceptionUUID": "u-1"}},
            "Rule not allowed",
            "7100",
            "u-1",
        ),
        (
            {"status": 401, "message": "Authentication required"},
            "Authentication required",
            None,
            None,
        ),
        (
            {"errors": [{"source": {"pointer": "/data/items"}, "detail": "can't be blank"}, {}]},
            "/data/items: can't be blank",
            None,
            None,
        ),
        (
            {"errors": [{"title": "Nope", "code": "E1"}, "and more"]},
            "Nope; and more",
            "E1",
            None,
        ),
        (
            {"errors": {"email": "is invalid", "name": ["is short", 7]}},
            "email: is invalid; name: is short, 7",
            None,
            None,
        ),
        ({"error": "invalid_token"}, "invalid_token", None, None),
        ({"errors": "all of it"}, "all of it", None, None),
        ([1], "", None, None),
        ({}, "", None, None),
    ],
)
def test_the_message_of_a_refusal_is_kept_for_support(
    remote, transport, said, message, code, request_id
):
    remote.post(URL, status=422, json=said)
    with pytest.raises(Rejected) as caught:
        write(transport)
    error = caught.value
    assert (error.message, error.remote_code, error.request_id) == (message, code, request_id)


def test_a_refusal_that_is_not_json_shows_nothing_of_its_body(remote, transport):
    remote.post(URL, status=400, body="<html>private", headers={"X-Request-Id": "r-7"})
    with pytest.raises(Rejected) as caught:
        write(transport)
    assert (caught.value.message, caught.value.request_id) == ("", "r-7")


def test_a_message_is_one_line_of_at_most_500_characters_without_the_token(remote, transport):
    said = f"line\r\n\x1b[31mred\u2028 {TOKEN} hook-secret-of-alpha " + "x" * 900
    remote.post(URL, status=422, json={"message": said})
    with pytest.raises(Rejected) as caught:
        write(transport, hide=("hook-secret-of-alpha",))
    message = caught.value.message
    assert message.startswith("line [31mred [...] [...] xxx")
    assert len(message) == 500


def test_no_error_and_no_repr_shows_the_token(remote, transport):
    remote.post(f"{BASE}/tokens/{TOKEN}", status=422, json={"message": f"bad {TOKEN}"})
    remote.delete(f"{BASE}/tokens/{TOKEN}", body=requests.ConnectionError(f"/tokens/{TOKEN}"))
    shown = [repr(transport), str(transport)]
    for send in (transport.post, transport.delete):
        with pytest.raises(RemoteError) as caught:
            send(f"/tokens/{TOKEN}", endpoint="X /tokens/{token}")
        error = caught.value
        shown += [str(error), repr(error), repr(vars(error)), repr(error.__context__)]
    assert not [text for text in shown if TOKEN in text]


def test_the_http_library_logs_no_path(remote, transport):
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.WARNING)


@pytest.mark.parametrize("token", ["tok\u00e9n", "tok\nen", "tok\x00en"])
def test_a_token_that_cannot_stand_in_a_header_is_refused_without_a_call(sessions, token):
    transport = Transport(BASE, "sevdesk", {"Authorization": token}, sessions, token_key=token)
    with pytest.raises(TokenRefused):
        read(transport)


# Retry-After


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sunday, 01-Mar-26 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:01:30 -0000", 90.0),
        ("99999999999999", 86_400.0),
        ("Sun, 01 Mar 2027 12:00:00 GMT", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(sessions, transport, status, header, seconds):
    headers = {} if header is None else {"Retry-After": header}
    with (
        time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False),
        responses.RequestsMock() as remote,
    ):
        remote.post(URL, status=status, headers=headers)
        remote.get(URL, status=429, headers=headers)
        for ask in (read, write):
            with pytest.raises(TemporaryError) as caught:
                ask(transport)
            assert caught.value.retry_after_seconds == seconds


def test_no_retry_after_header_is_no_wait():
    assert retry_after_seconds(None) is None


# Hooks


def test_hooks_see_templates_statuses_and_failures(remote, sessions):
    seen = []
    hooks = Hooks(
        before=lambda call: seen.append(call), after=lambda *after: seen.append(after[:2])
    )
    transport = Transport(BASE, "cobot", {}, sessions, hooks)
    remote.get(URL, json={})
    remote.post(URL, status=500)
    remote.put(URL, body=requests.ReadTimeout())
    read(transport)
    with pytest.raises(OutcomeUnknown):
        write(transport)
    with pytest.raises(OutcomeUnknown):
        transport.put("/things/7", endpoint="PUT /things/{id}", json={})
    got, posted, put = (
        Call("cobot", READ, "GET"),
        Call("cobot", WRITE, "POST"),
        Call("cobot", "PUT /things/{id}", "PUT"),
    )
    assert seen == [got, (got, 200), posted, (posted, 500), put, (put, None)]


def test_an_exhausted_budget_sends_nothing(sessions):
    def refuse(call):
        raise BudgetExhausted("cobot", retry_after_seconds=12)

    after = []
    transport = Transport(
        BASE, "cobot", {}, sessions, Hooks(before=refuse, after=lambda *a: after.append(a))
    )
    with responses.RequestsMock(), pytest.raises(BudgetExhausted) as caught:
        write(transport)
    assert (caught.value.retry_after_seconds, after) == (12, [])


def test_what_is_seen_of_a_call_holds_no_token_and_of_a_file_only_its_size(remote, sessions):
    seen = []
    transport = Transport(
        BASE, "cobot", {}, sessions, Hooks(seen=seen.append), token_key="a-secret-token"
    )
    remote.post(URL, status=201, json={"id": "7", "message": "a-secret-token", "name": "Xenia"})
    remote.get(URL, status=422, body=b"{broken", headers={"X-Request-Id": "r-1"})
    remote.post(URL, body=requests.ReadTimeout())
    transport.post("/things/7", endpoint=WRITE, files={"file": ("x.pdf", b"1234", "text/plain")})
    with pytest.raises(Rejected):
        read(transport)
    with pytest.raises(OutcomeUnknown):
        transport.post("/things/7", endpoint=WRITE, json={"comment": "Xenia"})
    made, refused, lost = seen
    assert made.sent == {"file": {"bytes": 4}}
    assert made.received == {"id": "7", "message": "[...]", "name": MASK}
    assert (refused.status, refused.request_id, refused.received) == (422, "r-1", {"bytes": 7})
    assert (lost.status, lost.sent) == (None, {"comment": MASK})


@pytest.mark.parametrize("hook", ["after", "seen"])
def test_a_failing_counter_does_not_hide_what_was_written(remote, sessions, hook):
    def fail(*_):
        raise RuntimeError("counter")

    transport = Transport(BASE, "cobot", {}, sessions, Hooks(**{hook: fail}))
    remote.post(URL, status=201, json={"id": "7"})
    assert write(transport) == {"id": "7"}


# Bodies


def test_fractions_are_read_as_decimal_and_the_body_is_sent_as_utf8(remote, transport):
    remote.post(URL, body=b'{"sum": 219.10, "count": 3}')
    reply = transport.post("/things/7", endpoint=WRITE, json={"name": "Jörg"})
    assert (reply, type(reply["sum"])) == ({"sum": Decimal("219.10"), "count": 3}, Decimal)
    request = remote.calls[0].request
    assert request.body == '{"name": "Jörg"}'.encode()
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == "Cobot-sevdesk-Portal by tests"


@pytest.mark.parametrize("value", ["1e3", "0x1", "1,5", "", "٣", None, True, [], 1.5, "1" * 40])
def test_what_is_no_plain_number_is_refused(value):
    with pytest.raises(WrongShape):
        decimal(value, "sum")


def test_an_absurd_exponent_is_refused():
    with pytest.raises(WrongShape):
        decimal(parse_json(b"1e99999999"), "sum")


def test_a_fraction_is_no_whole_number():
    with pytest.raises(WrongShape):
        whole("1.5", "count")


def test_short_words_are_not_taken_for_secrets():
    assert one_line("a tag", ("a",)) == "a tag"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_what_would_lead_elsewhere_is_no_path_segment(value):
    with pytest.raises(ValueError, match="segment"):
        segment(value)


def test_a_path_segment_is_quoted():
    assert segment("a/b?c#d%2f") == "a%2Fb%3Fc%23d%252f"
    assert json.dumps(segment("inv-1_A")) == '"inv-1_A"'
