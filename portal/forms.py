"""What people send: forms, and the numbers in the address bar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    DateField,
    Field,
    PasswordField,
    RadioField,
    StringField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from portal.fields import WholeNumberField
from portal.models import Space
from portal.services.catchup import LONGEST_BACK
from portal.services.connection import Choices, SevdeskSettings
from portal.services.skips import LONGEST_REASON
from portal.sync.messages import N_
from portal.sync.taxes import ZERO_RATE_RULES
from portal.sync.wording import TAX_RULES

LONGEST_SEARCH = 100
LATEST_DAYS = 365
FOUR_DIGITS = {"max": "9999-12-31"}
"""Else browsers take years of up to six digits."""
LAST_PLACE = 2**31 - 1
ASK = "ask"

CORRECTIONS = {
    ASK: N_("Ask me: do not book corrections until I have chosen"),
    "negative": N_("Revenue receipt with negative amounts"),
    "expense": N_("Expense receipt with positive amounts"),
    "never": N_("Never sync corrections"),
}
ZERO_TAX_RULES = {ASK: N_("Ask me: do not book them until I have chosen")} | {
    rule: TAX_RULES[rule] for rule in ZERO_RATE_RULES
}
VOUCHER_STATUSES = {
    100: N_("Open (unpaid)"),
    50: N_("Draft, to be checked by a person in sevdesk"),
}


def _stripped(value: str | None) -> str | None:
    return value.strip() if value else value


def is_token(text: str) -> bool:
    """Whether this has the form of a sevdesk API token."""
    return re.fullmatch(r"[0-9a-fA-F]{32}", text.strip()) is not None


class DisconnectForm(FlaskForm):  # type: ignore[misc]
    """Whoever types the space's name means it."""

    name = StringField(_("Name of the space"), filters=[_stripped])

    def __init__(self, *args: object, space: Space, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.space_name = space.name

    def validate_name(self, field: Field) -> None:
        if (field.data or "").casefold() != self.space_name.strip().casefold():
            raise ValidationError(_("This is not the name of the space."))


class VisitForm(FlaskForm):  # type: ignore[misc]
    """Why support looks at a space; its admins read the reason."""

    reason = StringField(
        _("Reason, such as the number of the ticket"),
        filters=[_stripped],
        validators=[
            InputRequired(_("Please give a reason.")),
            Length(min=3, max=200, message=_("3 to 200 characters.")),
        ],
    )


class SkipForm(FlaskForm):  # type: ignore[misc]
    """Why an invoice is left out; the reason stays in its history."""

    reason = StringField(
        _("Reason"),
        filters=[_stripped],
        validators=[
            DataRequired(_("Please give a reason.")),
            Length(max=LONGEST_REASON, message=_("At most 200 characters.")),
        ],
    )


def _refuse_long_ago(day: Field, today: date) -> None:
    if day.data and day.data < today - LONGEST_BACK:
        raise ValidationError(_("At most ten years back."))


def _refuse_to_come(day: Field, today: date) -> None:
    if day.data and day.data > today:
        raise ValidationError(_("At the latest today."))


class BackfillForm(FlaskForm):  # type: ignore[misc]
    """From which day to which invoices are taken over, both included."""

    from_date = DateField(
        _("Invoices from"), validators=[InputRequired(_("Choose a day."))], render_kw=FOUR_DIGITS
    )
    to_date = DateField(
        _("up to"), validators=[InputRequired(_("Choose a day."))], render_kw=FOUR_DIGITS
    )

    def __init__(self, *args: object, today: date, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    @classmethod
    def of(cls, today: date) -> BackfillForm:
        """Return the form for this year so far."""
        return cls(None, today=today, from_date=today.replace(month=1, day=1), to_date=today)

    def validate_from_date(self, field: Field) -> None:
        _refuse_long_ago(field, self.today)

    def validate_to_date(self, field: Field) -> None:
        _refuse_to_come(field, self.today)
        if field.data and self.from_date.data and field.data < self.from_date.data:
            raise ValidationError(_("This day lies before the first one."))


class SevdeskForm(FlaskForm):  # type: ignore[misc]
    """ "Deine SevDesk Daten". The token is never filled back in; an empty one means "keep"."""

    api_token = PasswordField(_("API token"), filters=[_stripped])
    cost_centre_number = StringField(
        _("Cost centre number (optional)"),
        filters=[_stripped],
        validators=[Optional(), Length(max=50, message=_("At most 50 characters."))],
    )
    due_after_days = WholeNumberField(
        _("Receipts due after (days)"),
        validators=[
            InputRequired(_("Enter a number of days, 0 to 365.")),
            NumberRange(0, LATEST_DAYS, _("Enter a number of days, 0 to 365.")),
        ],
    )
    start_date = DateField(
        _("Catch up on invoices from"),
        validators=[Optional()],
        render_kw=FOUR_DIGITS,
    )

    def __init__(
        self, *args: object, today: date, has_token: bool = False, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.has_token = has_token

    @classmethod
    def of(cls, space: Space, today: date) -> SevdeskForm:
        """Return the form with what the space has saved."""
        return cls(
            today=today,
            has_token=space.sealed_sevdesk_token is not None,
            cost_centre_number=space.cost_centre_number,
            due_after_days=space.due_after_days if space.is_connected else None,
            start_date=space.start_date or today,
        )

    def validate_api_token(self, field: Field) -> None:
        if not field.data:
            if not self.has_token:
                raise ValidationError(_("Paste the API token from sevdesk."))
        elif not re.fullmatch(r"[\x21-\x7e]{8,200}", field.data):
            raise ValidationError(
                _("This does not look like an API token. It has 32 characters: 0–9 and a–f.")
            )

    def validate_start_date(self, field: Field) -> None:
        _refuse_long_ago(field, self.today)
        _refuse_to_come(field, self.today)

    def blame(self, field: str | None, text: str) -> None:
        """Show what sevdesk or Cobot said at the field it is about, or above the form."""
        if field in self._fields:
            self._fields[field].errors = [*self._fields[field].errors, text]
        else:
            self.form_errors.append(text)

    def to_settings(self) -> SevdeskSettings:
        return SevdeskSettings(
            api_token=self.api_token.data or None,
            cost_centre_number=self.cost_centre_number.data or None,
            due_after_days=self.due_after_days.data,
            start_date=self.start_date.data,
        )


def _choices(texts: Mapping[Any, str]) -> list[SelectChoice]:
    return [SelectChoice(value, _(text)) for value, text in texts.items()]


class ChoicesForm(FlaskForm):  # type: ignore[misc]
    """How the special cases are booked; nobody but the space's admins may decide that."""

    zero_tax_rule = RadioField(
        _("Invoices without VAT"),
        choices=_choices(ZERO_TAX_RULES),
    )
    corrections = RadioField(
        _("Correction invoices"),
        choices=_choices(CORRECTIONS),
    )
    voucher_status = RadioField(
        _("New receipts in sevdesk are"),
        coerce=int,
        choices=_choices(VOUCHER_STATUSES),
    )
    cent_difference = BooleanField(_("Book a difference of a cent on the largest line"))

    @classmethod
    def of(cls, space: Space) -> ChoicesForm:
        """Return the form with what the space has saved."""
        return cls(
            zero_tax_rule=space.zero_tax_rule or ASK,
            corrections=space.corrections,
            voucher_status=space.voucher_status,
            cent_difference=space.cent_difference,
        )

    def to_choices(self) -> Choices:
        rule = self.zero_tax_rule.data
        return Choices(
            zero_tax_rule=None if rule == ASK else rule,
            corrections=self.corrections.data,
            cent_difference=self.cent_difference.data,
            voucher_status=self.voucher_status.data,
        )


def picked_rows(form: MultiDict[str, str]) -> list[int]:
    """Return the row ids of the invoices that were ticked."""
    return form.getlist("pick", type=row_id)


def member_choices(form: Mapping[str, str]) -> dict[str, str]:
    """Return what was chosen by membership; what was left open is not among them."""
    begin = "choice-"
    return {
        name.removeprefix(begin): chosen
        for name, chosen in form.items()
        if name.startswith(begin) and chosen
    }


def row_id(text: str) -> int:
    """Return a row id. Raises ValueError for what no database would take as one."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(text)
    return int(text)


def place(text: str) -> int:
    """Return a place in a list or the age of a page. Raises ValueError for what no column holds:
    unlike ids these have 32 bits, and PostgreSQL refuses to compare them with more.
    """
    number = row_id(text)
    if number > LAST_PLACE:
        raise ValueError(text)
    return number
