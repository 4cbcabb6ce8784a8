import pytest


def create(simulator, **body):
    answer = simulator.control("POST", "/cobot/spaces/alpha/invoices", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


@pytest.mark.parametrize(
    ("net", "quantity", "rate", "line", "tax"),
    [
        ("0.05", "1", "19.0", "0.05", "0.01"),
        ("3.333", "3", "19", "10.0", "1.9"),
        ("10.5", "1", "7.0", "10.5", "0.74"),
        ("-10.5", "1", "7.0", "-10.5", "-0.74"),
        ("100", "2.5", "0.0", "250.0", "0.0"),
    ],
)
def test_a_line_is_rounded_half_up_to_cents(simulator, net, quantity, rate, line, tax):
    amount = {"net": net, "taxes": [{"name": "USt", "rate": rate}]}
    invoice = create(simulator, items=[{"quantity": quantity, "amount": amount}])
    total = invoice["attributes"]["items"][0]["totalAmount"]
    assert (total["net"], total["taxes"][0]["amount"]) == (line, tax)


def test_totals_add_up_lines_and_group_taxes(simulator):
    items = [
        {"amount": {"net": "100.0", "taxes": [{"rate": "19.0"}]}},
        {"amount": {"net": "50.0", "taxes": [{"rate": "19.0"}]}, "paid": True},
        {"amount": {"net": "10.0", "taxes": [{"rate": "7.0"}]}},
        {"amount": {"net": "5.0", "taxes": []}, "accountingCode": "Desk"},
    ]
    shown = create(simulator, items=items)["attributes"]
    assert shown["totalAmount"] == {
        "net": "165.0",
        "gross": "194.2",
        "currency": "EUR",
        "taxes": [
            {"name": "USt", "rate": "19.0", "amount": "28.5"},
            {"name": "USt", "rate": "7.0", "amount": "0.7"},
        ],
    }
    assert shown["payableAmount"] == "134.7"


def test_taxes_left_out_are_those_of_the_accounting_code(simulator):
    items = [{"accountingCode": "Desk", "amount": {"net": "1"}}, {"amount": {"net": "1"}}]
    lines = create(simulator, items=items)["attributes"]["items"]
    assert [line["totalAmount"]["gross"] for line in lines] == ["1.19", "1.0"]


def test_given_figures_win_even_when_they_are_wrong(simulator):
    item = {
        "amount": {"net": "100.0", "gross": "118.0", "taxes": [{"rate": "19.0", "amount": "1.0"}]},
        "totalAmount": {"gross": "120.0"},
    }
    shown = create(simulator, items=[item], totalAmount={"net": "1.00"})["attributes"]
    assert shown["items"][0]["amount"]["gross"] == "118.0"
    assert shown["items"][0]["totalAmount"]["gross"] == "120.0"
    assert (shown["totalAmount"]["net"], shown["totalAmount"]["gross"]) == ("1.00", "120.0")


def test_number_and_address_are_the_debtors_of_that_day(simulator):
    first = create(simulator, debitor={"type": "memberships", "id": "mem-1"})
    change = {"customer_number": "77", "address": {"company": "Neu AG"}}
    simulator.control("PATCH", "/cobot/spaces/alpha/memberships/mem-1", change)
    second = create(simulator, debitor={"type": "memberships", "id": "mem-1"})
    assert first["attributes"]["customerNumber"] == "10000"
    assert second["attributes"]["customerNumber"] == "77"
    assert second["attributes"]["recipientAddress"]["company"] == "Neu AG"
    assert first["attributes"]["number"] != second["attributes"]["number"]
    team = create(simulator, debitor={"type": "teams", "id": "team-1"})
    assert team["attributes"]["customerNumber"] == "t-team-1"
    guest = create(simulator, debitor={"type": "contacts", "id": "con-1"})
    assert guest["attributes"]["customerNumber"] is None
    nobody = create(simulator)
    assert "debitor" not in nobody["relationships"]


def test_a_correction_names_the_invoice_it_corrects(simulator):
    invoice = create(simulator, correctedInvoice="inv-1", items=[{"amount": {"net": "-110.0"}}])
    assert invoice["relationships"]["correctedInvoice"]["data"]["id"] == "inv-1"
    assert invoice["attributes"]["totalAmount"]["gross"] == "-110.0"


@pytest.mark.parametrize(
    "body",
    [
        {"debitor": {"type": "memberships", "id": "none"}},
        {"debitor": {"type": "members", "id": "mem-1"}},
        {"correctedInvoice": "none"},
        {"id": "inv-1"},
        {"id": "a/b"},
        {"invoiceDate": "01.03.2026"},
        {"items": [{"amount": {"net": "1,5"}}]},
        {"items": [{"price": "1"}]},
        {"paidStatus": "late"},
        {"total": "1"},
    ],
)
def test_a_wrong_invoice_is_400_and_names_the_place(simulator, body):
    answer = simulator.control("POST", "/cobot/spaces/alpha/invoices", body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("body")
    assert len(simulator.space_state()["invoices"]) == 1
