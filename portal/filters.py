"""How templates show things: money and dates in the reader's way, states and causes in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel import Locale, dates, numbers
from flask import Flask
from flask_babel import (
    format_date,
    format_datetime,
    format_decimal,
    format_time,
    format_timedelta,
    get_locale,
    gettext,
    ngettext,
    to_user_timezone,
)
from markupsafe import Markup

from portal.models import InvoiceSync, State
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
    names_a_time,
    rehearsed_fix,
    rehearsed_text,
)

EURO = "EUR"
EXAMPLE_DAY = date(2025, 2, 28)


def money(amount: Decimal | None, currency: str | None = EURO) -> str:
    """Return the amount as the reader writes it: 261,80 € or €261.80; a dash for none."""
    return "–" if amount is None else _money(str(amount), currency or EURO, get_locale())


@lru_cache(maxsize=10_000)
def _money(amount: str, currency: str, locale: Locale) -> str:
    # By its text: 0 and -0 are equal, and written differently.
    return numbers.format_currency(amount, currency, locale=locale)


def day(value: date | None) -> str:
    """Return the date as the reader writes it; a dash for none."""
    if isinstance(value, datetime):
        value = to_user_timezone(value).date()
    return "–" if value is None else _day(value, get_locale())


@lru_cache(maxsize=2000)
def _day(value: date, locale: Locale) -> str:
    return dates.format_date(value, "medium", locale=locale)


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
    if (at := _retry_at(invoice)) is not None:
        return str(gettext("Retrying at %(time)s", time=clock(at)))
    return state_name(invoice.state)


def _retry_at(invoice: InvoiceSync) -> datetime | None:
    is_retry = invoice.state == State.WAITING and invoice.attempts
    return invoice.next_try_at if is_retry else None


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


def cause_beside_state(invoice: InvoiceSync) -> str:
    """Return the cause as it stands beside the state's badge: the time that the badge says is not
    said again."""
    code = invoice.cause_code
    if code and names_a_time(code) and _retry_at(invoice) is not None:
        return f"{cause_title(code)}."
    return invoice_cause(invoice)


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
        cause_beside_state,
        can_retry,
        hook_reason,
        look_word,
        member_verdict,
        member_reason,
        rest_time,
    ):
        app.add_template_filter(function)
