"""What of a request or an answer is kept: figures and codes, nothing of a person."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from portal.masking import MASK, MOST_ENTRIES, masked, without_secrets

TOKEN = "b7794de0085f5cd00560f160f290af38"
PERSON = {
    "company": "XYZ Design",
    "name": "Xenia Yılmaz",
    "address": "Hafenstraße 12",
    "post_code": "20457",
    "phone": "+49 40 123456",
    "email": "xenia@example.org",
    "iban": "DE89 3704 0044 0532 0130 00",
    "taxId": "DE123456789",
    "birthday": "1990-01-01",
}


@pytest.mark.parametrize("field", PERSON)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_nothing_of_a_person_is_kept(field: str, depth: int) -> None:
    body: object = {field: PERSON[field]}
    for _ in range(depth):
        body = {"data": [body]}
    kept = json.dumps(masked(body), ensure_ascii=False)
    assert PERSON[field] not in kept
    assert MASK in kept


@pytest.mark.parametrize(
    "value",
    [220, 261.8, True, None, "220.0", "-261.80", "2026-11-22", "2026-11-22T13:05:59+01:00", ""],
)
def test_figures_days_and_flags_are_kept(value: object) -> None:
    assert masked({"anything": value}) == {"anything": value}


def test_codes_and_messages_are_kept_without_what_they_quote() -> None:
    said = f"refused {TOKEN} of ada@example.org, DE89370400440532013000"
    kept = masked({"error": {"code": 151, "message": said}, "status": "100", "number": "R-7"})
    assert kept["error"] == {"code": 151, "message": "refused [token] of [e-mail], [IBAN]"}
    assert (kept["status"], kept["number"]) == ("100", "R-7")


def test_an_id_of_cobot_is_no_token() -> None:
    """It is 32 hex digits as well; by it the bodies of a call are told apart."""
    invoice = "cc7e75473a6911587b63d78f4e3f8eba"
    said = {"data": {"id": invoice, "message": invoice}}
    assert masked(said) == {"data": {"id": invoice, "message": "[token]"}}
    assert masked({"id": TOKEN}, (TOKEN,)) == {"id": "[...]"}


def test_own_token_is_masked_wherever_it_is_quoted() -> None:
    own = "secret-in-words"
    kept = json.dumps(masked({"message": f"no right: {own}", own: 1}, (own,)))
    assert own not in kept


def test_unknown_texts_are_masked() -> None:
    assert masked({"comment": "Desk of Xenia", "new_field": "Xenia"}) == {
        "comment": MASK,
        "new_field": MASK,
    }
    assert masked(["Xenia", "Jonas"]) == [MASK, MASK]
    assert masked("Xenia") == MASK


def test_long_lists_are_cut_and_say_so() -> None:
    kept = masked({"objects": list(range(MOST_ENTRIES + 5))})
    assert kept["objects"] == [*range(MOST_ENTRIES), {"…": 5}]


def test_deep_bodies_end() -> None:
    body: object = 1
    for _ in range(100):
        body = [body]
    assert MASK in json.dumps(masked(body), ensure_ascii=False)


def test_amounts_become_numbers_that_json_knows() -> None:
    assert json.dumps(masked({"gross": Decimal("261.80")})) == '{"gross": 261.8}'


def test_a_short_text_is_no_secret() -> None:
    assert without_secrets("a tag", ("a",)) == "a tag"


def test_a_word_that_is_hidden_or_holds_it_is_masked_too() -> None:
    body = {"Geheimnis": "x", "vorGeheimnisnach": 1, "number": "Geheimnis", "word": 2}
    kept = json.dumps(masked(body, ("Geheimnis",)))
    assert "Geheimnis" not in kept
    assert '"word": 2' in kept
    hexadecimal = "abcdefab" * 4
    assert hexadecimal not in json.dumps(masked({hexadecimal: 1, "code": hexadecimal}))
