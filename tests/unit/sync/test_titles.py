"""Short titles of causes: for every code of the catalogue."""

from __future__ import annotations

from portal.sync.messages import CATALOGUE
from portal.sync.titles import TITLES


def test_every_code_has_a_title_that_names_no_figures_and_is_no_sentence() -> None:
    assert set(TITLES) == set(CATALOGUE)
    assert [title for title in TITLES.values() if "%" in title or title.endswith(".")] == []
