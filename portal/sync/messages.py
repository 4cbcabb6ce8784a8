"""The catalogue of causes: what people read for each code, and what happens next.

Message ids are English; German and English both come from the .po files. One sentence serves the
activity in Cobot, the row of the log and the page of the invoice. Placeholders are the parameters
of the Cause; `fill` puts them in after translation.
"""

from __future__ import annotations

from collections.abc import Mapping

from portal.sync.entries import (
    DECIMAL_PARAMS,
    LINKS,
    MONEY_PARAMS,
    N_,
    RETRY_KINDS,
    Entry,
    fill,
)

__all__ = [
    "CATALOGUE",
    "DECIMAL_PARAMS",
    "LINKS",
    "MONEY_PARAMS",
    "N_",
    "RETRY_KINDS",
    "Entry",
    "fill",
]

_UNAVAILABLE = N_("sevdesk is unavailable at the moment. Next attempt %(time)s.")

_ENTRIES = (
    # Found by the rules before anything is written.
    Entry(
        "account_missing",
        N_("sevdesk has no booking account “%(code)s”."),
        N_(
            "Create it in sevdesk (Settings › Accounting › Booking accounts), or rename the "
            "accounting code in Cobot, then retry."
        ),
        "after_fix_by_group",
        "accounts",
    ),
    Entry(
        "account_ambiguous",
        N_("Several booking accounts match “%(code)s”."),
        N_("Keep exactly one, or use the number instead of the name."),
        "after_fix",
        "accounts",
    ),
    Entry(
        "code_empty",
        N_("A line has no accounting code in Cobot."),
        N_("Give every line of the invoice an accounting code in Cobot, then retry."),
        "after_fix",
        "cobot_invoice",
    ),
    Entry(
        "tax_rule_needed",
        N_("Invoice with %(rate)s %% tax: choose in the settings how to book it."),
        N_("Ask your tax adviser about it."),
        "after_choice_by_group",
        "settings",
    ),
    Entry(
        "correction_choice_needed",
        N_("Correction invoice: choose in the settings how to book it."),
        None,
        "after_choice_by_group",
        "settings",
    ),
    Entry(
        "rate_not_supported",
        N_("Tax rate %(rate)s %% cannot be booked in sevdesk (possible: 0, 7, 19 %%)."),
        None,
        "manual",
        "cobot_invoice",
    ),
    Entry(
        "rule_not_allowed",
        N_(
            "The booking account %(number)s %(name)s does not allow this tax rule with %(rate)s %%."
        ),
        N_("Assign another account."),
        "after_fix_by_group",
        "accounts",
    ),
    Entry(
        "small_business_with_tax",
        N_("sevdesk is set to small business, but the invoice has %(rate)s %% VAT."),
        None,
        "manual",
        "cobot_invoice",
    ),
    Entry(
        "currency_not_supported",
        N_("Invoice in %(currency)s. Only invoices in euro are synced."),
        None,
        "none",
    ),
    Entry("several_taxes", N_("A line has more than one tax."), None, "none"),
    Entry(
        "totals_differ",
        N_("Total in Cobot %(a)s, total of the lines %(b)s. Nothing was booked."),
        None,
        "support",
        "cobot_invoice",
    ),
    # Booked, with something to see to.
    Entry(
        "contact_missing",
        N_(
            "No contact with the customer number %(number)s. The receipt was created with "
            "“mismatch”."
        ),
        N_("Assign the contact in sevdesk."),
        "optional",
        "sevdesk_voucher",
    ),
    Entry(
        "contact_ambiguous",
        N_(
            "Several contacts have the customer number %(number)s. The receipt was created "
            "without a contact."
        ),
        N_("Assign the contact in sevdesk."),
        "optional",
        "sevdesk_contacts",
    ),
    Entry(
        "contact_of_stranger",
        N_(
            "The contact with the customer number %(number)s has another name, so it may be "
            "somebody else. The receipt was created without a contact."
        ),
        N_("Assign the contact in sevdesk."),
        "optional",
        "sevdesk_voucher",
    ),
    Entry(
        "tag_missing",
        N_("Booked, but sevdesk refused the tag."),
        N_("Add the tag in sevdesk by hand, or retry."),
        "optional",
        "sevdesk_voucher",
    ),
    Entry(
        "sum_differs",
        N_("Booked, but sevdesk shows %(a)s, Cobot %(b)s."),
        N_("Check the receipt in sevdesk."),
        "none",
        "sevdesk_voucher",
    ),
    # Skipped on purpose.
    Entry("zero_total", N_("Total of zero: there is nothing to book."), None, "none"),
    Entry(
        "corrections_off",
        N_("Correction invoice: by your settings corrections are not synced."),
        None,
        "none",
        "settings",
    ),
    Entry("invoice_deleted", N_("Deleted in Cobot before it was synced."), None, "none"),
    Entry(
        "dismissed",
        N_("Skipped by an admin: “%(reason)s”."),
        None,
        "none",
    ),
    Entry("not_of_this_space", N_("This invoice belongs to another space."), None, "none"),
    # About writing to sevdesk.
    Entry(
        "number_taken",
        N_(
            "sevdesk already has receipt %(id)s with the number %(number)s, but with another date "
            "or amount. Nothing was booked."
        ),
        None,
        "choice",
        "sevdesk_voucher",
    ),
    Entry(
        "sent_elsewhere",
        N_(
            "The receipt for %(number)s was sent to the sevdesk account of before, and no answer "
            "came; whether it is there cannot be seen from here. Nothing was booked in the present "
            "one."
        ),
        N_("Look there: if the receipt exists, skip the invoice, else retry."),
        "choice",
    ),
    Entry(
        "receipt_deleted",
        N_("Receipt %(id)s was deleted in sevdesk."),
        N_("Create it anew, or skip the invoice if it was deleted on purpose."),
        "choice",
        "sevdesk_voucher",
    ),
    Entry(
        "checking",
        N_("sevdesk did not answer. At %(time)s we look whether the receipt has arrived."),
        None,
        "automatic",
    ),
    Entry(
        "rejected_by_sevdesk",
        N_("sevdesk refuses the receipt: “%(message)s”."),
        None,
        "after_fix",
    ),
    Entry(
        "cost_centre_missing",
        N_("sevdesk has no cost centre %(number)s."),
        N_("Enter another cost centre in the settings, or none."),
        "after_fix",
        "settings",
    ),
    Entry(
        "sevdesk_paused",
        N_(
            "sevdesk refuses one receipt after another: “%(message)s”. We pause until %(time)s "
            "and then try one."
        ),
        None,
        "automatic",
    ),
    # Rights, plans, passing faults.
    Entry(
        "token_invalid",
        N_("sevdesk refuses the API token (401)."),
        N_("Enter a new token; all waiting invoices go on after that."),
        "all_automatic",
        "settings",
    ),
    Entry(
        "cobot_revoked",
        N_("Cobot no longer lets us access this space."),
        N_("Sign in with Cobot again."),
        "all_automatic",
        "sign_in",
    ),
    Entry("space_suspended", N_("Cobot has suspended the space."), None, "automatic"),
    Entry(
        "cobot_forbidden",
        N_("The right “%(right)s” is missing in Cobot."),
        None,
        "after_fix",
    ),
    Entry(
        "sevdesk_plan",
        N_("Your sevdesk plan has no API access. “Buchhaltung Pro” is needed."),
        None,
        "after_fix",
    ),
    Entry(
        "sevdesk_version",
        N_(
            "This sevdesk account still uses version 1.0. Please ask sevdesk for the change to 2.0."
        ),
        None,
        "after_fix",
    ),
    Entry(
        "contact_rejected",
        N_("sevdesk refuses the contact: “%(message)s”."),
        N_("Create the contact in sevdesk and enter its customer number in Cobot."),
        "manual",
    ),
    Entry(
        "number_not_written",
        N_("The customer number %(number)s could not be written to Cobot."),
        N_("Enter it on the member in Cobot."),
        "manual",
    ),
    Entry("member_deleted", N_("Deleted in Cobot before it became a contact."), None, "none"),
    Entry(
        "token_unreadable",
        N_("The saved access data cannot be opened: a key is missing on the server."),
        N_("Please tell support. No invoice gets lost: all of them wait."),
        "all_automatic",
    ),
    Entry(
        "token_untested",
        N_("sevdesk is not answering, so the API token could not be tested yet."),
        N_("We test it as soon as sevdesk answers; all waiting invoices go on after that."),
        "automatic",
    ),
    Entry(
        "paused_by_hand",
        N_("An admin has paused the sync."),
        N_("Let it go on in the settings; all waiting invoices follow."),
        "all_automatic",
        "space_settings",
    ),
    Entry(
        "check_first",
        N_("The sevdesk data are saved; sync is not switched on yet."),
        N_("Look at the rehearsal and switch on; all waiting invoices follow."),
        "all_automatic",
        "settings",
    ),
    Entry("rate_limited", _UNAVAILABLE, None, "automatic"),
    Entry("upstream_down", _UNAVAILABLE, None, "automatic"),
    Entry(
        "cobot_unreachable",
        N_("Cobot is unavailable at the moment. Next attempt %(time)s."),
        None,
        "automatic",
    ),
    Entry(
        "invoice_not_shown",
        N_("Cobot does not show this invoice at the moment. Next attempt %(time)s."),
        None,
        "automatic",
    ),
    Entry(
        "invoice_unreadable",
        N_("Cobot lists this invoice, but does not show it to us. Nothing was booked."),
        N_("Look whether you can open it in Cobot, then retry."),
        "after_fix",
        "cobot_invoice",
    ),
    Entry(
        "pdf_unavailable",
        N_("Cobot did not hand out the PDF for a long time. Nothing was booked."),
        N_("Look whether it opens in Cobot, then retry."),
        "after_fix",
        "cobot_invoice",
    ),
    Entry(
        "pdf_missing",
        N_("Cobot does not have the PDF yet. Next attempt %(time)s."),
        None,
        "automatic",
    ),
    Entry(
        "member_pending",
        N_("Waiting for the member's contact in sevdesk. Next attempt %(time)s."),
        None,
        "automatic",
    ),
    Entry(
        "gave_up",
        N_("We tried for a long time without success. Nothing was booked."),
        N_("Check the connection, then retry."),
        "after_fix_by_group",
        "settings",
    ),
    Entry(
        "bad_answer",
        N_("We cannot read the answer of %(name)s. Nothing was booked."),
        N_("Please give support the reference %(ref)s."),
        "support",
    ),
    Entry(
        "unexpected",
        N_("Unexpected error. Please give support the reference %(ref)s."),
        None,
        "support",
    ),
)

CATALOGUE: Mapping[str, Entry] = {entry.code: entry for entry in _ENTRIES}
