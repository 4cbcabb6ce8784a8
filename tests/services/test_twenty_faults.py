"""A generated world with twenty planted faults: rehearsed, booked, repaired, healed by a press."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal.database import db
from portal.models import InvoiceSync, Space, State
from portal.services import backfill, connection, heal, mapping_rows, rehearsal, retry, skips
from portal.services.connection import Choices
from tests.services.conftest import Json, Remote, admin_named, connect
from tests.services.looking import drain_all, ended, items_of, methods, reset
from tests.simulator.generator import generate_world, predict

FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
CLEAN = 12
OTHER = 2
"""The place of the space whose cost centre is gone."""
LEFT_OUT = {"several_taxes", "currency_not_supported", "rate_not_supported"}
"""What nobody can repair: left out on purpose."""
MISMATCHED = {"contact_missing", "contact_ambiguous"}


def line(code: str | None = "Mitgliedschaften", net: str = "100.00", rate: str = "19.0") -> Json:
    taxes = [{"name": "USt", "rate": rate}] if rate != "0" else []
    amount = {"net": net, "currency": "EUR", "taxes": taxes}
    return {"description": "Posten", "quantity": "1.0", "accountingCode": code, "amount": amount}


def with_amount(**given: object) -> Json:
    item = line()
    item["amount"].update(given)
    return item


def faults(world: Json) -> dict[str, tuple[Json, str]]:
    """Return by invoice number what is planted and its cause; one more is a cost centre."""
    space = world["spaces"][0]
    team = {"type": "teams", "id": space["teams"][0]["id"]}
    guest = {"type": "contacts", "id": space["contacts"][0]["id"]}
    two = [{"name": "USt", "rate": "19.0"}, {"name": "Kurtaxe", "rate": "2.0"}]
    off = {"net": "100.0", "gross": "119.01"}
    return {
        "renamed": ({"items": [line("Telefonkabine")]}, "account_missing"),
        "blank": ({"items": [line("   ")]}, "code_empty"),
        "none": ({"items": [line(), line(None)]}, "code_empty"),
        "double": ({"items": [line("Mitglied  schaften")]}, "account_missing"),
        "number": ({"items": [line("8400")]}, "account_missing"),
        "half": ({"items": [line(), line("Druckkosten", "7.50")]}, "account_missing"),
        "twins": ({"items": [line("Sonstige Erlöse")]}, "account_ambiguous"),
        "narrow": ({"items": [line("Bücher")]}, "rule_not_allowed"),
        "free": ({"items": [line(rate="0")]}, "tax_rule_needed"),
        "correction": ({"items": [line(net="-50.00")]}, "correction_choice_needed"),
        "odd": ({"items": [line(rate="16.0")]}, "rate_not_supported"),
        "francs": ({"items": [with_amount(currency="CHF")]}, "currency_not_supported"),
        "taxes": ({"items": [with_amount(taxes=two)]}, "several_taxes"),
        "cent": ({"items": [line()], "totalAmount": off}, "totals_differ"),
        "taken": ({"items": [line()]}, "number_taken"),
        "team": ({"debitor": team, "customerNumber": "T-31337"}, "contact_missing"),
        "guest": ({"debitor": guest, "customerNumber": "G-31337"}, "contact_missing"),
        "stranger": ({"customerNumber": "31337"}, "contact_missing"),
        "shared": ({"customerNumber": "55555"}, "contact_ambiguous"),
    }


@pytest.fixture
def world(remote: Remote) -> Json:
    """Invoices that a generator made and that would be booked, and the faults among them."""
    made: Json = json.loads(
        json.dumps(generate_world(spaces=OTHER + 1, members=12, invoices=40, seed=20))
    )
    good = {id_ for id_, one in predict(made).items() if one.state == "synced"}
    for place, space in enumerate(made["spaces"]):
        fine = [invoice for invoice in space["invoices"] if invoice["id"] in good]
        space["invoices"] = {0: fine[:CLEAN], OTHER: fine[:1]}.get(place, [])
    known = next(one for one in made["spaces"][0]["invoices"] if "debitor" in one)
    for place, (number, (body, _)) in enumerate(faults(made).items(), start=1):
        made["spaces"][0]["invoices"].append(
            {
                "id": f"inv-fault-{place}",
                "number": number,
                "invoiceDate": f"2026-06-{place:02}",
                "debitor": known["debitor"],
                "customerNumber": known["customerNumber"],
                "items": [line()],
                **body,
            }
        )
    made["spaces"][OTHER]["invoices"][0]["number"] = "centre"
    client = made["sevdesk"][0]
    client["accounts"].append(
        {**client["accounts"][0], "id": "3700", "number": "4500", "name": "Telefonkabine"}
    )
    client["contacts"] += [
        {"id": str(90_000 + place), "name": f"Zwilling {place}", "customerNumber": "55555"}
        for place in range(2)
    ]
    client["vouchers"] = [
        {"description": "taken", "voucherDate": "2026-01-05", "supplierName": "Jemand"}
    ]
    reset(remote, made)
    return made


@pytest.fixture
def spaces(remote: Remote, world: Json, core_app: object) -> tuple[Space, Space]:
    """Both spaces, connected; then the account is renamed and the cost centre deleted."""
    found = []
    for place in (0, OTHER):
        subdomain, token = world["spaces"][place]["subdomain"], world["sevdesk"][place]["token"]
        centre = "100" if place == OTHER else None
        space = connect(remote, f"usr-{place}", subdomain, token, cost_centre=centre)
        space.caught_up_on = space.start_date
        space.auto_retry = False
        db.session.commit()
        found.append(space)
    sevdesk(remote, world, 0, "PATCH", "accounts/3700", {"name": "Telefonzelle"})
    sevdesk(remote, world, OTHER, "DELETE", "cost_centres/9")
    return found[0], found[1]


def sevdesk(
    remote: Remote, world: Json, place: int, method: str, path: str, body: object = None
) -> None:
    """Do in sevdesk what a person does there."""
    remote.control(method, f"/sevdesk/{world['sevdesk'][place]['token']}/{path}", body)


def rows_of(spaces: tuple[Space, ...]) -> list[InvoiceSync]:
    ids = [space.id for space in spaces]
    query = select(InvoiceSync).where(InvoiceSync.space_id.in_(ids))
    found = list(db.session.scalars(query.execution_options(populate_existing=True)))
    db.session.commit()
    return found


def repair(remote: Remote, world: Json, space: Space) -> None:
    """Repair everything that can be repaired, on all three sides."""
    account = {"types": ["REVENUE"], "rules": {"1": [0, 7, 19]}}
    sevdesk(remote, world, 0, "PATCH", "accounts/3700", {"name": "Telefonkabine"})
    new = {**account, "number": "8400", "name": "Erlöse"}
    sevdesk(remote, world, 0, "POST", "accounts", new)
    new = {**account, "number": "4510", "name": "Druckkosten"}
    sevdesk(remote, world, 0, "POST", "accounts", new)
    sevdesk(remote, world, 0, "DELETE", "accounts/3661")
    sevdesk(remote, world, 0, "PATCH", "accounts/3641", {"rules": {"1": [7, 19]}})
    centre = {"id": "9", "number": "100", "name": "Haus"}
    sevdesk(remote, world, OTHER, "POST", "cost_centres", centre)
    subdomain = world["spaces"][0]["subdomain"]
    for invoice in world["spaces"][0]["invoices"]:
        if invoice["number"] in ("blank", "none"):
            items = [{**item, "accountingCode": "4400"} for item in invoice["items"]]
            path = f"/cobot/spaces/{subdomain}/invoices/{invoice['id']}"
            remote.control("PATCH", path, {"items": items})
    assert mapping_rows.save_mapping(space, "Mitglied schaften", 3631, actor="admin:usr-0") == 0
    connection.save_choices(space, Choices("4", "negative", True, 100), admin=admin_named("usr-0"))


def test_the_rehearsal_names_exactly_the_planted_ones_and_one_press_heals_each_group(
    remote: Remote, world: Json, spaces: tuple[Space, Space]
) -> None:
    space = spaces[0]
    planted = {number: cause for number, (_, cause) in faults(world).items()}
    planted["centre"] = "cost_centre_missing"
    assert len(planted) == 20

    before = remote.mark()
    looked = [
        ended(rehearsal.start(one, actor="admin:usr-0", from_date=FIRST, to_date=LAST))
        for one in spaces
    ]
    assert methods(remote, before) == {"GET"}
    named = {number: cause for task in looked for number, (_, cause) in items_of(task).items()}
    assert {number: cause for number, cause in named.items() if cause} == planted
    assert len(named) == CLEAN + len(planted)
    outcome = rehearsal.outcome_of(looked[0])
    assert outcome is not None
    assert (outcome.ok, outcome.without_contact, outcome.failed) == (CLEAN, 4, 15)
    assert outcome.lacks == {
        "accounts": 5, "codes": 2, "contacts": 4, "choices": 2, "others": 6,
    }  # fmt: skip

    for one in spaces:
        task = ended(backfill.prepare(one, FIRST, LAST, actor="admin:usr-0"))
        assert backfill.WORK.start(one, task)
        drain_all(one)
    booked = {row.number: row.cause_code for row in rows_of(spaces) if row.cause_code}
    assert booked == planted, "the sync ends as the rehearsal said"

    repair(remote, world, space)
    pressed = Counter[str]()
    for one in spaces:
        drain_all(one)
        found = [group for group in heal.groups(one, anew=True) if group.state == State.FAILED]
        db.session.commit()
        for group in found:
            if group.cause not in {*LEFT_OUT, "number_taken"}:
                assert group.is_gone is not False, group
                pressed[group.cause] += heal.retry_group(one, group.key, actor="admin:usr-0")
        drain_all(one)
    assert pressed == Counter(set(planted.values()) - MISMATCHED - LEFT_OUT - {"number_taken"}) + (
        Counter({"account_missing": 3, "code_empty": 1})
    )
    rest = {row.number: row.cause_code for row in rows_of(spaces) if row.state == State.FAILED}
    assert set(rest.values()) == {*LEFT_OUT, "number_taken"}

    ids = {row.number: row.cobot_invoice_id for row in rows_of(spaces)}
    [taken] = [row for row in rows_of(spaces) if row.number == "taken"]
    beside = taken.cause_params["id"]
    assert retry.create_anyway(space, ids["taken"], beside=beside, actor="admin:usr-0")
    drain_all(space)
    left = [ids[number] for number, cause in rest.items() if cause in LEFT_OUT]
    assert skips.skip(space, left, "von Hand gebucht", actor="admin:usr-0").changed == 3
    rows = rows_of(spaces)
    assert Counter(row.state for row in rows) == {
        State.SYNCED: CLEAN + 20 - 3 - 4,
        State.MISMATCHED: 4,
        State.SKIPPED: 3,
    }
    agree(remote, world, rows)


def agree(remote: Remote, world: Json, rows: list[InvoiceSync]) -> None:
    """Cobot's total is what was booked and what was left out, invoice by invoice."""
    receipts: dict[str, Any] = {}
    for place in (0, OTHER):
        for voucher in remote.sevdesk(world["sevdesk"][place]["token"])["vouchers"]:
            if voucher["voucherDate"][:10] != "2026-01-05":
                assert voucher["description"] not in receipts, "booked once"
                receipts[voucher["description"]] = Decimal(str(voucher["sumGross"]))
    assert receipts == {row.number: row.gross for row in rows if row.state != State.SKIPPED}
    left_out = sum(row.gross for row in rows if row.state == State.SKIPPED)
    assert sum(receipts.values()) + left_out == sum(row.gross for row in rows)
