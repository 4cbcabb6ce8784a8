import pytest


def attributes(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["attributes"]


def test_the_user_brings_the_spaces_along(simulator):
    answer = simulator.api2("/user?include=adminOf", simulator.user_token()).json()
    assert [s["id"] for s in answer["data"]["relationships"]["adminOf"]["data"]] == [
        "spc-a",
        "spc-b",
    ]
    assert answer["included"][0]["attributes"]["subdomain"] == "alpha"
    assert simulator.api2("/user?include=all", simulator.user_token()).status_code == 422


def test_the_invoice_of_the_help_page_has_its_figures(simulator):
    invoice = attributes(simulator.api2("/invoices/inv-1", simulator.space_token()))
    assert invoice["number"] == "2531-Ljnk-278"
    assert invoice["totalAmount"] == {
        "net": "220.0",
        "gross": "261.8",
        "currency": "EUR",
        "taxes": [{"name": "USt", "rate": "19.0", "amount": "41.8"}],
    }
    assert invoice["customerNumber"] == "10000"
    assert invoice["recipientAddress"]["countryCode"] == "DE"


def test_a_list_has_pages_of_at_most_200(simulator):
    token = simulator.space_token()
    for day in range(1, 31):
        for _ in range(7):
            body = {"invoiceDate": f"2026-04-{day:02d}"}
            simulator.control("POST", "/cobot/spaces/alpha/invoices?webhook=0", body)
    window = "filter[from]=2026-04-01&filter[to]=2026-04-30"
    first = simulator.api2(f"/spaces/spc-a/invoices?{window}&page[size]=500", token).json()
    assert len(first["data"]) == 200
    assert first["meta"] == {"totalPages": 2, "currentPage": 1}
    assert first["links"]["prev"] is None
    second = simulator.api2(first["links"]["next"], token).json()
    assert len(second["data"]) == 10
    assert second["links"]["next"] is None
    assert len(simulator.api2(f"/spaces/spc-a/invoices?{window}", token).json()["data"]) == 72
    numbers = [entry["attributes"]["number"] for entry in first["data"] + second["data"]]
    assert len(set(numbers)) == 210


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("filter[from]=2025-02-28&filter[to]=2025-02-28", ["inv-1"]),
        ("filter[from]=2025-03-01&filter[to]=2025-03-31", []),
        (
            "filter[to]=2025-03-14&filter[from]=2025-03-14&filter[dateFilterField]=remindAt",
            ["inv-1"],
        ),
        ("filter[debitorId]=mem-1", ["inv-1"]),
        ("filter[debitorId]=con-1", []),
        ("filter[paidStatus]=unpaid", ["inv-1"]),
    ],
)
def test_a_list_is_filtered(simulator, query, ids):
    answer = simulator.api2(f"/spaces/spc-a/invoices?{query}", simulator.space_token())
    assert [entry["id"] for entry in answer.json()["data"]] == ids


@pytest.mark.parametrize(
    "query",
    [
        "filter[from]=yesterday",
        "filter[paidStatus]=unpaid&filter[from]=2025-01-01",
        "filter[dateFilterField]=paidDate",
        "filter[number]=1",
        "page[size]=0",
    ],
)
def test_a_wrong_filter_is_422_with_its_name(simulator, query):
    answer = simulator.api2(f"/spaces/spc-a/invoices?{query}", simulator.space_token())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["source"]["parameter"] in query


def test_the_pdf_is_real_and_the_same_each_time(simulator):
    token = simulator.space_token()
    first = simulator.api2("/invoices/inv-1.pdf", token, accept="application/pdf")
    assert first.headers["Content-Type"] == "application/pdf"
    assert first.content.startswith(b"%PDF-")
    assert first.content.rstrip().endswith(b"%%EOF")
    assert simulator.api2("/invoices/inv-1.pdf", token).content == first.content
    other = simulator.api2("/invoices/inv-1.pdf?e_invoice=true", token)
    assert other.content != first.content
    assert simulator.api2("/invoices/inv-1.pdf").status_code == 401
    link = attributes(simulator.api2("/invoices/inv-1", token))["pdf"]["url"]
    assert simulator.http.get(link).content == first.content
    assert simulator.http.get(f"{link}0").status_code == 404


def test_teams_contacts_and_memberships_are_read(simulator):
    token = simulator.space_token()
    assert attributes(simulator.api2("/teams/team-1", token))["customerNumber"] == "t-team-1"
    contact = simulator.api2("/contacts/con-1", token).json()["data"]
    assert contact["attributes"]["address"]["name"] == "Gast"
    assert contact["relationships"]["membership"] == {"data": None}
    member = simulator.api2("/memberships/mem-1", token).json()["data"]
    assert "customerNumber" not in member["attributes"]
    assert member["relationships"]["team"]["data"]["id"] == "team-1"
    listed = simulator.api2("/spaces/spc-a/memberships", token)
    assert listed.status_code == 422


def test_links_into_cobot_are_ready_or_templates(simulator):
    entries = simulator.api2("/spaces/spc-a/urls", simulator.space_token()).json()["data"]
    by_name = {entry["attributes"]["identifier"]: entry["attributes"] for entry in entries}
    assert by_name["admin:invoice"]["urlTemplate"].endswith("/admin/invoices/{invoiceId}")
    assert "url" in by_name["admin:accounting-codes"]
