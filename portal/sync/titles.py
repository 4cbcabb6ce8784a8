"""What each cause is about in a few words, without figures of one invoice: for lists, choices."""

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
    "contact_of_stranger": N_("The contact with this customer number has another name"),
    "sum_differs": N_("Booked with another sum"),
    "tag_missing": N_("Booked without the tag"),
    "receipt_deleted": N_("Receipt deleted in sevdesk"),
    "sent_elsewhere": N_("Perhaps in another sevdesk account"),
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
    "invoice_not_shown": N_("Cobot does not show the invoice"),
    "invoice_unreadable": N_("Cobot lists the invoice without showing it"),
    "pdf_unavailable": N_("PDF never came"),
    "pdf_missing": N_("PDF not there yet"),
    "member_pending": N_("Waits for the member's contact"),
    "bad_answer": N_("Answer cannot be read"),
    "unexpected": N_("Unexpected error"),
    "code_empty": N_("Line without accounting code"),
    "correction_choice_needed": N_("Correction invoice: choice needed"),
    "several_taxes": N_("Several taxes on one line"),
    "zero_total": N_("Total of zero"),
    "corrections_off": N_("Corrections switched off"),
    "invoice_deleted": N_("Invoice deleted in Cobot"),
    "dismissed": N_("Skipped by an admin"),
    "not_of_this_space": N_("Invoice of another space"),
    "token_invalid": N_("API token refused"),
    "cobot_revoked": N_("No access to Cobot any more"),
    "space_suspended": N_("Space suspended in Cobot"),
    "sevdesk_plan": N_("sevdesk plan without API access"),
    "sevdesk_version": N_("sevdesk still in version 1.0"),
    "member_deleted": N_("Member deleted in Cobot"),
    "token_unreadable": N_("Stored tokens cannot be opened"),
    "token_untested": N_("API token not tested yet"),
    "paused_by_hand": N_("Paused by an admin"),
    "check_first": N_("Not switched on yet"),
    "gave_up": N_("Tried for long without success"),
}

REHEARSED: Mapping[str, tuple[str, str]] = {
    "contact_missing": (
        N_("sevdesk has no contact with the customer number %(number)s."),
        N_("Create it there or take over the members; else the receipt is made without a contact."),
    ),
    "contact_ambiguous": (
        N_("Several contacts in sevdesk have the customer number %(number)s."),
        N_("Leave it to one of them; else the receipt is made without a contact."),
    ),
    "contact_of_stranger": (
        N_("The contact in sevdesk with the customer number %(number)s has another name."),
        N_("Give the member another number; else the receipt is made without a contact."),
    ),
}
"""What a rehearsal says, and what to do, where the catalogue tells of a receipt that was made."""
