"""Every column with a text is known for what it says of people; a new one must be looked at."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest
from sqlalchemy import JSON, LargeBinary, String

import portal.models  # noqa: F401 the tables
from portal.config import Config
from portal.database import Base
from portal.services import exports
from tests.conftest import ROOT


class Holds(StrEnum):
    NAME = "names a person: erased on demand, tests/services/test_privacy.py"
    MAIL = "the mail of somebody who signs in: blanked on demand and after a time"
    WORDS = "what somebody wrote: named in docs/privacy.md, and gone with its row"
    WHOSE = "an id that Cobot or sevdesk know a person by"
    SECRET = "sealed, or the digest of a secret: never given out"
    THING = "ids, codes and figures of things"


PERSON = {
    "person_name": {
        "name": Holds.NAME,
        "folded": Holds.NAME,
        "folded_last": Holds.NAME,
        "remote_id": Holds.WHOSE,
    },
    "task_item": {
        "facts": Holds.NAME,
        "remote_id": Holds.WHOSE,
        "cause_params": Holds.WORDS,
    },
    "admin": {"email": Holds.MAIL, "cobot_user_id": Holds.WHOSE},
    "space": {
        "cobot_user_id": Holds.WHOSE,
        "refusal_message": Holds.WORDS,
        "sealed_cobot_token": Holds.SECRET,
        "sealed_sevdesk_token": Holds.SECRET,
        "sealed_hook_secret": Holds.SECRET,
        "sevdesk_token_end": Holds.SECRET,
        "sevdesk_token_key": Holds.SECRET,
        "hook_digest": Holds.SECRET,
    },
    "session": {
        "id_digest": Holds.SECRET,
        "sealed_content": Holds.SECRET,
        "sealed_cobot_token": Holds.SECRET,
    },
    "support_visit": {"reason": Holds.WORDS},
    "account_mapping": {"code": Holds.WORDS},
    "plan_list": {"plans": Holds.WORDS},
    "invoice_sync": {
        "debtor_id": Holds.WHOSE,
        "customer_number": Holds.WHOSE,
        "sent_contact_id": Holds.WHOSE,
        "lines": Holds.WORDS,
        "cause_params": Holds.WORDS,
        "told_cause": Holds.WORDS,
    },
    "member_sync": {
        "cobot_membership_id": Holds.WHOSE,
        "contact_id": Holds.WHOSE,
        "number_before": Holds.WHOSE,
        "contact_number": Holds.WHOSE,
        "sent_number": Holds.WHOSE,
        "number_written": Holds.WHOSE,
        "cause_params": Holds.WORDS,
    },
    "debtor_link": {"debtor_id": Holds.WHOSE, "contact_id": Holds.WHOSE},
    "inbox_event": {"remote_id": Holds.WHOSE},
    "history_line": {"chain": Holds.WHOSE, "actor": Holds.WHOSE, "facts": Holds.WORDS},
    "line_calls": {"calls": Holds.WORDS},
    "batch": {"actor": Holds.WHOSE},
    "task": {"actor": Holds.WHOSE, "result": Holds.WORDS},
    "budget": {"key": Holds.WHOSE},
}
THINGS = {
    "admin": {"locale"},
    "budget": {"calls"},
    "lease": {"name", "owner"},
    "space": {
        "cobot_id",
        "subdomain",
        "name",
        "locale",
        "sevdesk_client",
        "contacts_client",
        "cost_centre_number",
        "cost_centre_id",
        "zero_tax_rule",
        "corrections",
        "hook_rejected_reason",
        "pause_code",
        "pause_told",
    },
    "batch": {"kind", "state"},
    "chart": {"accounts"},
    "debtor_link": {"debtor_kind"},
    "inbox_event": {"event", "request_id"},
    "person_name": {"kind"},
    "state_count": {"state"},
    "task": {"kind", "phase", "state", "cause_code"},
    "invoice_sync": {
        "cobot_invoice_id",
        "number",
        "debtor_kind",
        "currency",
        "state",
        "step",
        "cause_code",
        "beside_voucher_id",
        "beside_voucher_ids",
        "filename",
        "pdf_sha256",
        "sent_number",
        "sent_credit_debit",
        "fingerprint",
        "sevdesk_client",
        "sevdesk_voucher_id",
        "changed_in_cobot",
        "request_id",
    },
    "member_sync": {"state", "cause_code", "request_id"},
    "support_look": {"what", "subject"},
    "task_item": {"number", "verdict", "cause_code"},
    "history_line": {"previous_hash", "hash", "step", "outcome"},
}
DOCUMENTS = ("privacy.md", "datenschutz.md")
TABLES = Base.metadata.tables


def of(table: str, *what: Holds) -> set[str]:
    return {column for column, held in PERSON.get(table, {}).items() if held in what}


@pytest.mark.parametrize("name", TABLES)
def test_every_text_is_known_for_what_it_says_of_people(name: str) -> None:
    texts = {
        column.name
        for column in TABLES[name].c
        if isinstance(column.type, String | JSON | LargeBinary)
    }
    known = [*PERSON.get(name, {}), *THINGS.get(name, ())]
    assert sorted(known) == sorted(texts), "say in this file what the column holds"


@pytest.mark.parametrize("name", TABLES)
def test_no_secret_is_given_out_and_everything_else_is(name: str) -> None:
    given = set(exports.columns_of(TABLES[name]))
    kept_back = {column.name for column in TABLES[name].c} - given
    assert kept_back == of(name, Holds.SECRET)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_documents_name_every_table_that_says_something_of_people(document: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", text))
    of_people = {
        name
        for name, table in TABLES.items()
        if PERSON.get(name) or {"admin_id", "person_id"} & set(table.c.keys())
    }
    assert of_people - named == set()
    said = set(re.findall(r"`(RETENTION_\w+=\d+)`", text))
    fields = {name: field for name, field in Config.model_fields.items() if "retention" in name}
    assert said == {f"{name.upper()}={field.default}" for name, field in fields.items()}
