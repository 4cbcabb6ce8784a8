"""A space whose tokens no key opens any more: each page says so, and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.crypto import Sealer, new_key
from portal.database import db
from portal.models import Space, SpaceAdmin, State
from portal.services import vault
from tests.web.conftest import Cast, csrf_of

INVOICE = "/spaces/alpha/invoices/i-x"
SENTENCE = "Die gespeicherten Zugangsdaten lassen sich nicht öffnen"
WAY_OUT = "unter „Deine SevDesk Daten“"


@pytest.fixture(autouse=True)
def _a_key_is_gone(app: Flask, cast: Cast, add_invoice: Callable[..., int]) -> None:
    """What alpha stores was sealed with a key that was taken away; beta, of the same owner, was
    connected later."""
    add_invoice(
        cast.alpha,
        State.MISMATCHED,
        cobot_invoice_id="i-x",
        cause_code="contact_missing",
        debtor_kind="teams",
        debtor_id="t-1",
        sevdesk_client="71",
        sevdesk_voucher_id="900",
    )
    with app.app_context():
        space = db.session.get_one(Space, cast.alpha)
        space.sevdesk_client = "71"
        for field in ("cobot_token", "sevdesk_token", "hook_secret"):
            context = vault.context_of(space.cobot_id, field)
            setattr(space, f"sealed_{field}", Sealer([new_key()]).seal("gone", context=context))
        db.session.add(SpaceAdmin(space_id=cast.beta, admin_id=cast.owner))
        db.session.get_one(Space, cast.beta).due_after_days = 14
        db.session.commit()
    app.config["PROPAGATE_EXCEPTIONS"] = False


@pytest.mark.parametrize(
    "path",
    [f"{INVOICE}/pdf", f"{INVOICE}/contacts", "/spaces/alpha/setup?from=beta"],
    ids=["the PDF", "looking for a contact", "taking a set-up over"],
)
def test_a_page_says_that_the_tokens_do_not_open(owner: FlaskClient, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code == 503
    assert SENTENCE in answer.text
    assert WAY_OUT in answer.text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (f"{INVOICE}/contact", {"contact_id": "501"}),
        (f"{INVOICE}/look-again", {}),
        ("/spaces/alpha/setup", {"from": "beta", "take": "due_after_days", "mark": "x"}),
    ],
    ids=["choosing a contact", "looking at a receipt", "taking a set-up over"],
)
def test_a_form_says_that_the_tokens_do_not_open(
    owner: FlaskClient, path: str, form: dict[str, str]
) -> None:
    data = {"csrf_token": csrf_of(owner, "/spaces/alpha/disconnect"), **form}
    answer = owner.post(path, data=data)
    assert answer.status_code == 503
    assert SENTENCE in answer.text


def test_a_part_of_a_page_says_it_in_a_short_notice(owner: FlaskClient) -> None:
    answer = owner.get(f"{INVOICE}/contacts", headers={"HX-Request": "true"})
    assert answer.status_code == 503
    assert answer.headers["HX-Retarget"] == "#notice"
    assert SENTENCE in answer.text
    assert "<html" not in answer.text
