"""The sync against the real simulator, drained in this process: every step can be looked at."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask, current_app
from sqlalchemy import select, update

from portal.config import Config
from portal.core import create_core
from portal.database import db, utcnow
from portal.models import Admin, HistoryLine, InvoiceSync, MemberSync, Space
from portal.oauth import SCOPES
from portal.services import connection, directory, signin, vault, webhooks
from portal.services.connection import SevdeskSettings
from portal.services.drain import drain
from tests.conftest import ROOT, _close

Json = dict[str, Any]
TOKEN = "a1" * 16
BETA_TOKEN = "b2" * 16


class Remote:
    """Both remote sides, as their users and we see them."""

    def __init__(self, ready: dict[str, str]) -> None:
        self.ready = ready
        self.http = requests.Session()

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = self.http.request(method, self.ready["control_url"] + path, json=body, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.content else None

    def state(self) -> Json:
        return dict(self.control("GET", "/state"))

    def sevdesk(self, token: str = TOKEN) -> Json:
        return next(one for one in self.state()["sevdesk"] if one["token"] == token)

    def space(self, subdomain: str = "alpha") -> Json:
        return next(one for one in self.state()["spaces"] if one["subdomain"] == subdomain)

    def invoice(self, subdomain: str = "alpha", **invoice: Any) -> Json:
        """Create an invoice without telling anybody; return what Cobot made."""
        made = self.control("POST", f"/cobot/spaces/{subdomain}/invoices?webhook=0", invoice)
        return dict(made)

    def fault(self, side: str, effect: str, **more: Any) -> None:
        self.control("POST", "/faults", {"side": side, "effect": effect, **more})

    def mark(self) -> int:
        return int(self.control("GET", f"/calls?after={2**40}")["last"])

    def calls(self, after: int) -> list[str]:
        found = self.control("GET", f"/calls?after={after}")["calls"]
        return [f"{call['side']} {call['method']} {call['path']}" for call in found]

    def user_token(self, user_id: str) -> str:
        """Sign in as a person does and return the token that the portal would get."""
        www = self.ready["COBOT_WWW_URL"]
        query = {
            "response_type": "code",
            "client_id": "demo",
            "redirect_uri": "http://127.0.0.1:8000/oauth/callback",
            "scope": " ".join(SCOPES),
            "state": "s",
        }
        answer = self.http.post(
            f"{www}/oauth/authorize",
            params=query,
            data={"user_id": user_id},
            allow_redirects=False,
            timeout=30,
        )
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        token = self.http.post(
            f"{www}/oauth/access_token",
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": query["redirect_uri"],
                "client_id": "demo",
                "client_secret": "demo-secret",
            },
            timeout=30,
        )
        return str(token.json()["access_token"])


@pytest.fixture(scope="session")
def simulator() -> Iterator[Remote]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.simulator",
            "--port",
            "0",
            "--webhook-backoff",
            "0.1",
            "--cobot-per-minute",
            "0",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        remote = Remote(json.loads(process.stdout.readline()))
        yield remote
        remote.http.close()
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


def world() -> Json:
    """Two spaces of two people, each with a sevdesk of its own."""

    def member(number: str, name: str, company: str | None, customer_number: str | None) -> Json:
        return {
            "id": f"mem-{number}",
            "name": name,
            "email": f"{number}@example.org",
            "customer_number": customer_number,
            "address": {
                "company": company,
                "name": name,
                "address": "Hafenstraße 12",
                "post_code": "20457",
                "city": "Hamburg",
                "country": "Germany",
            },
        }

    accounts = [
        {
            "id": "3631",
            "number": "4400",
            "name": "Mitgliedschaft",
            "types": ["REVENUE"],
            "rules": {"1": [0, 7, 19], "4": [0]},
        },
        {
            "id": "3633",
            "number": "4300",
            "name": "Snacks",
            "types": ["REVENUE"],
            "rules": {"1": [7]},
        },
    ]
    return {
        "users": [
            {"id": "owner", "email": "ada@alpha.example", "name": "Ada", "admin_of": ["s-a"]},
            {"id": "second", "email": "eva@alpha.example", "name": "Eva", "admin_of": ["s-a"]},
            {"id": "stranger", "email": "bo@beta.example", "name": "Bo", "admin_of": ["s-b"]},
        ],
        "spaces": [
            {
                "id": "s-a",
                "subdomain": "alpha",
                "name": "Alpha",
                "locale": "de-DE",
                "memberships": [
                    member("xyz", "Xenia Yilmaz", "XYZ Design", "1005"),
                    member("new", "Jörg von Müller", None, "77"),
                    member("lost", "Lars Petersen", None, "4711"),
                ],
            },
            {
                "id": "s-b",
                "subdomain": "beta",
                "name": "Beta",
                "locale": "en-GB",
                "memberships": [member("b", "Ben Ott", None, "1")],
            },
        ],
        "sevdesk": [
            {
                "token": TOKEN,
                "client_id": "71",
                "next_customer_number": 1008,
                "accounts": accounts,
                "cost_centres": [{"id": "9", "number": "100", "name": "Alpha"}],
                "contacts": [{"id": "501", "customerNumber": "1005", "name": "XYZ Design"}],
            },
            {"token": BETA_TOKEN, "client_id": "72", "accounts": accounts},
        ],
    }


@pytest.fixture
def remote(simulator: Remote) -> Remote:
    simulator.control("POST", "/reset", {"world": world()})
    simulator.control("DELETE", "/faults")
    return simulator


@pytest.fixture
def settings() -> dict[str, object]:
    """Settings that a test module overrides."""
    return {}


@pytest.fixture
def core_app(
    remote: Remote,
    make_config: Callable[..., Config],
    translations: None,
    settings: dict[str, object],
) -> Iterator[Flask]:
    sides = {
        name.lower(): remote.ready[name]
        for name in ("COBOT_WWW_URL", "COBOT_API_URL", "COBOT_SPACE_URL", "SEVDESK_API_URL")
    }
    app = create_core(make_config(**sides, **{"retry_first_seconds": 0.05, **settings}))
    with app.app_context():
        yield app
        _close(app)


@pytest.fixture
def alpha(core_app: Flask, remote: Remote) -> Space:
    """Space alpha, connected by its owner: cost centre 100, due after 30 days."""
    return connect(remote, "owner", "alpha", TOKEN, cost_centre="100")


@pytest.fixture
def beta(core_app: Flask, remote: Remote) -> Space:
    """Space beta, of another owner and with another sevdesk."""
    return connect(remote, "stranger", "beta", BETA_TOKEN)


def connect(
    remote: Remote, user: str, subdomain: str, token: str, *, cost_centre: str | None = None
) -> Space:
    user_token = remote.user_token(user)
    admin = signin.sign_in(user_token)
    space = directory.all_spaces_of_address(admin, subdomain)
    assert space is not None
    connection.save_settings(
        space, SevdeskSettings(token, cost_centre, 30), admin=admin, user_token=user_token
    )
    return space


def admin_named(user: str) -> Admin:
    admin = db.session.scalar(select(Admin).where(Admin.cobot_user_id == user))
    assert admin is not None
    return admin


def announce(space: Space, event: str, remote_id: str) -> int:
    """Deliver a webhook as Cobot would; return the status it gets."""
    from portal.core import core

    kind = "memberships" if event.endswith("membership") else "invoices"
    base = core().config.cobot_space_url.format(subdomain=space.subdomain)
    body = json.dumps({"url": f"{base}/api/{kind}/{remote_id}"}).encode()
    secret = vault.get(space, "hook_secret")
    assert secret is not None
    db.session.commit()
    return webhooks.receive(secret, event, body=body, content_type="application/json")


def work(space: Space) -> None:
    """Drain until nothing is due."""
    while drain(space.id):
        pass


def let_go_on(space: Space) -> None:
    """Let the time come of all that waits, and work it off."""
    db.session.execute(
        update(InvoiceSync)
        .where(InvoiceSync.space_id == space.id, InvoiceSync.next_try_at.is_not(None))
        .values(next_try_at=utcnow())
    )
    db.session.commit()
    work(space)


def row_of(invoice: Json) -> InvoiceSync:
    row = db.session.scalar(
        select(InvoiceSync)
        .where(InvoiceSync.cobot_invoice_id == id_of(invoice))
        .execution_options(populate_existing=True)
    )
    assert row is not None
    db.session.commit()
    return row


def member_row(membership_id: str) -> MemberSync:
    row = db.session.scalar(
        select(MemberSync)
        .where(MemberSync.cobot_membership_id == membership_id)
        .execution_options(populate_existing=True)
    )
    assert row is not None
    db.session.commit()
    return row


def id_of(invoice: Json) -> str:
    return str(invoice.get("id") or invoice["data"]["id"])


def steps_of(invoice: Json) -> list[str]:
    row = row_of(invoice)
    lines = db.session.scalars(
        select(HistoryLine).where(HistoryLine.invoice_id == row.id).order_by(HistoryLine.id)
    ).all()
    db.session.commit()
    return [f"{line.step} {line.outcome}" for line in lines]


def line(net: str = "220.0", rate: str = "19.0", code: str | None = "Mitgliedschaft") -> Json:
    taxes = [{"name": "USt", "rate": rate}] if rate != "0" else []
    return {
        "description": "Desk, März",
        "quantity": "1.0",
        "accountingCode": code,
        "amount": {"net": net, "currency": "EUR", "taxes": taxes},
    }


def sync(remote: Remote, space: Space, **invoice: Any) -> Json:
    """Create an invoice, announce it, drain; return what Cobot made."""
    invoice.setdefault("items", [line()])
    made = remote.invoice(space.subdomain, **invoice)
    assert announce(space, "created_invoice", id_of(made)) == 202
    work(space)
    return made


def elsewhere(act: Callable[[], Any]) -> Any:
    """Do something as another process would, with a session of its own."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    said = []

    def run() -> None:
        with app.app_context():
            said.append(act())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return said[0]
