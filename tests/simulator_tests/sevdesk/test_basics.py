"""Version, booking accounts, cost centres and fixed lists."""

from __future__ import annotations

import pytest

from tests.simulator_tests.sevdesk.conftest import TOKEN, Sevdesk


def test_version_is_that_of_the_client(sevdesk: Sevdesk) -> None:
    assert sevdesk.get("/Tools/bookkeepingSystemVersion") == {"version": "2.0"}
    sevdesk.control("PATCH", f"/{TOKEN}", {"version": "1.0"})
    assert sevdesk.get("/Tools/bookkeepingSystemVersion") == {"version": "1.0"}


def test_guidance_has_integers_for_ids_and_words_for_rates(sevdesk: Sevdesk) -> None:
    rows = {row["accountNumber"]: row for row in sevdesk.get("/ReceiptGuidance/forRevenue")}
    assert rows["4400"]["accountDatevId"] == 3631
    assert rows["4400"]["allowedReceiptTypes"] == ["REVENUE"]
    rule = rows["4400"]["allowedTaxRules"][0]
    assert (rule["id"], rule["name"]) == (1, "USTPFL_UMS_EINN")
    assert rule["taxRates"] == ["ZERO", "SEVEN", "NINETEEN"]
    assert "6310" not in rows


def test_guidance_by_type_rule_and_number(sevdesk: Sevdesk) -> None:
    def numbers(path: str) -> list[str]:
        return [row["accountNumber"] for row in sevdesk.get(f"/ReceiptGuidance/{path}")]

    assert numbers("forExpense") == ["6310"]
    assert set(numbers("forAllAccounts")) > {"4400", "6310"}
    assert numbers("forTaxRule?taxRule=AUSFUHREN") == ["4120"]
    assert numbers("forAccountNumber?accountNumber=4300") == ["4300"]


@pytest.mark.parametrize(
    "path", ["forTaxRule", "forTaxRule?taxRule=NONE", "forAccountNumber?accountNumber=9"]
)
def test_guidance_for_what_is_not_there_is_422(sevdesk: Sevdesk, path: str) -> None:
    response = sevdesk.call("GET", f"/ReceiptGuidance/{path}")
    assert response.status_code == 422
    assert response.json["error"]["exceptionUUID"]


def test_cost_centres_are_listed_and_made(sevdesk: Sevdesk) -> None:
    made = sevdesk.post("/CostCentre", {"name": "Café", "number": "200", "status": 100})
    assert made.status_code == 201
    assert [row["number"] for row in sevdesk.get("/CostCentre?limit=1000")] == ["100", "200"]
    assert sevdesk.post("/CostCentre", {"name": "Café"}).status_code == 400


def test_there_is_always_a_till(sevdesk: Sevdesk) -> None:
    assert [row["name"] for row in sevdesk.get("/CheckAccount")] == ["Kasse"]


def test_country_by_code_knows_no_case_and_gb_has_three_rows(sevdesk: Sevdesk) -> None:
    assert [row["id"] for row in sevdesk.get("/StaticCountry?code=DE")] == ["1"]
    names = {row["nameEn"] for row in sevdesk.get("/StaticCountry?code=GB")}
    assert len(names) == 3
    assert "United Kingdom" in names


def test_categories_of_addresses(sevdesk: Sevdesk) -> None:
    ids = [row["id"] for row in sevdesk.get("/Category?objectType=ContactAddress")]
    assert "47" in ids
    assert "3" not in ids
