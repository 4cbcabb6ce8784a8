"""Fields that take whatever is sent, and say what is wrong with it."""

from __future__ import annotations

from wtforms import IntegerField

MOST_DIGITS = 9


class WholeNumberField(IntegerField):  # type: ignore[misc]
    """A whole number; what is longer than any that is meant is none.

    NumberRange makes a float of the number first, and one of 309 digits is too large for that.
    """

    def process_formdata(self, valuelist: list[str]) -> None:
        is_too_long = bool(valuelist) and len(valuelist[0].strip()) > MOST_DIGITS
        super().process_formdata([""] if is_too_long else valuelist)
