"""The rehearsal: every rule, no write."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from portal.database import db
from portal.models import Space, State
from portal.services import connection, directory, rehearsal, task_looks, task_runs, tasks
from portal.services.connection import SevdeskSettings
from tests.services.conftest import (
    TOKEN,
    Remote,
    admin_named,
    announce,
    id_of,
    line,
    row_of,
    sync,
    work,
)
from tests.services.looking import connected, ended, generated, items_of, methods
from tests.simulator.generator import predict

XYZ = {"type": "memberships", "id": "mem-xyz"}


def test_a_made_up_world_ends_in_the_rehearsal_as_predicted_and_nothing_is_written(
    remote: Remote, core_app: object
) -> None:
    world = generated(remote, invoices=80)
    space = connected(remote, world)
    before = remote.mark()
    task = rehearsal.start(
        space, actor="admin:usr-0", from_date=date(2026, 1, 1), to_date=date(2026, 12, 31)
    )
    task = ended(task)
    assert methods(remote, before) == {"GET"}
    predicted = {
        invoice["number"]: (prediction.state, prediction.cause)
        for invoice, prediction in zip(
            world["spaces"][0]["invoices"], predict(world).values(), strict=True
        )
    }
    assert items_of(task) == predicted
    outcome = rehearsal.outcome_of(task)
    assert outcome is not None
    assert outcome.total == 80
    assert outcome.ok == sum(state == "synced" for state, _ in predicted.values())
    failed = sum(group.count for group in outcome.groups if group.verdict == State.FAILED)
    assert failed == outcome.failed == sum(state == "failed" for state, _ in predicted.values())
    assert len(remote.calls(before)) < 12


def planted() -> dict[str, tuple[dict[str, object], str | None]]:
    """Twenty faults, each with the cause by which the rehearsal names it."""
    lost = {"type": "memberships", "id": "mem-lost"}
    return {
        "renamed": ({"items": [line(code="Meeting (alt)")]}, "account_missing"),
        "blank": ({"items": [line(code="  ")]}, "code_empty"),
        "none": ({"items": [line(code=None)]}, "code_empty"),
        "double": ({"items": [line(code="Mit  gliedschaft")]}, "account_missing"),
        "number": ({"items": [line(code="8400")]}, "account_missing"),
        "several": ({"items": [line(code="Sonstiges")]}, "account_ambiguous"),
        "rule": ({"items": [line(code="Snacks", rate="19.0")]}, "rule_not_allowed"),
        "free": ({"items": [line(rate="0")]}, "tax_rule_needed"),
        "odd": ({"items": [line(rate="16.0")]}, "rate_not_supported"),
        "minus": ({"items": [line(net="-50.0")]}, "correction_choice_needed"),
        "cent": (
            {"items": [line()], "totalAmount": {"net": "220.0", "gross": "261.79"}},
            "totals_differ",
        ),
        "chf": ({"items": [_in("CHF")]}, "currency_not_supported"),
        "taxes": ({"items": [_two_taxes()]}, "several_taxes"),
        "nobody": ({"items": [line()], "debitor": lost}, "contact_missing"),
        "guest": ({"items": [line()], "debitor": None}, "contact_missing"),
        "stranger": ({"items": [line()], "customerNumber": "31337"}, "contact_missing"),
        "twice": ({"items": [line()], "customerNumber": "1006"}, "contact_ambiguous"),
        "team": (
            {"items": [line()], "debitor": {"type": "teams", "id": "team-1"}},
            "contact_missing",
        ),
        "taken": ({"items": [line()]}, "number_taken"),
        "zero": ({"items": [line(net="0.0")]}, "zero_total"),
    }


def _in(currency: str) -> dict[str, object]:
    item = line()
    item["amount"]["currency"] = currency
    return dict(item)


def _two_taxes() -> dict[str, object]:
    item = line()
    item["amount"]["taxes"].append({"name": "Kurtaxe", "rate": "2.0"})
    return dict(item)


def test_twenty_planted_faults_are_named_with_their_causes_and_nothing_else(
    remote: Remote, alpha: Space
) -> None:
    for number, name in (("4831", "Sonstiges"), ("4832", "sonstiges")):
        remote.control(
            "POST",
            f"/sevdesk/{TOKEN}/accounts",
            {"number": number, "name": name, "types": ["REVENUE"], "rules": {"1": [0, 7, 19]}},
        )
    for name in ("Zwilling A", "Zwilling B"):
        remote.control(
            "POST", f"/sevdesk/{TOKEN}/contacts", {"name": name, "customerNumber": "1006"}
        )
    remote.control(
        "POST",
        "/cobot/spaces/alpha/teams?webhook=0",
        {"id": "team-1", "name": "Team", "customerNumber": "t-1"},
    )
    remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/vouchers",
        {"description": "taken", "voucherDate": "2026-01-05", "supplierName": "X"},
    )
    for number, (body, _) in planted().items():
        remote.invoice("alpha", number=number, **{"debitor": XYZ, **body})
    for number in range(24):
        remote.invoice("alpha", number=f"ok-{number}", items=[line()], debitor=XYZ)
    before = remote.mark()
    task = ended(rehearsal.start(alpha, actor="admin:owner"))
    assert methods(remote, before) == {"GET"}
    found = items_of(task)
    named = {number: cause for number, (_, cause) in found.items() if cause is not None}
    assert named == {number: cause for number, (_, cause) in planted().items()}
    assert len(named) == 20
    outcome = rehearsal.outcome_of(task)
    assert outcome is not None
    assert (outcome.total, outcome.ok) == (44, 24)
    assert outcome.ok_gross == Decimal("261.80") * 24


def test_a_vanished_cost_centre_is_named_for_every_invoice(remote: Remote, alpha: Space) -> None:
    remote.invoice("alpha", number="1", items=[line()], debitor=XYZ)
    remote.control("DELETE", f"/sevdesk/{TOKEN}/cost_centres/9")
    task = ended(rehearsal.start(alpha, actor="admin:owner"))
    assert items_of(task) == {"1": ("failed", "cost_centre_missing")}


def test_what_is_booked_already_is_known_and_a_receipt_made_by_hand_is_found(
    remote: Remote, alpha: Space
) -> None:
    sync(remote, alpha, number="booked", debitor=XYZ)
    made = remote.invoice("alpha", number="by-hand", items=[line()], debitor=XYZ)
    remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/vouchers",
        {
            "description": "by-hand",
            "voucherDate": made["data"]["attributes"]["invoiceDate"],
            "supplier": {"id": "501", "objectName": "Contact"},
            "sumNet": "220",
            "sumTax": "41.8",
            "sumGross": "261.8",
        },
    )
    task = ended(rehearsal.start(alpha, actor="admin:owner"))
    assert items_of(task) == {"booked": ("known", None), "by-hand": ("synced", None)}
    outcome = rehearsal.outcome_of(task)
    assert outcome is not None
    assert (outcome.known, outcome.was_there) == (1, 1)


@pytest.mark.parametrize(
    "settings", [{"sevdesk_calls_per_second": 2, "cobot_calls_per_minute": 55}]
)
def test_a_rehearsal_leaves_when_the_budget_is_used_up_and_asks_nothing_twice(
    remote: Remote, alpha: Space, settings: dict[str, object]
) -> None:
    for number in range(3):
        remote.invoice("alpha", number=f"n-{number}", items=[line()], debitor=XYZ)
    before = remote.mark()
    task = ended(rehearsal.start(alpha, actor="admin:owner"))
    calls = remote.calls(before)
    assert len(calls) == len(set(calls)) == 5
    assert task.state == "done"


def test_save_but_check_first_waits_until_it_is_switched_on(
    remote: Remote, core_app: object
) -> None:
    from tests.services.conftest import signin

    user_token = remote.user_token("owner")
    space = directory.all_spaces_of_address(signin.sign_in(user_token), "alpha")
    assert space is not None
    admin = admin_named("owner")
    settings = SevdeskSettings(TOKEN, None, 30)
    connection.save_settings(space, settings, admin=admin, user_token=user_token, check_first=True)
    assert (space.is_connected, space.pause_code) == (True, "check_first")
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    assert announce(space, "created_invoice", id_of(made)) == 202
    work(space)
    assert row_of(made).state == State.WAITING
    ended(rehearsal.start(space, actor="admin:owner"))
    assert remote.sevdesk()["vouchers"] == []
    connection.save_settings(space, settings, admin=admin, user_token=user_token)
    assert space.pause_code == "check_first"
    connection.switch_on(space, admin=admin)
    work(space)
    assert row_of(made).state == State.SYNCED


def test_a_rehearsal_survives_a_restart_and_a_dead_token(remote: Remote, alpha: Space) -> None:
    remote.invoice("alpha", number="1", items=[line()], debitor=XYZ)
    remote.fault("sevdesk", "status:401", path="/ReceiptGuidance*")
    task = rehearsal.start(alpha, actor="admin:owner")
    task_runs.work_on(alpha.id)
    db.session.refresh(alpha)
    assert alpha.pause_code == "token_invalid"
    assert tasks.view(task, alpha).state == "paused"
    task_looks.forget_memory(task)  # as after a restart
    alpha.paused_at = alpha.pause_code = alpha.probe_at = None
    db.session.commit()
    assert items_of(ended(task)) == {"1": ("synced", None)}
