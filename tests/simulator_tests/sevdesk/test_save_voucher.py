"""saveVoucher: what it stores, and every refusal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator_tests.sevdesk.conftest import TOKEN, Sevdesk, position, voucher_body

EXCHANGE = {"propertyForeignCurrencyDeadline": "28.02.2025"}


def ref(identifier: object, name: str) -> dict[str, Any]:
    return {"id": identifier, "objectName": name}


def with_positions(*positions: dict[str, Any], **header: Any) -> dict[str, Any]:
    return {**voucher_body(**header), "voucherPosSave": list(positions)}


def test_figures_of_the_help_page_come_out(sevdesk: Sevdesk) -> None:
    name = sevdesk.upload()["filename"]
    response = sevdesk.post("/Voucher/Factory/saveVoucher", {**voucher_body(), "filename": name})
    assert response.status_code == 201
    saved = response.json["objects"]
    assert saved["filename"] == name
    voucher = saved["voucher"]
    assert (voucher["sumNet"], voucher["sumTax"], voucher["sumGross"]) == ("220", "41.8", "261.8")
    assert voucher["voucherDate"] == voucher["deliveryDate"] == "2025-02-28T00:00:00+01:00"
    assert voucher["paymentDeadline"] == "2025-03-30T00:00:00+01:00"
    assert voucher["status"] == "100"
    assert voucher["supplier"] == ref("501", "Contact")
    assert voucher["costCentre"] == ref("9", "CostCentre")
    assert voucher["document"] is not None
    assert voucher["sevClient"] == ref("77", "SevClient")
    line = saved["voucherPos"][0]
    assert (line["net"], line["taxRate"], line["sumGross"]) == ("1", "19", "261.8")
    assert line["accountDatev"] == ref(3631, "AccountDatev")


def test_summer_dates_have_the_summer_offset(sevdesk: Sevdesk) -> None:
    assert sevdesk.save(voucher_body(voucherDate="2025-07-01"))["voucherDate"] == (
        "2025-07-01T00:00:00+02:00"
    )


def test_unix_seconds_are_a_day_in_berlin(sevdesk: Sevdesk) -> None:
    saved = sevdesk.save(voucher_body(voucherDate=1740697200))
    assert saved["voucherDate"][:10] == "2025-02-28"


def test_supplier_name_alone_is_enough_and_nobody_asks_for_duplicates(sevdesk: Sevdesk) -> None:
    body = voucher_body(supplier=None, supplierName="XYZ Design")
    first, second = sevdesk.save(body), sevdesk.save(body)
    assert first["supplier"] is None
    assert first["supplierName"] == "XYZ Design"
    assert first["id"] != second["id"]


def test_form_encoded_body_is_understood(sevdesk: Sevdesk) -> None:
    form = {
        "voucher[objectName]": "Voucher",
        "voucher[mapAll]": "true",
        "voucher[voucherType]": "VOU",
        "voucher[creditDebit]": "D",
        "voucher[status]": "50",
        "voucher[voucherDate]": "28.02.2025",
        "voucher[currency]": "EUR",
        "voucher[taxRule][id]": "1",
        "voucher[taxRule][objectName]": "TaxRule",
        "voucher[supplier]": "null",
        "voucher[supplierName]": "Änne",
        "voucherPosSave[0][objectName]": "VoucherPos",
        "voucherPosSave[0][mapAll]": "true",
        "voucherPosSave[0][net]": "true",
        "voucherPosSave[0][sumNet]": "100.00",
        "voucherPosSave[0][taxRate]": "19",
        "voucherPosSave[0][accountDatev][id]": "3631",
        "voucherPosSave[0][accountDatev][objectName]": "AccountDatev",
    }
    response = sevdesk.call("POST", "/Voucher/Factory/saveVoucher", data=form)
    assert response.status_code == 201, response.text
    assert response.json["objects"]["voucher"]["sumGross"] == "119"


def test_expense_may_use_a_revenue_account_and_negative_revenue_is_accepted(
    sevdesk: Sevdesk,
) -> None:
    assert sevdesk.save(voucher_body(creditDebit="C"))["creditDebit"] == "C"
    negative = sevdesk.save(with_positions(position(sumNet=-220.0)))
    assert negative["sumGross"] == "-261.8"


def test_foreign_currency_with_a_rate_or_its_day_is_accepted(sevdesk: Sevdesk) -> None:
    assert sevdesk.save(voucher_body(currency="CHF", **EXCHANGE))["currency"] == "CHF"
    sevdesk.save(voucher_body(currency="CHF", propertyExchangeRate=0.95))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"objectName": None}, "objectName"),
        ({"mapAll": None}, "mapAll"),
        ({"status": 1000}, "status"),
        ({"status": 150}, "status"),
        ({"status": None}, "status"),
        ({"voucherType": "RV"}, "voucher type"),
        ({"voucherType": None}, "voucher type"),
        ({"creditDebit": "X"}, "creditDebit"),
        ({"creditDebit": None}, "creditDebit"),
        ({"voucherDate": None}, "voucher date is missing"),
        ({"voucherDate": "31.02.2025"}, "voucherDate is not a valid date"),
        ({"paymentDeadline": "soon"}, "paymentDeadline"),
        ({"currency": None}, "currency is missing"),
        ({"currency": "CHF"}, "propertyForeignCurrencyDeadline"),
        ({"currency": "CHF", "propertyExchangeRate": "x"}, "propertyExchangeRate"),
        ({"supplier": None}, "supplier"),
        ({"supplier": None, "supplierName": "  "}, "supplier"),
        ({"supplier": ref(999, "Contact")}, "Contact 999"),
        ({"supplier": ref(501, "SevUser")}, "supplier"),
        ({"costCentre": ref(999, "CostCentre")}, "CostCentre 999"),
        ({"taxRule": None}, "taxRule is missing"),
        ({"taxRule": {"objectName": "TaxRule"}}, "taxRule"),
        ({"taxRule": ref("99", "TaxRule")}, "TaxRule 99"),
        ({"taxRule": ref("2", "TaxRule")}, "'AUSFUHREN' is not valid"),
        ({"taxRule": ref("3", "TaxRule")}, "'INNERGEM_LIEF' is not valid"),
        ({"taxRule": ref("11", "TaxRule")}, "is not valid"),
        *[
            ({"taxRule": ref(rule, "TaxRule")}, "not available")
            for rule in ("18", "19", "20", "21")
        ],
    ],
)
@pytest.mark.parametrize("status", [50, 100])
def test_wrong_header_is_refused_even_for_a_draft(
    sevdesk: Sevdesk, header: dict[str, Any], message: str, status: int
) -> None:
    assert message in sevdesk.refusal(voucher_body(**{"status": status, **header}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objectName": None}, "objectName"),
        ({"mapAll": None}, "mapAll"),
        ({"net": None}, "net has to be"),
        ({"sumNet": None}, "sumNet is missing"),
        ({"sumNet": "much"}, "sumNet has to be a number"),
        ({"net": False}, "sumGross is missing"),
        ({"taxRate": None}, "taxRate is missing"),
        ({"taxRate": 16}, "tax rate 16"),
        ({"taxRate": 5}, "tax rate 5"),
        ({"taxRate": -100}, "tax rate -100"),
        ({"accountDatev": None}, "accountDatev is missing"),
        ({"accountDatev": ref(1, "AccountDatev")}, "AccountDatev 1"),
        ({"accountDatev": ref(3630, "AccountDatev")}, "Tax rate 19 is not valid"),
        ({"accountDatev": ref(3620, "AccountDatev")}, "is not valid for account 4100"),
        ({"accountDatev": ref(3700, "AccountDatev")}, "not allowed for revenue"),
    ],
)
def test_wrong_position_is_refused(sevdesk: Sevdesk, fields: dict[str, Any], message: str) -> None:
    assert message in sevdesk.refusal(with_positions(position(), position(**fields)))


def test_rule_that_the_account_does_not_know_has_its_code(sevdesk: Sevdesk) -> None:
    body = voucher_body(taxRule=ref("4", "TaxRule"))
    error = sevdesk.post("/Voucher/Factory/saveVoucher", body).json["error"]
    assert error["code"] == 7100


def test_rate_that_the_rule_does_not_know_is_refused(sevdesk: Sevdesk) -> None:
    line = position(accountDatev=ref(3620, "AccountDatev"))
    assert "is not valid" in sevdesk.refusal(with_positions(line, taxRule=ref("4", "TaxRule")))
    sevdesk.save(with_positions({**line, "taxRate": 0}, taxRule=ref("4", "TaxRule")))


def test_net_and_gross_positions_do_not_mix(sevdesk: Sevdesk) -> None:
    gross = position(net=False, sumNet=None, sumGross=11.90)
    assert "must not be mixed" in sevdesk.refusal(with_positions(position(), gross))
    assert sevdesk.save(with_positions(gross, gross))["sumNet"] == "20"


@pytest.mark.parametrize("positions", [[], None])
def test_voucher_without_positions_is_refused(sevdesk: Sevdesk, positions: object) -> None:
    body = {**voucher_body(), "voucherPosSave": positions}
    assert "at least one position" in sevdesk.refusal(body)


@pytest.mark.parametrize("body", [{}, {"voucher": []}, {**voucher_body(), "voucherPosSave": [1]}])
def test_body_of_another_shape_is_refused(sevdesk: Sevdesk, body: dict[str, Any]) -> None:
    sevdesk.refusal(body)


def test_unknown_file_is_refused(sevdesk: Sevdesk) -> None:
    assert "was not found" in sevdesk.refusal({**voucher_body(), "filename": "0f3c.pdf"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (voucher_body(), "taxRule is not available"),
        (voucher_body(taxRule=None), "accountDatev is not available"),
        (with_positions(position(accountDatev=None), taxRule=None, taxType="default"), "1.0"),
    ],
)
def test_system_version_1_takes_no_vouchers_of_2(
    sevdesk: Sevdesk, body: dict[str, Any], message: str
) -> None:
    sevdesk.control("PATCH", f"/{TOKEN}", {"version": "1.0"})
    assert message in sevdesk.refusal(body)


def test_small_business_takes_rule_11_and_not_1(sevdesk_of: Any) -> None:
    account = {"id": "3801", "number": "4185", "name": "Erlöse", "rules": {"11": [0]}}
    sevdesk = sevdesk_of([{"token": TOKEN, "accounts": [account]}])
    line = position(accountDatev=ref(3801, "AccountDatev"), taxRate=0)
    header = {"supplier": None, "supplierName": "X", "costCentre": None}
    assert "is not valid" in sevdesk.refusal(with_positions(line, **header))
    saved = sevdesk.save(with_positions(line, **header, taxRule=ref(11, "TaxRule")))
    assert saved["sumGross"] == "220"


def test_draft_is_saved_again_with_its_id(sevdesk: Sevdesk) -> None:
    draft = sevdesk.save(voucher_body(status=50))
    line = sevdesk.get(f"/VoucherPos?voucher[id]={draft['id']}")[0]
    body = with_positions(position(sumNet=10.0), id=draft["id"], description="neu")
    assert sevdesk.save(body)["sumNet"] == "230"
    assert sevdesk.get(f"/Voucher/{draft['id']}")[0]["description"] == "neu"
    assert "Only a draft" in sevdesk.refusal(body)
    other = sevdesk.save(voucher_body(status=50))
    kept = sevdesk.get(f"/VoucherPos?voucher[id]={other['id']}")[0]
    replaced = with_positions(position(sumNet=1.0), id=other["id"])
    replaced["voucherPosDelete"] = ref(kept["id"], "VoucherPos")
    assert sevdesk.save(replaced)["sumNet"] == "1"
    assert line["id"] != kept["id"]
    assert "was not found" in sevdesk.refusal(voucher_body(id=999))
