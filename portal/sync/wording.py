"""Words for the facts of a decision, as the history and the mapping page show them."""

from __future__ import annotations

from collections.abc import Mapping

from portal.sync.entries import N_

TAX_REASONS: Mapping[str, str] = {
    "small_business": N_("sevdesk is set to small business"),
    "taxed_lines": N_("The invoice has lines with VAT"),
    "zero_rate_setting": N_("Chosen in the settings for invoices without tax"),
}
"""Why a voucher has its tax rule, by TaxChoice.reason."""

TAX_RULES: Mapping[str, str] = {
    "1": N_("Taxable sales"),
    "4": N_("Tax-free sales (§ 4 UStG)"),
    "5": N_("Reverse charge (§ 13b UStG)"),
    "11": N_("Small business (§ 19 UStG)"),
    "17": N_("Not taxable in Germany"),
}
"""What sevdesk's tax rules mean, by their id."""

MATCHED_BY: Mapping[str, str] = {
    "mapping": N_("assigned by an admin"),
    "number": N_("by number"),
    "name": N_("by name"),
    "name_folded": N_("by name, but written differently"),
    "number_and_name": N_("by number and name"),
    "revenue_account": N_("by Cobot's revenue account"),
}
"""How a booking account was found, by AccountMatch.how."""

SUGGESTED_BECAUSE: Mapping[str, str] = {
    "one_of_several": N_("one of several that match"),
    "blank_differs": N_("only a blank differs"),
    "sign_differs": N_("only a sign differs"),
    "same_number": N_("the same number"),
    "contains": N_("one name holds the other"),
    "spelling": N_("spelled alike"),
}
"""Why an account is suggested for a code, by Suggestion.reason."""

CREATED_BECAUSE: Mapping[str, str] = {
    "number_of_stranger": N_("The contact with this customer number is somebody else"),
    "number_ambiguous": N_("Several contacts have this customer number"),
}
"""Why a new contact was made although the number was found, by CreateContact.why."""
