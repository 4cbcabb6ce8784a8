"""Short titles of causes whose sentence names figures of one invoice: for lists and choices."""

from __future__ import annotations

from collections.abc import Mapping

from portal.sync.entries import N_

TITLES: Mapping[str, str] = {
    "account_missing": N_("Booking account missing in sevdesk"),
    "account_ambiguous": N_("Several booking accounts match"),
    "tax_rule_needed": N_("Invoice without tax: choice needed"),
    "rate_not_supported": N_("Tax rate cannot be booked in sevdesk"),
    "rule_not_allowed": N_("Booking account does not allow the tax rule"),
    "small_business_with_tax": N_("Small business in sevdesk, VAT on the invoice"),
    "currency_not_supported": N_("Not in euro"),
    "totals_differ": N_("Total and lines differ"),
    "contact_missing": N_("No contact with this customer number"),
    "contact_ambiguous": N_("Several contacts with this customer number"),
    "sum_differs": N_("Booked with another sum"),
    "tag_missing": N_("Booked without the tag"),
    "receipt_deleted": N_("Receipt deleted in sevdesk"),
    "number_taken": N_("Another receipt has the same number"),
    "checking": N_("sevdesk did not answer; we look again"),
    "rejected_by_sevdesk": N_("sevdesk refuses the receipt"),
    "cost_centre_missing": N_("Cost centre missing in sevdesk"),
    "sevdesk_paused": N_("sevdesk refuses one receipt after another"),
    "cobot_forbidden": N_("Right missing in Cobot"),
    "contact_rejected": N_("sevdesk refuses the contact"),
    "number_not_written": N_("Customer number could not be written to Cobot"),
    "rate_limited": N_("sevdesk asks us to be slower"),
    "upstream_down": N_("sevdesk is unavailable"),
    "cobot_unreachable": N_("Cobot is unavailable"),
    "pdf_missing": N_("PDF not there yet"),
    "member_pending": N_("Waits for the member's contact"),
    "bad_answer": N_("Answer cannot be read"),
    "unexpected": N_("Unexpected error"),
}
