"""The words of a month's comparison: code -> message id; both languages stand in the .po files."""

from __future__ import annotations

from collections.abc import Mapping

from portal.sync.messages import N_

ENTRIES: Mapping[str, str] = {
    "deleted_in_sevdesk": N_("Receipt deleted in sevdesk"),
    "sum_differs": N_("Booked with another sum"),
    "changed_in_sevdesk": N_("Receipt changed in sevdesk"),
    "twice_in_sevdesk": N_("Second receipt in sevdesk"),
    "edited": N_("Changed in Cobot after booking"),
    "deleted_in_cobot": N_("Deleted in Cobot after booking"),
    "not_booked": N_("Not booked"),
    "unknown_here": N_("Not taken over yet"),
    "made_by_hand": N_("Receipt entered by hand"),
    "other_client": N_("Receipt in another sevdesk account"),
    "unreadable": N_("Not readable in Cobot"),
    "skipped": N_("Skipped on purpose"),
    "deleted_unbooked": N_("Deleted in Cobot before booking"),
    "without_contact": N_("Booked without contact"),
}
"""What is the matter with an invoice, by Entry.what."""

MEANINGS: Mapping[str, str] = {
    "deleted_in_sevdesk": N_(
        "Was booked, and sevdesk does not have the receipt any more. Open the invoice to create it "
        "anew."
    ),
    "sum_differs": N_("sevdesk reckons another total from the lines than Cobot."),
    "changed_in_sevdesk": N_("The receipt is not as it was booked."),
    "twice_in_sevdesk": N_(
        "There is a receipt of the same number beside ours. One of them is too many."
    ),
    "edited": N_("Edits are not transferred: change the receipt in sevdesk by hand."),
    "deleted_in_cobot": N_("The receipt still stands in sevdesk, and Cobot has no invoice for it."),
    "not_booked": N_("These invoices have no receipt from us."),
    "unknown_here": N_("Cobot has these invoices, and nobody has told us of them."),
    "made_by_hand": N_(
        "Somebody entered these invoices in sevdesk: skip them here and say so as the reason."
    ),
    "other_client": N_(
        "Booked before the token was replaced by that of another account: not to be seen from here."
    ),
    "unreadable": N_("Cobot lists these invoices and does not show them completely."),
    "skipped": N_("Left out with a reason."),
    "deleted_unbooked": N_("Neither side has these invoices; the numbers stay free."),
    "without_contact": N_("The receipt stands in sevdesk, tagged “mismatch”."),
}
"""What that means, and what to do."""

FIELDS: Mapping[str, str] = {
    "number": N_("Number"),
    "date": N_("Date"),
    "gross": N_("Amount"),
    "line_count": N_("Number of lines"),
}
LINE = N_("Line %(place)s")
"""A field that changed; lines are called line_1, line_2, ..."""
