"""The forms of the checks: how far back a rehearsal reaches, which booking account a code gets."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, StringField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange

from portal.fields import WholeNumberField
from portal.forms import row_id
from portal.services import rehearsal

LONGEST_REHEARSAL = 366
LONGEST_CODE = 500


class RehearsalForm(FlaskForm):  # type: ignore[misc]
    """How many days back, today included, invoices are rehearsed."""

    days = WholeNumberField(
        _("Days back"),
        validators=[
            InputRequired(_("Enter a number of days, 1 to 366.")),
            NumberRange(1, LONGEST_REHEARSAL, _("Enter a number of days, 1 to 366.")),
        ],
    )

    @classmethod
    def of(cls, days: int | None) -> RehearsalForm:
        """Return the form with the days of the last rehearsal, at first those of a month."""
        return cls(None, days=days or rehearsal.DAYS)


def _stripped(value: str | None) -> str | None:
    return value.strip() if value else value


class AssignForm(FlaskForm):  # type: ignore[misc]
    """Which booking account an accounting code gets: one of the suggested, or as a person types."""

    code = HiddenField(filters=[_stripped], validators=[DataRequired(), Length(max=LONGEST_CODE)])
    account_id = HiddenField(filters=[_stripped])
    account = StringField(
        _("Booking account: number or name"),
        filters=[_stripped],
        validators=[Length(max=LONGEST_CODE)],
    )

    def validate_account(self, field: Field) -> None:
        if not field.data and self._id is None:
            raise ValidationError(_("Choose a booking account."))

    @property
    def wanted(self) -> int | str:
        """Return what was chosen: the id of a suggested account, else what was typed."""
        return self._id if self._id is not None else str(self.account.data)

    @property
    def _id(self) -> int | None:
        try:
            return row_id(self.account_id.data or "")
        except ValueError:
            return None
