"""A space's choices, as the rules take them."""

from __future__ import annotations

from portal.models import Space
from portal.sync.plans import VoucherSettings


def voucher_settings(space: Space) -> VoucherSettings:
    """Return what the space chose about its vouchers."""
    return VoucherSettings(
        due_after_days=space.due_after_days,
        cost_centre_id=space.cost_centre_id,
        zero_tax_rule=space.zero_tax_rule,
        corrections=space.corrections,
        cent_difference=space.cent_difference,
        voucher_status=space.voucher_status,
    )
