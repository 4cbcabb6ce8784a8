"""Dates, times and amounts as readers of each language write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from flask import Flask

from portal.filters import day, moment, money, seconds
from portal.models import Space
from portal.services.sentences import cause_sentence, language_of

WAYS = {
    "de": ("23.11.2026", "1.261,80 €", "23.11.26, 14:05"),
    "en": ("23 Nov 2026", "€1,261.80", "23/11/2026, 14:05"),
}


@pytest.mark.parametrize("language", WAYS)
def test_figures_are_written_as_in_europe(app: Flask, language: str) -> None:
    at = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)
    with app.test_request_context("/", headers={"Accept-Language": language}):
        said = day(date(2026, 11, 23)), money(Decimal("1261.80")), moment(at).striptags()
    assert tuple(text.replace("\xa0", " ") for text in said) == WAYS[language]


@pytest.mark.parametrize(("language", "time"), [("de", "14:05"), ("en", "14:05")])
def test_jobs_write_times_as_in_europe_too(app: Flask, language: str, time: str) -> None:
    at = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)
    with app.app_context(), language_of(Space(locale=language)):
        assert f"{time}." in cause_sentence("rate_limited", {}, next_try_at=at)


@pytest.mark.parametrize(("value", "said"), [(0.003, "3 ms"), (0.4, "0,4 s"), (180, "3 Minuten")])
def test_short_calls_are_told_in_milliseconds(app: Flask, value: float, said: str) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "de"}):
        assert seconds(value).replace("\xa0", " ") == said
