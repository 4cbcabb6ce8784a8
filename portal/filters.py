"""How templates show things: money and dates in the reader's way, states and causes in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Flask
from flask_babel import (
    format_currency,
    format_date,
    format_datetime,
    format_decimal,
    format_time,
    format_timedelta,
    gettext,
    ngettext,
)
from markupsafe import Markup

from portal.models import HistoryLine, InvoiceSync, State
from portal.services import wording
from portal.services.overview import Badge
from portal.services.retry import can_retry
from portal.services.sentences import (
    cause_line,
    cause_pattern,
    cause_sentence,
    cause_title,
    entry_of,
    fix_sentence,
    rehearsed_fix,
    rehearsed_text,
)
from portal.sync.messages import DECIMAL_PARAMS, MONEY_PARAMS

EURO = "EUR"
MONEY_FACTS = MONEY_PARAMS | {"gross", "sevdesk_gross", "amount", "difference"}
TIME_FACTS = {"next_try_at", "until"}
EXAMPLE_DAY = date(2025, 2, 28)
FACTS_IN_THE_LINE = {"cause", "params", "next_try_at", "attempt"}
DAY_FACTS = {"due_date", "invoice_date", "start_date"}


def money(amount: Decimal | None, currency: str | None = EURO) -> str:
    """Return the amount as the reader writes it: 261,80 € or €261.80; a dash for none."""
    return "–" if amount is None else str(format_currency(amount, currency or EURO))


def day(value: date | None) -> str:
    """Return the date as the reader writes it; a dash for none."""
    return "–" if value is None else str(format_date(value, "medium"))


def moment(value: datetime | None, form: str = "short") -> Markup:
    """Return a time element with the time in the portal's zone; a dash for none."""
    if value is None:
        return Markup("–")
    shown = format_datetime(value, form)
    return Markup('<time datetime="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), shown
    )


def ago(value: datetime | None) -> Markup:
    """Return a time element that says how long ago it was; the exact time stands in its title."""
    if value is None:
        return Markup("–")
    said = format_timedelta(value - datetime.now(UTC), add_direction=True)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), format_datetime(value, "short"), said
    )


def age(value: datetime) -> str:
    """Return how long ago it was, as a duration: 3 Minuten."""
    return str(format_timedelta(datetime.now(UTC) - value))


def seconds(value: float) -> str:
    """Return a duration as the reader writes it: 12 ms, 0,4 s, or 3 minutes."""
    if value < 0.1:
        return str(gettext("%(number)s ms", number=format_decimal(round(value * 1000))))
    if value < 60:
        return str(gettext("%(number)s s", number=format_decimal(round(value, 1))))
    return str(format_timedelta(timedelta(seconds=value)))


def rest_time(value: int) -> str:
    """Return how long something takes from now on, as roughly as it is known."""
    minutes = round(value / 60)
    if minutes < 1:
        return str(gettext("less than a minute"))
    if minutes < 90:
        return str(ngettext("about %(num)s min", "about %(num)s min", minutes))
    hours = round(minutes / 60)
    return str(ngettext("about %(num)s hour", "about %(num)s hours", hours))


def rate(value: object) -> str:
    """Return a tax rate in percent as the reader writes it: 19 %, 5,5 %."""
    return f"{format_decimal(Decimal(str(value)).normalize())}\u00a0%"


def decimal_of(text: object) -> Decimal:
    """Return an amount that was kept as text."""
    return Decimal(str(text))


def due_example(days: int | None) -> str:
    """Return by an example what a number of days means; without a number what to enter."""
    if not isinstance(days, int) or not 0 <= days <= 36_500:
        return str(gettext("Days after the date of the invoice, 0 to 365."))
    due = EXAMPLE_DAY + timedelta(days=days)
    return str(gettext("Invoice of %(day)s → due on %(due)s", day=day(EXAMPLE_DAY), due=day(due)))


def clock(value: datetime) -> str:
    """Return the time of day, with the day where it is not today."""
    is_today = format_date(value, "short") == format_date(datetime.now(value.tzinfo), "short")
    return str(format_time(value, "short") if is_today else format_datetime(value, "short"))


def state_word(invoice: InvoiceSync) -> str:
    """Return the state in words; a retry says when."""
    if invoice.state == State.WAITING and invoice.attempts and invoice.next_try_at:
        return str(gettext("Retrying at %(time)s", time=clock(invoice.next_try_at)))
    return state_name(invoice.state)


def state_name(state: str) -> str:
    return str(gettext(wording.STATES[state]))


def state_icon(invoice: InvoiceSync) -> str:
    if invoice.state == State.WAITING and invoice.attempts:
        return "rotate"
    return wording.STATE_ICONS[invoice.state]


def badge_word(badge: Badge) -> str:
    return str(gettext(wording.BADGES[badge]))


def cause_text(
    code: str, params: Mapping[str, Any] | None = None, next_try_at: datetime | None = None
) -> str:
    """Return what happened, in the reader's language."""
    if text := wording.SETTINGS_REFUSED.get(code):
        return str(gettext(text))
    return cause_sentence(code, params or {}, next_try_at=next_try_at)


def cause_fix(code: str, params: Mapping[str, Any] | None = None) -> str:
    """Return what to do about it; empty when there is nothing."""
    return fix_sentence(code, params or {}) or ""


def cause_next(code: str) -> str:
    """Return how it goes on; empty when it does not."""
    text = wording.NEXT_STEPS.get(entry_of(code).retry)
    return str(gettext(text)) if text else ""


def cause_retry(code: str | None) -> str:
    """Return how a cause is tried again, one of the catalogue's RETRY_KINDS."""
    return entry_of(code).retry if code else ""


def cause_link(code: str) -> str | None:
    """Return where the fix is made, one of the catalogue's LINKS."""
    return entry_of(code).link


def invoice_cause(invoice: InvoiceSync) -> str:
    """Return why the invoice is where it is; empty when there is nothing to say."""
    if not invoice.cause_code:
        return ""
    return cause_text(invoice.cause_code, invoice.cause_params, invoice.next_try_at)


def member_verdict(verdict: str) -> str:
    """Return what is to be done with a member of an import."""
    return str(gettext(wording.MEMBER_VERDICTS[verdict]))


def member_reason(why: str | None) -> str:
    """Return why a member was matched so; empty when there is nothing to say."""
    text = wording.MEMBER_REASONS.get(why or "")
    return str(gettext(text)) if text else ""


def look_word(what: str) -> str:
    """Return what support looked at."""
    return str(gettext(wording.LOOKS[what]))


def hook_reason(code: str | None) -> str:
    """Return why a hook was turned away."""
    return str(gettext(wording.HOOK_REASONS.get(code or "", wording.HOOK_UNKNOWN)))


def history_word(line: HistoryLine) -> str:
    """Return what was done in this line of a history."""
    return str(gettext(wording.STEPS.get(line.step, wording.STEP_UNKNOWN)))


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


def register_filters(app: Flask) -> None:
    """Make these functions known to the templates under their own names."""
    for function in (
        money,
        day,
        moment,
        ago,
        age,
        seconds,
        rate,
        decimal_of,
        clock,
        state_word,
        state_name,
        state_icon,
        badge_word,
        cause_text,
        cause_title,
        cause_line,
        cause_pattern,
        cause_fix,
        rehearsed_text,
        rehearsed_fix,
        cause_next,
        cause_link,
        cause_retry,
        invoice_cause,
        can_retry,
        hook_reason,
        look_word,
        member_verdict,
        member_reason,
        rest_time,
        history_word,
        outcome_word,
        actor_word,
        detail_facts,
        readable_json,
        fact_name,
        fact_value,
    ):
        app.add_template_filter(function)
