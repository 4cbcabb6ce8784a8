import re

import pytest

from portal.sync.messages import CATALOGUE, LINKS, RETRY_KINDS, fill
from portal.sync.taxes import ZERO_RATE_RULES
from portal.sync.wording import TAX_RULES

PARAMS = {
    "a", "b", "code", "currency", "id", "message", "name", "number", "rate", "reason",
    "ref", "right", "time",
}  # fmt: skip

ENTRIES = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)


@ENTRIES
def test_entry_is_complete(entry):
    assert CATALOGUE[entry.code] is entry
    assert entry.retry in RETRY_KINDS
    assert entry.link is None or entry.link in LINKS
    for text in filter(None, (entry.cause, entry.fix)):
        assert text.endswith(".")


@ENTRIES
def test_entry_can_be_filled_in_and_leaves_no_placeholder(entry):
    for text in filter(None, (entry.cause, entry.fix)):
        assert set(re.findall(r"%\((\w+)\)s", text)) <= PARAMS
        filled = fill(text, dict.fromkeys(PARAMS, "x"))
        assert "%(" not in filled
        assert "%%" not in filled


@ENTRIES
def test_text_with_a_percent_sign_always_has_a_parameter(entry):
    # gettext's helpers fill a text in only when there are parameters: "%%" would stay otherwise.
    for text in filter(None, (entry.cause, entry.fix)):
        assert "%" not in text or "%(" in text


def test_missing_parameter_shows_as_a_question_mark_and_never_breaks_a_page():
    assert fill(CATALOGUE["checking"].cause, {}) == (
        "sevdesk did not answer. At ? we look whether the receipt has arrived."
    )


def test_every_cause_of_the_design_is_in_the_catalogue():
    named = """
        account_missing account_ambiguous code_empty contact_missing token_invalid cobot_revoked
        cost_centre_missing  totals_differ rate_limited upstream_down
        unexpected tax_rule_needed correction_choice_needed rate_not_supported rule_not_allowed
        small_business_with_tax currency_not_supported several_taxes contact_ambiguous
        number_taken checking sum_differs pdf_missing space_suspended cobot_forbidden
        sevdesk_plan sevdesk_version invoice_deleted rejected_by_sevdesk zero_total
        corrections_off not_of_this_space bad_answer cobot_unreachable
    """
    assert set(named.split()) <= set(CATALOGUE)


def test_every_tax_rule_that_may_be_chosen_has_a_name():
    assert set(ZERO_RATE_RULES) <= set(TAX_RULES)
