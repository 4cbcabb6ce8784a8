"""Finding, reading, changing and tagging vouchers."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.simulator_tests.sevdesk.conftest import TOKEN, Sevdesk, voucher_body


def descriptions(sevdesk: Sevdesk, query: str) -> list[str]:
    return [row["description"] for row in sevdesk.get(f"/Voucher?{query}")]


@pytest.fixture
def three(sevdesk: Sevdesk) -> Sevdesk:
    """One voucher of February to a contact, one expense, one draft of March to nobody."""
    sevdesk.save(voucher_body(description="2531-27"))
    sevdesk.save(voucher_body(description="2531-278", creditDebit="C"))
    nobody = {"supplier": None, "supplierName": "Greta Gast"}
    sevdesk.save(voucher_body(description="2600-1", voucherDate="15.03.2025", status=50, **nobody))
    return sevdesk


def second(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["2531-27", "2531-278", "2600-1"]),
        ("descriptionLike=2531-27", ["2531-27", "2531-278"]),
        ("descriptionLike=2531-27&creditDebit=D", ["2531-27"]),
        ("descriptionLike=nothing", []),
        ("creditDebit=C", ["2531-278"]),
        ("status=50", ["2600-1"]),
        ("contact[id]=501&contact[objectName]=Contact", ["2531-27", "2531-278"]),
        ("contact[id]=502&contact[objectName]=Contact", []),
        ("costCentre[id]=9&limit=1", ["2531-27"]),
        ("limit=1&offset=1", ["2531-278"]),
        ("supplierName=greta", ["2600-1"]),
        ("supplierName=xyz&creditDebit=D", ["2531-27"]),
        (f"startDate={second(2025, 3, 1)}", ["2600-1"]),
        (f"endDate={second(2025, 3, 1)}", ["2531-27", "2531-278"]),
        (
            f"startDate={second(2025, 2, 27)}&endDate={second(2025, 2, 28)}&creditDebit=D",
            ["2531-27"],
        ),
        ("startAmount=261.81", []),
        ("endAmount=261.80&status=50", ["2600-1"]),
    ],
)
def test_filters(three: Sevdesk, query: str, found: list[str]) -> None:
    assert descriptions(three, query) == found


def test_filter_that_is_no_number_is_a_bad_request(sevdesk: Sevdesk) -> None:
    assert sevdesk.call("GET", "/Voucher?startDate=yesterday").status_code == 400


def test_count_all_counts_what_the_filters_leave(three: Sevdesk) -> None:
    body = three.call("GET", "/Voucher?creditDebit=D&countAll=true&limit=1").json
    assert body["total"] == "2"
    assert len(body["objects"]) == 1


def test_embedded_supplier_is_the_whole_contact(three: Sevdesk) -> None:
    row = three.get("/Voucher?descriptionLike=2531-278&embed=supplier,document")[0]
    assert row["supplier"]["customerNumber"] == "1005"
    assert three.get("/Voucher?status=50&embed=supplier")[0]["supplier"] is None


def test_voucher_by_id_is_a_list_of_one_and_an_unknown_one_a_bad_request(three: Sevdesk) -> None:
    voucher_id = three.get("/Voucher")[0]["id"]
    assert [row["id"] for row in three.get(f"/Voucher/{voucher_id}")] == [voucher_id]
    response = three.call("GET", "/Voucher/999")
    assert response.status_code == 400
    assert "not found" in response.json["error"]["message"]


def test_search_lag_hides_young_vouchers_from_searches_only(three: Sevdesk) -> None:
    voucher_id = three.get("/Voucher")[0]["id"]
    three.search_lag_seconds = 30.0
    assert descriptions(three, "descriptionLike=2531") == []
    assert len(three.get(f"/Voucher/{voucher_id}")) == 1
    three.search_lag_seconds = 0.0
    assert len(descriptions(three, "descriptionLike=2531")) == 2


def test_pdf_comes_back_byte_for_byte(sevdesk: Sevdesk) -> None:
    content = b"%PDF-1.4 \x00\xff"
    upload = sevdesk.upload(content)
    assert upload["filename"].endswith(".pdf")
    assert upload["contentHash"] == hashlib.sha256(content).hexdigest()
    saved = sevdesk.save({**voucher_body(), "filename": upload["filename"]})
    pdf = sevdesk.get(f"/Voucher/{saved['id']}/getPdf")
    assert base64.b64decode(pdf["content"]) == content
    assert pdf["mimeType"] == "application/pdf"
    file = sevdesk.side.to_world()[0]["vouchers"][0]["file"]
    assert file["size"] == len(content)
    assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_upload_without_the_field_and_pdf_of_none_are_bad_requests(sevdesk: Sevdesk) -> None:
    upload = sevdesk.call("POST", "/Voucher/Factory/uploadTempFile", data={"other": "x"})
    assert upload.status_code == 400
    saved = sevdesk.save(voucher_body())
    assert sevdesk.call("GET", f"/Voucher/{saved['id']}/getPdf").status_code == 400


def test_uploads_are_another_clients_secret(sevdesk: Sevdesk) -> None:
    name = sevdesk.upload()["filename"]
    sevdesk.control("POST", f"/{'c' * 32}/accounts", {"id": "3631", "number": "4400"})
    body = {**voucher_body(supplier=None, supplierName="X", costCentre=None), "filename": name}
    response = sevdesk.post("/Voucher/Factory/saveVoucher", body, token="c" * 32)
    assert response.status_code == 422


def test_positions_of_one_voucher(three: Sevdesk) -> None:
    first, *_ = three.get("/Voucher")
    rows = three.get(f"/VoucherPos?voucher[id]={first['id']}&voucher[objectName]=Voucher")
    assert [row["voucher"]["id"] for row in rows] == [first["id"]]
    assert len(three.get("/VoucherPos")) == 3


def test_only_a_draft_is_changed_by_put_and_never_its_status(three: Sevdesk) -> None:
    done, _, draft = three.get("/Voucher")
    put: dict[str, Any] = {"json": {"description": "2600-2"}}
    assert three.call("PUT", f"/Voucher/{done['id']}", **put).status_code == 400
    changed = three.call("PUT", f"/Voucher/{draft['id']}", **put)
    assert changed.json["objects"]["description"] == "2600-2"
    assert changed.json["objects"]["sumGross"] == "261.8"
    for wrong in (
        {"status": 100},
        {"currency": ""},
        {"taxRule": {"id": 4, "objectName": "TaxRule"}},
    ):
        assert three.call("PUT", f"/Voucher/{draft['id']}", json=wrong).status_code == 400
    assert descriptions(three, "status=50") == ["2600-2"]


def test_enshrined_voucher_stays_as_it_is(three: Sevdesk) -> None:
    done, _, draft = three.get("/Voucher")
    assert three.call("PUT", f"/Voucher/{draft['id']}/enshrine").status_code == 422
    assert three.call("PUT", f"/Voucher/{done['id']}/enshrine").status_code == 200
    assert three.get(f"/Voucher/{done['id']}")[0]["enshrined"]
    assert three.call("PUT", f"/Voucher/{done['id']}/resetToDraft").status_code == 422


def test_reset_moves_down_only(three: Sevdesk) -> None:
    done, _, draft = three.get("/Voucher")
    assert three.call("PUT", f"/Voucher/{draft['id']}/resetToOpen").status_code == 422
    three.control("PATCH", f"/{TOKEN}/vouchers/{done['id']}", {"status": "1000"})
    opened = three.call("PUT", f"/Voucher/{done['id']}/resetToOpen")
    assert opened.json["objects"]["status"] == "100"
    three.call("PUT", f"/Voucher/{done['id']}/resetToDraft")
    assert three.get(f"/Voucher/{done['id']}")[0]["status"] == "50"


def tag(sevdesk: Sevdesk, voucher_id: str, name: str) -> dict[str, Any]:
    body = {"name": name, "object": {"id": int(voucher_id), "objectName": "Voucher"}}
    response = sevdesk.post("/Tag/Factory/create", body)
    assert response.status_code == 200, response.text
    return response.json["objects"]


def test_tag_of_a_name_is_used_again_and_lists_its_vouchers(three: Sevdesk) -> None:
    first, second_one, third = (row["id"] for row in three.get("/Voucher"))
    relation = tag(three, first, "Import")
    assert relation["objectName"] == "TagRelation"
    assert relation["object"] == {"id": int(first), "objectName": "Voucher"}
    assert tag(three, second_one, "Import")["tag"] == relation["tag"]
    assert tag(three, first, "Import") == relation
    mismatch = tag(three, first, "mismatch")["tag"]["id"]
    assert [row["name"] for row in three.get("/Tag")] == ["Import", "mismatch"]
    assert [row["id"] for row in three.get("/Tag?name=mismatch")] == [mismatch]
    assert len(three.get("/TagRelation")) == 3
    query = f"tags[0][id]={relation['tag']['id']}&tags[0][objectName]=Tag"
    assert len(descriptions(three, query)) == 2
    assert descriptions(three, f"{query}&tags[1][id]={mismatch}") == ["2531-27"]
    assert third not in {row["object"]["id"] for row in three.get("/TagRelation")}


def test_deleting_a_tag_takes_it_from_every_voucher(three: Sevdesk) -> None:
    first, second_one, _ = (row["id"] for row in three.get("/Voucher"))
    tag_id = tag(three, first, "Import")["tag"]["id"]
    tag(three, second_one, "Import")
    assert three.get(f"/Tag/{tag_id}")[0]["name"] == "Import"
    assert three.call("DELETE", f"/Tag/{tag_id}").json == {"objects": [None]}
    assert three.get("/Tag") == three.get("/TagRelation") == []
    assert three.call("DELETE", f"/Tag/{tag_id}").status_code == 400
    assert three.call("GET", f"/Tag/{tag_id}").status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": " ", "object": {"id": 7001, "objectName": "Voucher"}},
        {"name": "x", "object": {"id": 7001, "objectName": "Contact"}},
        {"name": "x", "object": {"id": 999, "objectName": "Voucher"}},
    ],
)
def test_wrong_tag_is_a_bad_request(three: Sevdesk, body: dict[str, Any]) -> None:
    assert three.post("/Tag/Factory/create", body).status_code == 400
    assert three.get("/Tag") == []


def test_contact_of_a_voucher_cannot_be_deleted(three: Sevdesk) -> None:
    assert three.call("DELETE", "/Contact/501").status_code == 409
