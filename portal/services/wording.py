"""The words for states, steps and reasons: code -> message id; both languages stand in the .po."""

from __future__ import annotations

from collections.abc import Mapping

from portal.models import State
from portal.services.overview import Badge
from portal.sync.messages import N_
from portal.sync.wording import (
    CREATED_BECAUSE,
    MATCHED_BY,
    SUGGESTED_BECAUSE,
    TAX_REASONS,
    TAX_RULES,
)

STATES: Mapping[str, str] = {
    State.WAITING: N_("Waiting"),
    State.SENDING: N_("Sending"),
    State.UNKNOWN: N_("Checking"),
    State.SYNCED: N_("Synced"),
    State.MISMATCHED: N_("Synced without contact"),
    State.FAILED: N_("Not synced"),
    State.SKIPPED: N_("Skipped"),
}

STATE_MEANINGS: Mapping[str, str] = {
    State.WAITING: N_(
        "Accepted, not tried yet, or tried again at the time shown. Goes on by itself."
    ),
    State.SENDING: N_("Being written to sevdesk right now."),
    State.UNKNOWN: N_(
        "sevdesk did not answer. We look whether the receipt arrived before anything new is made."
    ),
    State.SYNCED: N_("The receipt exists in sevdesk and has its contact."),
    State.MISMATCHED: N_(
        "The receipt exists in sevdesk, tagged “mismatch”: no contact surely belongs to this "
        "customer number. You may assign one in sevdesk."
    ),
    State.FAILED: N_("No receipt exists. You must fix the cause; it stands beside the invoice."),
    State.SKIPPED: N_("Not booked on purpose, for example a total of zero."),
}

STATE_ICONS: Mapping[str, str] = {
    State.WAITING: "clock",
    State.SENDING: "loader",
    State.UNKNOWN: "help",
    State.SYNCED: "check",
    State.MISMATCHED: "user-x",
    State.FAILED: "x",
    State.SKIPPED: "minus",
}

BADGES: Mapping[str, str] = {
    Badge.CONNECTED: N_("Connected"),
    Badge.NOT_CONNECTED: N_("Not connected"),
    Badge.TOKEN_INVALID: N_("Token invalid"),
    Badge.PAUSED: N_("Paused"),
    Badge.CHECK_FIRST: N_("Not switched on yet"),
}

NEXT_STEPS: Mapping[str, str] = {
    "after_fix": N_("Press “Retry” once it is repaired."),
    "after_fix_by_group": N_("Press “Retry” once it is repaired."),
    "after_choice_by_group": N_("Choose once, and all invoices with this cause can go on."),
    "choice": N_("Check the receipt in sevdesk, then decide."),
    "automatic": N_("This goes on by itself; you need not do anything."),
    "all_automatic": N_("All waiting invoices go on by themselves after that."),
    "manual": N_("Enter this invoice in sevdesk by hand."),
    "support": N_("Please contact support."),
}
"""How it goes on, by the retry kind of the catalogue."""

CAUSE_GROUPS: Mapping[str, frozenset[str]] = {
    N_("You must do something"): frozenset(
        {
            "after_fix",
            "after_fix_by_group",
            "after_choice_by_group",
            "choice",
            "all_automatic",
            "manual",
        }
    ),
    N_("Booked, but you may complete it"): frozenset({"optional"}),
    N_("Goes on by itself"): frozenset({"automatic"}),
    N_("Support must look"): frozenset({"support"}),
    N_("Nothing to do"): frozenset({"none"}),
}
"""What a cause asks of people -> the retry kinds of the catalogue that ask it."""

SETTINGS_REFUSED: Mapping[str, str] = {
    "token_needed": N_("Paste the API token from sevdesk."),
    "sevdesk_away": N_(
        "sevdesk is not answering, so the token cannot be tested now. You may save it all the "
        "same: the space waits until it is tested."
    ),
    "tax_rule_not_offered": N_("No booking account of this sevdesk account takes this tax rule."),
    "cobot_away": N_("Cobot is not answering. Nothing was changed; please try again in a minute."),
}
"""Why the settings were not saved, beyond the catalogue."""

LOOKS: Mapping[str, str] = {
    "search": N_("found in a search:"),
    "search_space": N_("Space found in a search"),
    "begun": N_("Visit begun"),
    "space": N_("Overview of the space"),
    "invoice": N_("Invoice"),
    "ended": N_("Visit ended"),
}
"""What support looked at, by SupportLook.what."""

HOOK_REASONS: Mapping[str, str] = {
    "body_too_long": N_("The message was larger than 64 KB."),
    "not_readable": N_("The message was neither JSON nor a form."),
    "no_address": N_("The message named no address."),
    "not_an_address": N_("What the message named is not an address."),
    "other_host": N_("The message named an address that is not of this space."),
    "other_path": N_("The message named an address that does not fit what it announced."),
    "wrong_id": N_("The message named no valid id."),
    "unknown_event": N_("The message was of a kind that we did not subscribe to."),
}
HOOK_UNKNOWN = N_("The message did not have the form that Cobot's messages have.")

MEMBER_VERDICTS: Mapping[str, str] = {
    "link": N_("Link"),
    "create": N_("Create"),
    "ambiguous": N_("Not clear"),
    "leave": N_("Leave out"),
    "nothing": N_("Nothing to do"),
}
"""What an import does with a member, by the verdict of its item."""

MEMBER_REASONS: Mapping[str, str] = {
    "number": N_("The customer number is the same, and e-mail or name agree"),
    "email": N_("The e-mail address is the same"),
    "name_and_post_code": N_("Name and post code are the same"),
    "number_of_stranger": N_("The contact with this customer number has another name and e-mail"),
    "number_ambiguous": N_("Several contacts have this customer number"),
    "email_ambiguous": N_("Several contacts have this e-mail address"),
    "contact_taken": N_("The contact belongs to another member already"),
    "shared": N_("Several members fit this contact"),
    "same_person": N_("Another member has the same e-mail, or the same name and post code"),
    "chosen": N_("Chosen by a person"),
}
"""Why a member was matched so, by MemberMatch.why or a person's choice."""

ACTORS: Mapping[str, str] = {"cobot": "Cobot", "portal": N_("Automatic")}

OUTCOMES: Mapping[str, str] = {
    "done": N_("done"),
    "failed": N_("failed"),
    "later": N_("put off"),
    "unknown": N_("answer lost"),
    "noticed": N_("noticed"),
}

STEP_UNKNOWN = N_("Step")
STEPS: Mapping[str, str] = {
    "announced": N_("Announced by Cobot"),
    "caught_up": N_("Compared with Cobot's list"),
    "fetched": N_("Invoice read from Cobot"),
    "planned": N_("Booking planned"),
    "waits_for_member": N_("Waits for the member's contact"),
    "look": N_("Looked for an earlier receipt in sevdesk"),
    "found": N_("Receipt found in sevdesk"),
    "pdf": N_("PDF read from Cobot"),
    "uploaded": N_("PDF uploaded to sevdesk"),
    "sending": N_("Sending to sevdesk begun"),
    "sent": N_("Receipt sent to sevdesk"),
    "saved": N_("Receipt created in sevdesk"),
    "tagged": N_("Receipt tagged"),
    "skipped": N_("Skipped"),
    "sync": N_("Attempt"),
    "skip_undone": N_("No longer skipped"),
    "told": N_("Message posted on the Cobot invoice"),
    "retry": N_("Retry asked for"),
    "receipt_gone": N_("Receipt not found in sevdesk any more"),
    "made_anew": N_("Decided to create the receipt anew"),
    "create_anyway": N_("Decided to create the receipt anyway"),
    "changed_in_cobot": N_("Changed in Cobot"),
    "member_read": N_("Member read from Cobot"),
    "contact": N_("Contact found or created"),
    "contact_linked": N_("Contact linked by an admin"),
    "contact_sending": N_("Contact is sent to sevdesk"),
    "address": N_("Address written to the contact"),
    "email": N_("E-mail written to the contact"),
    "number": N_("Customer number written to Cobot"),
    "number_written": N_("Customer number written to Cobot"),
    "note": N_("Note posted in Cobot"),
    "connected": N_("Space connected"),
    "settings_saved": N_("sevdesk data saved"),
    "choices_saved": N_("Special cases chosen"),
    "auto_retry_saved": N_("Automatic retry chosen"),
    "subscribed": N_("Webhooks set up in Cobot"),
    "disconnected": N_("Space disconnected"),
    "paused": N_("Sync paused"),
    "resumed": N_("Sync resumed"),
    "mapping_saved": N_("Accounting code assigned to an account"),
    "mapping_removed": N_("Assignment of an accounting code removed"),
    "debtor_linked": N_("Contact chosen for later invoices"),
    "debtor_unlinked": N_("Choice of a contact taken back"),
    "looked_again": N_("Looked at the receipt again"),
    "contacts_forgotten": N_("Contacts of the sevdesk account of before let go"),
    "setup_copied": N_("Set-up taken over from another space"),
    "backfill_started": N_("Takeover of old invoices begun"),
    "backfill_paused": N_("Takeover of old invoices paused"),
    "backfill_resumed": N_("Takeover of old invoices resumed"),
    "backfill_cancelled": N_("Takeover of old invoices cancelled"),
    "backfill_done": N_("Takeover of old invoices done"),
    "members_started": N_("Import of members begun"),
    "members_paused": N_("Import of members paused"),
    "members_resumed": N_("Import of members resumed"),
    "members_cancelled": N_("Import of members cancelled"),
    "members_done": N_("Import of members done"),
    "month_compared": N_("Month compared"),
    "support_visit": N_("Visit of support"),
    "pruned": N_("Old invoices deleted"),
    "space_deleted": N_("Everything of this space deleted"),
    "person_erased": N_("Name of a person erased"),
    "kept": N_("Decided to keep the data of the disconnected space"),
    "kept_no_longer": N_("No longer decided to keep the data"),
}
"""What was done, by the step of a history line."""

FACTS: Mapping[str, str] = {
    "accounts": N_("Booking accounts"),
    "added": N_("Found anew"),
    "amount": N_("Amount"),
    "attempt": N_("Attempt"),
    "auto_retry": N_("Retry automatically"),
    "before": N_("Before"),
    "bytes": N_("Size in bytes"),
    "cause": N_("Cause"),
    "causes": N_("Causes"),
    "cent_adjustments": N_("Cent differences"),
    "code": N_("Accounting code"),
    "contact": N_("Contact in sevdesk"),
    "cost_centre": N_("Cost centre"),
    "credit_debit": N_("Kind of receipt"),
    "currency": N_("Currency"),
    "debtors": N_("Contacts chosen by hand"),
    "customer_number": N_("Customer number"),
    "difference": N_("Difference"),
    "due_after_days": N_("Due after days"),
    "due_date": N_("Due"),
    "endpoint": N_("Call"),
    "event": N_("Event"),
    "found": N_("Found"),
    "gross": N_("Amount"),
    "how": N_("Matched"),
    "is_equal": N_("Cobot = sevdesk"),
    "lines": N_("Lines"),
    "looks": N_("Looks"),
    "members": N_("Members"),
    "message": N_("Answer"),
    "mode": N_("Sums counted"),
    "month": N_("Month"),
    "name": N_("Name"),
    "new_token": N_("New token"),
    "next_try_at": N_("Next attempt"),
    "number": N_("Number"),
    "outcome": N_("Outcome"),
    "position": N_("Position"),
    "remote": N_("Remote side"),
    "request_id": N_("Request id"),
    "revenue_accounts": N_("Revenue accounts"),
    "seconds": N_("Seconds"),
    "sha256": N_("Fingerprint of the PDF (SHA-256)"),
    "status": N_("Status"),
    "tags": N_("Tags"),
    "task": N_("Piece of work"),
    "tax_reason": N_("Reason for the tax rule"),
    "tax_rule": N_("Tax rule"),
    "total": N_("In all"),
    "voucher": N_("Receipt"),
    "was_there": N_("Was there already"),
    "why": N_("Reason"),
    "zero_rate_lines": N_("Lines without tax"),
}
"""Names of the facts of a history line."""

FACT_WORDS: Mapping[str, Mapping[str, str]] = {
    "tax_rule": TAX_RULES,
    "tax_reason": TAX_REASONS,
    "how": MATCHED_BY,
    "suggested": SUGGESTED_BECAUSE,
    "why": {**MEMBER_REASONS, **CREATED_BECAUSE},
    "credit_debit": {"D": N_("revenue"), "C": N_("expense")},
    "mode": {"net": N_("from net amounts"), "gross": N_("from gross amounts")},
    "event": {
        "created_invoice": N_("Invoice created"),
        "updated_invoice": N_("Invoice changed"),
        "deleted_invoice": N_("Invoice deleted"),
        "wrote_off_invoice": N_("Invoice written off"),
        "requested_e_invoice": N_("E-invoice requested"),
        "confirmed_membership": N_("Member confirmed"),
        "found_in_list": N_("Found in Cobot's list"),
        "backfill": N_("Takeover of old invoices"),
        "import": N_("Import of members"),
    },
}
"""Facts whose values are codes: name -> code -> message id."""
