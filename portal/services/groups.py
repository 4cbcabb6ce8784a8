"""Which invoices share a cause: the parameters that tell one repair from another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from portal.core import core
from portal.models import Space
from portal.sync.accounts import fold_name

Found = TypeVar("Found")

MOST_KEPT = 500
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
    "contact_of_stranger": ("number",),
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


def until_a_change(space: Space, read: Callable[[], Found]) -> Found:
    """Return what was read of a space's open invoices, read anew only after a change in the space.

    Counting them for every look would cost more the more receipts without contact there are.
    """
    kept = core().open_groups
    if space.id not in kept or kept[space.id][0] != space.sequence:
        kept[space.id] = (space.sequence, read())
        if len(kept) > MOST_KEPT:
            kept.pop(next(iter(kept)))
    found: Found = kept[space.id][1]
    return found
