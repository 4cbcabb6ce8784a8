"""Every address with whatever anybody may send: no crash, no trace, no row written on a refusal.

`make test` does this for a few hundred requests, `make fuzz` for many thousands, on both databases.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text
from werkzeug.routing import Map, Rule

from portal.cobot.webhooks import EVENTS
from portal.crypto import digest
from portal.database import db, utcnow
from portal.models import State, SupportVisit
from portal.views.protection import limiter
from tests.web.conftest import Cast, csrf_of

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Requests to each address; 0 is the short way: some hundred over all of them."""
SHORT = 80
KNOWN_SECRET = "known-hook-secret"
FIELDS = [
    "after", "after_place", "amount_from", "amount_to", "api_token", "bar", "cause", "code",
    "contact_id", "corrections", "cost_centre_number", "csrf_token", "days", "due_after_days",
    "error", "from", "from_date", "from_space", "invoice", "keep", "key", "locale", "looks", "mark",
    "name", "next", "page", "q", "reason", "row", "show", "since", "start_date", "state",
    "subdomain", "take", "theme", "to", "to_date", "url", "voucher_status", "zero_tax_rule",
]  # fmt: skip
HEADERS = [
    "Accept", "Accept-Language", "Authorization", "Content-Encoding", "Cookie", "HX-Current-URL",
    "HX-Request", "HX-Target", "If-Modified-Since", "Origin", "Range", "Referer", "X-Csrftoken",
    "X-Forwarded-For", "X-Http-Method-Override", "X-Request-Id",
]  # fmt: skip
NASTY = [
    "", "0", "-1", "1" * 40, "1" * 400, "2147483648", "9223372036854775808", "1e999", "NaN",
    "2025-02-30", "9999-12-31", "0001-01-01", "2025-02", "0000-00", "..", "../../etc/passwd", "%00",
    "\x00", "\r\nX: y", "\x1b[2J",
    "<script>alert(1)</script>", "{{7*7}}", "' OR 1=1 --", "%", "_", "\\", "'", '"', "\ud7ff",
    "\u202e", "\U0001f4a5", "ß" * 300, "a" * 5000, "[]", "{}", "null", "//evil.example",
    "javascript:alert(1)", "synced", "failed", "working", "retry", "1,2", "alpha", "i-1", "1",
    "owner", "cobot:1", "GET", "on", "true", "de", "en", "dark",
]  # fmt: skip
WHO = ["nobody", "owner", "stranger", "support"]
TRACE = re.compile(r"Traceback|File &#34;|File \"/|sqlalchemy|psycopg|werkzeug\.", re.IGNORECASE)
MEANT = {
    # A refused hook is counted on its space, so that the admin sees that something is wrong.
    "space": {"hook_rejected_at", "hook_rejected_reason", "hook_rejected_count"},
    # A visit moves the end of an idle session, whatever became of it.
    "session": {"expires_at", "sealed_content"},
}

words = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers().map(str),
    st.dates().map(str),
)
header_words = st.one_of(
    st.sampled_from([word for word in NASTY if word.isprintable() and word.isascii()]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)
fields = st.lists(st.tuples(st.one_of(st.sampled_from(FIELDS), words), words), max_size=6)
bodies = st.one_of(
    st.none(),
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.floats() | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
        max_leaves=6,
    ),
    st.fixed_dictionaries({"url": words}),
)
GOOD_BODY = {"url": "http://127.0.0.1:9/cobot-space/alpha/api/invoices/x"}
types = st.sampled_from(
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data",
     "multipart/form-data; boundary=x", "text/plain", "", "application/json; charset=latin-9"]
)  # fmt: skip


Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Sent:
    """One made-up request."""

    method: str
    path: str
    who: str
    query: list[tuple[str, str]] = field(default_factory=list)
    form: list[tuple[str, str]] = field(default_factory=list)
    has_token: bool = False
    body: Any = None
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@st.composite
def mostly(draw: st.DrawFn, good: st.SearchStrategy[Any], any_other: st.SearchStrategy[Any]) -> Any:
    """Three times of four what leads further than the first check."""
    return draw(good if draw(st.integers(0, 3)) else any_other)


@st.composite
def requests_to(draw: st.DrawFn, rules: list[Rule]) -> Sent:
    rule = draw(st.sampled_from(rules))
    known = {
        "subdomain": ["alpha", "alpha", "alpha", "beta"], "invoice_id": ["i-1", "i-2", "i-3"],
        "secret": [KNOWN_SECRET, KNOWN_SECRET, "unknown"], "event": [*EVENTS, "made_up"],
        "table": ["invoice_sync", "space", "session"], "name": ["2026-03"],
    }  # fmt: skip
    path = rule.rule
    for name in sorted(rule.arguments):
        value = draw(mostly(st.sampled_from(known.get(name, ["1", "2"])), words))
        path = re.sub(rf"<(\w+:)?{name}>", quote(value, safe="").replace("\\", "%5C"), path)
    methods = sorted((rule.methods or {"GET"}) - {"OPTIONS"})
    odd = ["DELETE", "PUT", "PATCH", "TRACE", "OPTIONS"]
    has_body = rule is HOOK or draw(st.integers(0, 5)) == 0
    return Sent(
        method=draw(st.sampled_from([*methods * 6, *odd])),
        path=path,
        who=draw(st.sampled_from(WHO)),
        query=draw(fields),
        form=draw(fields),
        has_token=draw(st.integers(0, 4)) > 0,
        body=draw(mostly(st.just(GOOD_BODY), bodies)) if has_body else None,
        content_type=draw(mostly(st.just("application/json"), types)),
        headers=draw(st.dictionaries(st.sampled_from(HEADERS), header_words, max_size=2)),
    )


class Fuzzed:
    """The application with its cast; it sends and looks at what became of it."""

    def __init__(
        self, app: Flask, cast: Cast, sign_in: Callable[..., FlaskClient], *, limits: bool = False
    ) -> None:
        self.app = app
        self.cast = cast
        self._sign_in = sign_in
        app.testing = False
        app.config["PROPAGATE_EXCEPTIONS"] = False
        app.extensions["portal"].sessions.retries = 0
        self._tables = list(db.metadata.sorted_tables)
        self.seen: set[tuple[str, int]] = set()
        self._browsers: dict[str, tuple[FlaskClient, str | None]] = {}
        self._wrote = True
        self._known: Rows = {}
        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", self._note)

    def send(self, sent: Sent) -> None:
        browser, token = self._browser(sent.who)
        with self.app.app_context():
            limiter.reset()
        if self._wrote:
            self._known, self._wrote = self._rows(), False
        answer = browser.open(
            sent.path,
            method=sent.method,
            query_string=urlencode(sent.query, errors="replace"),
            headers=sent.headers,
            **self._content(sent, token),
        )
        said = answer.get_data().decode(errors="replace")
        answer.close()
        self.seen.add((sent.path.split("/")[1], answer.status_code))
        # 503: the remote sides are away here, and the page says so.
        assert answer.status_code < 500 or answer.status_code == 503, said[:500]
        if answer.mimetype == "text/html" and answer.status_code >= 400:
            assert not TRACE.search(said), said[:2000]
        if sent.path.startswith(("/logout", "/account")):
            self._browsers.clear()
        if self._wrote and 400 <= answer.status_code < 500:
            assert self._changed(self._known) == {}, f"{answer.status_code} wrote"

    def _note(self, _c: object, _k: object, statement: str, *_rest: object) -> None:
        """Note that something may have been written since the rows were looked at."""
        self._wrote = self._wrote or not statement.lstrip().startswith(("SELECT", "BEGIN"))

    def _content(self, sent: Sent, token: str | None) -> dict[str, Any]:
        if sent.method in {"GET", "HEAD", "OPTIONS", "TRACE"}:
            return {}
        if sent.body is not None:
            kind = {"content_type": sent.content_type}
            if isinstance(sent.body, bytes):
                return {"data": sent.body, **kind}
            return {"data": json.dumps(sent.body).encode(), **kind}
        form = [*sent.form, *([("csrf_token", token)] if sent.has_token and token else [])]
        return {
            "data": urlencode(form, errors="replace"),
            "content_type": "application/x-www-form-urlencoded",
        }

    def _browser(self, who: str) -> tuple[FlaskClient, str | None]:
        """Return a browser of this person and the token of its forms; signed in once."""
        if who == "nobody":
            return self.app.test_client(), None
        if who not in self._browsers:
            browser = self._sign_in(getattr(self.cast, who))
            self._browsers[who] = browser, csrf_of(browser, "/account")
        return self._browsers[who]

    def _rows(self) -> Rows:
        """Return all that is stored, without what a refusal may change."""
        with self.app.app_context(), db.engine.connect() as connection:
            return {
                table.name: connection.execute(
                    select(
                        *(c for c in table.c if c.name not in MEANT.get(table.name, set()))
                    ).order_by(*table.primary_key)
                ).all()
                for table in self._tables
            }  # type: ignore[return-value]

    def _changed(self, before: Rows) -> dict[str, Any]:
        after = self._rows()
        return {
            name: [row for row in rows if row not in before[name]] or "rows gone"
            for name, rows in after.items()
            if rows != before[name]
        }


@pytest.fixture
def fuzzed(
    app: Flask,
    cast: Cast,
    sign_in: Callable[..., FlaskClient],
    add_invoice: Callable[..., int],
    edit_space: Callable[..., None],
) -> Fuzzed:
    for state, cause in (
        (State.SYNCED, None),
        (State.FAILED, "account_missing"),
        (State.WAITING, None),
    ):
        add_invoice(cast.alpha, state, cause_code=cause, member="Mia Neumann", next_try_at=None)
    edit_space(cast.alpha, hook_digest=digest(KNOWN_SECRET))
    with app.app_context():
        db.session.add(
            SupportVisit(
                space_id=cast.alpha,
                admin_id=cast.support,
                reason="fuzzing",
                expires_at=utcnow() + timedelta(days=1),
            )
        )
        db.session.commit()
    return Fuzzed(app, cast, sign_in)


def fuzz(fuzzed: Fuzzed, rules: list[Rule], examples: int) -> None:
    @settings(
        max_examples=examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate] if not EXAMPLES else [Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests_to(rules))
    def run(sent: Sent) -> None:
        fuzzed.send(sent)

    run()


HOOK = Rule("/hooks/cobot/<secret>/<event>", endpoint="hooks", methods=["POST"])
"""Answered in front of the pages, so it is none of theirs."""
Map([HOOK])


def rules_of(app: Flask) -> list[Rule]:
    rules = [*app.url_map.iter_rules(), HOOK]
    return sorted(rules, key=lambda rule: (rule.rule, rule.endpoint))


@pytest.mark.skipif(EXAMPLES > 0, reason="the long way runs")
def test_whatever_is_sent_nothing_breaks(fuzzed: Fuzzed) -> None:
    fuzz(fuzzed, rules_of(fuzzed.app), SHORT)
    assert {status for _, status in fuzzed.seen} >= {200, 303, 400, 404, 405}


@pytest.mark.skipif(EXAMPLES > 0, reason="the long way runs")
def test_whatever_a_hook_holds_nothing_breaks(fuzzed: Fuzzed) -> None:
    fuzz(fuzzed, [HOOK], SHORT // 2)
    assert {status for _, status in fuzzed.seen} >= {202, 400, 404}


if EXAMPLES:
    PARTS = 33

    @pytest.mark.timeout(1200)
    @pytest.mark.parametrize("part", range(PARTS))
    def test_each_address_is_asked_many_times(fuzzed: Fuzzed, part: int) -> None:
        """A few at a time, so that what one changes does not take the sense from the next."""
        rules = rules_of(fuzzed.app)[part::PARTS]
        fuzz(fuzzed, rules, EXAMPLES * len(rules))


def test_a_write_that_is_refused_would_be_seen(fuzzed: Fuzzed, cast: Cast) -> None:
    """The look at the rows sees what it should."""
    before = fuzzed._rows()
    with fuzzed.app.app_context():
        db.session.execute(text("UPDATE space SET name = 'Other' WHERE subdomain = 'beta'"))
        db.session.commit()
    assert set(fuzzed._changed(before)) == {"space"}
