"""Generated worlds: the same for the same seed, whole, and with every way an invoice can end."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.generator import Prediction, generate_world, predict
from tests.simulator.generator.__main__ import main
from tests.simulator.sevdesk import SevdeskSide
from tests.simulator.world import World

WORLDS = Path(__file__).parents[1] / "simulator" / "worlds"
CAUSES = {
    "account_missing",
    "account_ambiguous",
    "code_empty",
    "contact_missing",
    "contact_ambiguous",
    "currency_not_supported",
    "several_taxes",
    "rate_not_supported",
    "tax_rule_needed",
    "correction_choice_needed",
    "rule_not_allowed",
    "small_business_with_tax",
    "totals_differ",
    "zero_total",
}


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    """Return two spaces, the second a small business, with 500 invoices together."""
    return generate_world(spaces=2, members=30, invoices=250, seed=7)


def test_equal_seeds_give_equal_worlds_and_others_do_not(world: dict[str, Any]) -> None:
    assert generate_world(spaces=2, members=30, invoices=250, seed=7) == world
    assert generate_world(spaces=2, members=30, invoices=250, seed=8) != world


def test_further_spaces_leave_the_first_ones_as_they_are(world: dict[str, Any]) -> None:
    more = generate_world(spaces=3, members=30, invoices=250, seed=7)
    assert more["spaces"][:2] == world["spaces"]
    assert more["sevdesk"][:2] == world["sevdesk"]


def test_numbers_are_per_space_and_ids_are_unique(world: dict[str, Any]) -> None:
    invoices = [invoice for space in world["spaces"] for invoice in space["invoices"]]
    assert len({invoice["id"] for invoice in invoices}) == len(invoices) == 500
    for space in world["spaces"]:
        assert len(space["memberships"]) == 30
        assert len({invoice["number"] for invoice in space["invoices"]}) == 250
    subdomains = [space["subdomain"] for space in world["spaces"]]
    assert len(set(subdomains)) == 2
    everybody = {user["id"]: user["admin_of"] for user in world["users"]}
    assert everybody == {"usr-all": ["spc-0", "spc-1"], "usr-0": ["spc-0"], "usr-1": ["spc-1"]}


def test_every_end_is_there(world: dict[str, Any]) -> None:
    predictions = predict(world)
    causes = {each.cause for each in predictions.values()}
    assert causes == CAUSES | {None}
    never = predict(world, {"spc-0": {"corrections": "never"}})
    assert ("skipped", "corrections_off") in {(each.state, each.cause) for each in never.values()}
    ends = Counter(each.state for each in predictions.values())
    assert ends["synced"] > 150
    assert {each.mode for each in predictions.values()} == {None, "net", "gross"}


def test_settings_heal_what_waited_for_them(world: dict[str, Any]) -> None:
    chosen = {"zero_tax_rule": "5", "corrections": "expense", "cent_difference": True}
    before, after = predict(world), predict(world, {"spc-0": chosen, "spc-1": chosen})
    healed = {"tax_rule_needed", "correction_choice_needed", "totals_differ"}
    assert not healed & {each.cause for each in after.values()}
    untaxed = [after[key] for key, each in before.items() if each.cause == "tax_rule_needed"]
    assert {each.tax_rule for each in untaxed} <= {"5", None}
    assert any(each.credit_debit == "C" and each.gross < 0 for each in after.values())
    subdomain = world["spaces"][0]["subdomain"]
    by_id = predict(world, {"spc-0": {"corrections": "negative"}})
    assert by_id == predict(world, {subdomain: {"corrections": "negative"}})
    assert by_id != before


def test_world_is_accepted_and_predicts_the_same_after_a_round_trip(world: dict[str, Any]) -> None:
    side = SevdeskSide.from_world(world["sevdesk"], lambda: date(2026, 11, 1))
    state = side.to_world()
    again = SevdeskSide.from_world(json.loads(json.dumps(state)), lambda: date(2026, 11, 1))
    assert again.to_world() == state
    whole = World.from_json(world).to_json(lambda subdomain: f"http://{subdomain}.example")
    predictions = predict(world)
    assert predict(whole) == predictions
    for space in whole["spaces"]:
        for invoice in space["invoices"]:
            total = Decimal(invoice["totalAmount"]["gross"])
            assert predictions[invoice["id"]].gross == total


def test_help_pages_invoice_is_synced() -> None:
    assert predict(one_invoice()) == {"inv": HELP_PAGE}


HELP_PAGE = Prediction(
    state="synced",
    cause=None,
    gross=Decimal("261.80"),
    accounts=("4400",),
    tax_rule="1",
    mode="net",
    credit_debit="D",
    contact_id="501",
)


def line(**fields: Any) -> dict[str, Any]:
    taxes = fields.pop("taxes", ["19.0"])
    amount = {
        "net": fields.pop("net", "110.0"),
        "currency": fields.pop("currency", "EUR"),
        "taxes": [{"name": "USt", "rate": rate} for rate in taxes],
    }
    return {"quantity": "2.0", "accountingCode": "Mitgliedschaft", "amount": amount, **fields}


def one_invoice(*lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    rules = {"1": [0, 7, 19], "4": [0]}
    accounts = [
        {"number": "4400", "name": "Mitgliedschaft", "rules": rules},
        {"number": "4300", "name": "Getränke", "rules": {"1": [7]}},
        {"number": "4830", "name": "Übriges", "rules": rules},
        {"number": "4839", "name": "übriges", "rules": rules},
        {"number": "6310", "name": "Miete", "types": ["EXPENSE"], "rules": {"9": [19]}},
    ]
    contacts = [
        {"id": "501", "customerNumber": "1005"},
        {"id": "502", "customerNumber": "1006"},
        {"id": "503", "customerNumber": "1006"},
    ]
    invoice = {"id": "inv", "customerNumber": "1005", "items": list(lines) or [line()], **fields}
    return {
        "spaces": [{"id": "spc", "invoices": [invoice]}],
        "sevdesk": [{"accounts": accounts, "contacts": contacts}],
    }


@pytest.mark.parametrize(
    ("world", "state", "cause"),
    [
        (one_invoice(line(net="0.0", accountingCode=None)), "skipped", "zero_total"),
        (one_invoice(line(net="-1.0", currency="CHF")), "failed", "correction_choice_needed"),
        (one_invoice(correctedInvoice="x"), "failed", "correction_choice_needed"),
        (one_invoice(line(currency="CHF", taxes=["1", "2"])), "failed", "currency_not_supported"),
        (one_invoice(line(taxes=["19", "2"], accountingCode="")), "failed", "several_taxes"),
        (one_invoice(line(accountingCode="x"), line(accountingCode=" ")), "failed", "code_empty"),
        (
            one_invoice(line(accountingCode="Übriges"), line(accountingCode="x")),
            "failed",
            "account_missing",
        ),
        (one_invoice(line(accountingCode="Miete")), "failed", "account_missing"),
        (
            one_invoice(line(accountingCode="Übriges", taxes=["16"])),
            "failed",
            "account_ambiguous",
        ),
        (one_invoice(line(taxes=["16.0"])), "failed", "rate_not_supported"),
        (one_invoice(line(taxes=[])), "failed", "tax_rule_needed"),
        (one_invoice(line(accountingCode="Getränke")), "failed", "rule_not_allowed"),
        (
            one_invoice(line(), line(accountingCode="Getränke", taxes=[])),
            "failed",
            "rule_not_allowed",
        ),
        (one_invoice(totalAmount={"gross": "261.81"}), "failed", "totals_differ"),
        (one_invoice(customerNumber=None), "mismatched", "contact_missing"),
        (one_invoice(customerNumber="9"), "mismatched", "contact_missing"),
        (one_invoice(customerNumber="1006"), "mismatched", "contact_ambiguous"),
        (one_invoice(line(accountingCode="4830")), "synced", None),
        (
            one_invoice(line(accountingCode=" MITGLIEDSCHAFT ")),
            "synced",
            None,
        ),
        (one_invoice(line(accountingCode="4300 - GETRA\u0308NKE", taxes=["7"])), "synced", None),
        (
            one_invoice(line(accountingCode=None, revenueAccount={"number": "4400"})),
            "synced",
            None,
        ),
    ],
)
def test_first_rule_that_applies_decides(
    world: dict[str, Any], state: str, cause: str | None
) -> None:
    found = predict(world)["inv"]
    assert (found.state, found.cause) == (state, cause)


def test_small_business_has_rule_11_and_no_tax() -> None:
    world = one_invoice(line(taxes=[]))
    world["sevdesk"][0]["accounts"] = [
        {"number": "4400", "name": "Mitgliedschaft", "rules": {"11": [0]}}
    ]
    assert predict(world)["inv"].tax_rule == "11"
    world["spaces"][0]["invoices"][0]["items"] = [line()]
    assert predict(world)["inv"].cause == "small_business_with_tax"


def test_gross_prices_are_booked_in_gross_where_net_does_not_add_up() -> None:
    item = line(quantity="3.0", net="4.20168")
    item["amount"]["gross"] = "5.00"
    expected = replace(HELP_PAGE, gross=Decimal("15.00"), mode="gross")
    assert predict(one_invoice(item))["inv"] == expected


def test_one_cent_for_each_line_is_forgiven_if_the_space_says_so() -> None:
    def state(gross: str) -> str:
        world = one_invoice(totalAmount={"gross": gross})
        return predict(world, {"spc": {"cent_difference": True}})["inv"].state

    assert state("261.81") == "synced"
    assert state("261.82") == "failed"


def test_demo_world_is_a_whole_world() -> None:
    demo = json.loads((WORLDS / "demo.json").read_text(encoding="utf-8"))
    World.from_json(demo)
    assert len(demo["spaces"]) == len(demo["sevdesk"]) == 3
    assert demo["spaces"][0]["invoices"] == []
    assert {each.state for each in predict(demo).values()} == {"synced", "mismatched"}


def test_command_writes_the_world_and_says_how_it_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "world.json"
    main(["--spaces", "1", "--members", "3", "--invoices", "5", "--seed", "3", "--out", str(out)])
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written == generate_world(spaces=1, members=3, invoices=5, seed=3)
    counted = sum(int(text.split()[0]) for text in capsys.readouterr().out.splitlines())
    assert counted == 5


@pytest.mark.parametrize(("members", "invoices"), [(0, 3), (1, 0), (2, 80)])
def test_small_worlds_are_whole_too(members: int, invoices: int) -> None:
    small = generate_world(spaces=1, members=members, invoices=invoices, seed=1)
    World.from_json(small)
    assert len(predict(small)) == invoices
