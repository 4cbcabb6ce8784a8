"""Which invoices share a cause: the parameters that tell one repair from another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.sync.accounts import fold_name

PARAMS_OF_CAUSE: Mapping[str, tuple[str, ...]] = {
    "account_missing": ("code",),
    "account_ambiguous": ("code",),
    "rule_not_allowed": ("number", "rate", "rule"),
    "rate_not_supported": ("rate",),
    "small_business_with_tax": ("rate",),
    "currency_not_supported": ("currency",),
    "cost_centre_missing": ("number",),
    "contact_missing": ("number",),
    "contact_ambiguous": ("number",),
    "rejected_by_sevdesk": ("message",),
    "dismissed": ("reason",),
}
"""All other causes concern one invoice alone, or one repair heals them all."""


def group_params(code: str | None, params: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the key of a group within its cause, and the parameters that its sentence shows.

    Accounting codes that the rules take as equal are one group.
    """
    names = PARAMS_OF_CAUSE.get(code or "", ())
    shown = {name: str(params[name]) for name in params if names}
    values = [str(params.get(name, "")) for name in names]
    if names == ("code",):
        values = [fold_name(value) for value in values]
    return "|".join(values), shown
