"""What the tables of a space hold, in words: for the page on which somebody takes them along."""

from __future__ import annotations

from collections.abc import Mapping

from portal.sync.messages import N_

TABLES: Mapping[str, str] = {
    "space": N_("The space and its settings"),
    "invoice_sync": N_("Invoices"),
    "history_line": N_("Histories: each step of an invoice or member"),
    "line_calls": N_("Calls to Cobot and sevdesk, masked"),
    "person_name": N_("Names of people and companies"),
    "member_sync": N_("Members and their contacts"),
    "debtor_link": N_("Contacts chosen by hand"),
    "account_mapping": N_("Accounting codes assigned by hand"),
    "plan_list": N_("Plans and their accounting codes"),
    "batch": N_("Many invoices retried or skipped at once"),
    "batch_item": N_("The invoices in them"),
    "task": N_("Checks, rehearsals, imports and monthly comparisons"),
    "task_item": N_("What they found, one by one"),
    "inbox_event": N_("Messages from Cobot"),
    "space_admin": N_("Admins of the space"),
    "lost_right": N_("Admins who lost their right"),
    "support_visit": N_("Visits of support"),
    "support_look": N_("What support looked at"),
}
"""By the table's name, in the order in which they are shown."""
