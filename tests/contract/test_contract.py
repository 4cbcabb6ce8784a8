"""Every request of the clients and every answer of the simulator fits what the vendors publish."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.conftest import ROOT
from tests.contract.descriptions import Bare, Description, load
from tests.contract.known_errors import COBOT, SEVDESK
from tests.contract.scenario import questions

pytestmark = pytest.mark.contract

COBOT_BASE, SEVDESK_BASE = "/cobot-api", "/sevdesk/api/v1"


@pytest.fixture(scope="session")
def cobot_file(specs):
    return load(specs, "cobot-api2.openapi.yml")


@pytest.fixture(scope="session")
def sevdesk_file(specs):
    return load(specs, "sevdesk.openapi.yaml")


def problems(description, exchanges):
    return [problem for exchange in exchanges for problem in description.problems(exchange)]


def test_every_question_of_both_clients_was_asked(recorded):
    assert recorded.asked == questions()


def test_every_exchange_with_cobots_api_2_fits_its_description(cobot_file, recorded):
    exchanges = recorded.of("COBOT_API_URL")
    assert len(exchanges) > 10
    assert problems(Description(cobot_file, COBOT_BASE, COBOT), exchanges) == []


def test_every_request_to_cobots_api_2_asks_for_its_media_type(recorded):
    sent = {e.request_headers["Accept"] for e in recorded.of("COBOT_API_URL")}
    assert sent == {"application/vnd.api+json"}


def test_every_exchange_with_sevdesk_fits_its_description(sevdesk_file, recorded):
    exchanges = recorded.of("SEVDESK_API_URL")
    assert len(exchanges) > 20
    assert problems(Description(sevdesk_file, SEVDESK_BASE, SEVDESK), exchanges) == []


def test_every_good_answer_of_sevdesk_is_in_its_envelope(recorded):
    bare = [str(e) for e in recorded.of("SEVDESK_API_URL") if e.status < 300 and not _wrapped(e)]
    assert bare == []


def _wrapped(exchange):
    return list(exchange.answer()) == ["objects"]


@pytest.mark.parametrize("known", COBOT, ids=str)
def test_each_known_error_of_cobots_description_is_still_one(cobot_file, recorded, known):
    others = [error for error in COBOT if error is not known]
    description = Description(cobot_file, COBOT_BASE, others)
    assert problems(description, recorded.of("COBOT_API_URL"))


@pytest.mark.parametrize(
    "known", [error for error in SEVDESK if not isinstance(error, Bare)], ids=str
)
def test_each_known_error_of_sevdesks_description_is_still_one(sevdesk_file, recorded, known):
    others = [error for error in SEVDESK if error is not known]
    description = Description(sevdesk_file, SEVDESK_BASE, others)
    assert problems(description, recorded.of("SEVDESK_API_URL"))


@pytest.mark.parametrize("known", [*COBOT, *SEVDESK], ids=str)
def test_each_known_error_stands_in_the_docs(known):
    written = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    assert f"`{known}`" in written
    assert known.reason in written


def one(exchanges, method, ending):
    return next(e for e in exchanges if e.method == method and e.path.endswith(ending))


def test_a_wrong_answer_of_cobot_would_be_noticed(cobot_file, recorded):
    good = one(recorded.of("COBOT_API_URL"), "GET", "/invoices/inv-0")
    answer = good.answer()
    answer["data"]["attributes"]["totalAmount"]["net"] = 220.0
    wrong = replace(good, answer_body=json.dumps(answer).encode())
    found = Description(cobot_file, COBOT_BASE, COBOT).problems(wrong)
    assert len(found) == 1
    assert "220.0" in found[0]


@pytest.mark.parametrize(
    ("ending", "place", "value"),
    [
        ("/Contact", ("customerNumber",), 1007),
        ("/saveVoucher", ("voucher", "sumGross"), 261.8),
        ("/saveVoucher", ("voucherPos", 0, "sumNet"), 220),
    ],
)
def test_a_wrong_answer_of_sevdesk_would_be_noticed(sevdesk_file, recorded, ending, place, value):
    good = one(recorded.of("SEVDESK_API_URL"), "POST", ending)
    answer = good.answer()
    node = answer["objects"]
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    wrong = replace(good, answer_body=json.dumps(answer).encode())
    assert len(Description(sevdesk_file, SEVDESK_BASE, SEVDESK).problems(wrong)) == 1


@pytest.mark.parametrize(
    ("found", "wanted"), [('"status": 100', '"status": 7'), ('"taxRate": 19', '"taxRate": "19"')]
)
def test_a_wrong_request_to_sevdesk_would_be_noticed(sevdesk_file, recorded, found, wanted):
    good = one(recorded.of("SEVDESK_API_URL"), "POST", "/saveVoucher")
    body = good.request_body.decode().replace(found, wanted, 1)
    wrong = replace(good, request_body=body.encode())
    assert len(Description(sevdesk_file, SEVDESK_BASE, SEVDESK).problems(wrong)) == 1


def test_the_docs_name_the_checksums_of_the_files_used(specs):
    written = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    for file in sorted(Path(specs).glob("*.openapi.y*ml")):
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        assert found in written, f"{file.name} is another version: check it and note {found}"
