"""Short titles of causes: for codes of the catalogue, without figures of one invoice."""

from __future__ import annotations

from portal.sync.messages import CATALOGUE
from portal.sync.titles import TITLES


def test_titles_belong_to_codes_and_name_no_figures() -> None:
    assert set(TITLES) <= set(CATALOGUE)
    assert [title for title in TITLES.values() if "%" in title] == []
