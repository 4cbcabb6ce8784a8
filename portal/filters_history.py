"""How templates show a line of a history: what was done, by whom, and its facts in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Flask
from flask_babel import format_datetime, format_decimal, gettext

from portal.filters import cause_text, day, money
from portal.models import HistoryLine
from portal.services import wording
from portal.sync.messages import DECIMAL_PARAMS, MONEY_PARAMS, N_

MONEY_FACTS = MONEY_PARAMS | {"gross", "sevdesk_gross", "amount", "difference"}
TIME_FACTS = {"next_try_at", "until"}
FACTS_IN_THE_LINE = {"cause", "params", "next_try_at", "attempt"}
DAY_FACTS = {"due_date", "invoice_date", "start_date"}
STEPS_BY_EVENT: dict[tuple[str, str | None], str] = {
    ("changed_in_cobot", "deleted_invoice"): N_("Deleted in Cobot")
}
"""Steps whose word depends on what Cobot told."""


def history_word(line: HistoryLine) -> str:
    """Return what was done in this line of a history."""
    text = STEPS_BY_EVENT.get((line.step, line.facts.get("event")))
    return str(gettext(text or wording.STEPS.get(line.step, wording.STEP_UNKNOWN)))


def outcome_word(line: HistoryLine) -> str:
    return str(gettext(wording.OUTCOMES.get(line.outcome, wording.OUTCOMES["noticed"])))


def actor_word(line: HistoryLine, people: Mapping[str, str]) -> str:
    """Return who did it: Cobot, the portal, or a person by e-mail where we know it."""
    kind, colon, user_id = line.actor.partition(":")
    if colon:
        who = people.get(user_id, user_id)
        return f"Support ({who})" if kind == "support" else who
    return str(gettext(wording.ACTORS.get(line.actor, line.actor)))


def detail_facts(line: HistoryLine) -> dict[str, Any]:
    """Return the facts that stand below a line of the history, empty ones left out."""
    return {
        name: value
        for name, value in line.facts.items()
        if name not in FACTS_IN_THE_LINE and value not in ([], {}, "")
    }


def readable_json(value: Any) -> str:
    """Return a body as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def fact_name(name: str) -> str:
    text = wording.FACTS.get(name)
    return str(gettext(text)) if text else name


def fact_value(value: Any, name: str = "") -> str:
    """Return one fact as text; lists and tables are joined."""
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if isinstance(value, Mapping):
        parts = (f"{fact_name(key)}: {fact_value(part, key)}" for key, part in value.items())
        return ", ".join(parts)
    if isinstance(value, list | tuple):
        return " · ".join(fact_value(part, name) for part in value)
    if words := wording.FACT_WORDS.get(name, {}).get(str(value)):
        return str(gettext(words))
    if name == "cause":
        return cause_text(str(value))
    return _readable(name, value)


def _readable(name: str, value: Any) -> str:
    """Return a value of the history in the reader's way: amounts, numbers, days, times."""
    try:
        if name in MONEY_FACTS:
            return money(Decimal(str(value)))
        if name in DECIMAL_PARAMS:
            return str(format_decimal(Decimal(str(value))))
        if name in TIME_FACTS:
            return str(format_datetime(datetime.fromisoformat(str(value)), "short"))
        if name in DAY_FACTS:
            return day(date.fromisoformat(str(value)))
    except (InvalidOperation, ValueError):
        pass  # not what its name says: shown as it is
    return str(value)


def register_history_filters(app: Flask) -> None:
    """Make these functions known to the templates under their own names."""
    for function in (
        history_word,
        outcome_word,
        actor_word,
        detail_facts,
        readable_json,
        fact_name,
        fact_value,
    ):
        app.add_template_filter(function)
