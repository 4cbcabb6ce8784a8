"""Fills the tables with years of invoices, by SQL alone: what is past needs no history here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.bench.places import Place

OTHERS = 200
PEOPLE = 2000
CHUNK = 500_000
BIG_SHARE = 3
"""Of ten invoices so many are the big space's."""
COLUMNS = (
    "space_id, cobot_invoice_id, number, invoice_date, customer_number, person_id, gross,"
    " currency, lines, state, step, cause_code, cause_params, attempts, member_waits, looks,"
    " is_urgent, is_backfill, sevdesk_client, sevdesk_voucher_id, sevdesk_gross, was_adopted,"
    " is_mismatch, has_import_tag, has_mismatch_tag, tell_attempts, announced_at, finished_at,"
    " sequence"
)
SPACE_COLUMNS = (
    "cobot_id, subdomain, name, locale, created_at, due_after_days, corrections, cent_difference,"
    " voucher_status, auto_retry, hook_rejected_count, refusal_count, sequence, history_lines,"
    " connected_at, subscribed_at, caught_up_on"
)


class Filler:
    """Adds spaces and invoices to a place; the invoices of ten belong to three: see BIG_SHARE."""

    def __init__(self, place: Place, big: str) -> None:
        self._place = place
        self._big = place.space_id(big)
        self.invoices = 0

    def add_spaces(self, count: int = OTHERS) -> None:
        """Add connected spaces in which nothing is due."""
        values = (
            "'f-' || g, 'f-' || g, 'Space ' || g, 'de', {now}, 0, 'ask', {no}, 100, {yes}, 0, 0, 0,"
            " 0, {now}, {now}, {today}"
        )
        self._insert("space", SPACE_COLUMNS, values, 1, count)
        people = "{big}, 'memberships', 'f-' || g, {name}, lower({name}), lower({last})"
        columns = "space_id, kind, remote_id, name, folded, folded_last"
        self._insert("person_name", columns, people, 1, PEOPLE)

    def grow_to(self, invoices: int) -> None:
        """Add invoices until there are so many. Indexes are made anew: that is much faster."""
        with self._without_indexes():
            for first in range(self.invoices + 1, invoices + 1, CHUNK):
                last = min(first + CHUNK - 1, invoices)
                self._insert("invoice_sync", COLUMNS, VALUES, first, last)
        self.invoices = invoices
        self._execute("DELETE FROM state_count")
        self._execute(
            "INSERT INTO state_count (space_id, state, invoices)"
            " SELECT space_id, state, count(*) FROM invoice_sync GROUP BY space_id, state"
        )
        self._execute(f"UPDATE space SET sequence = {invoices}")
        self._settle()

    def _insert(self, table: str, columns: str, values: str, first: int, last: int) -> None:
        is_sqlite = self._place.database.is_sqlite
        lowest = self._place.database.one(
            "SELECT min(id) AS n FROM space WHERE cobot_id LIKE 'f-%'"
        )
        people = self._place.database.one("SELECT min(id) AS n FROM person_name")
        text = values.format(
            now="datetime('now')" if is_sqlite else "now()",
            today="date('now')" if is_sqlite else "current_date",
            day=(
                "date('2020-01-01', '+' || (g % 2000) || ' days')"
                if is_sqlite
                else "date '2020-01-01' + g % 2000"
            ),
            yes="1" if is_sqlite else "true",
            no="0" if is_sqlite else "false",
            cents="(100 + g % 90000)" if is_sqlite else "(100 + g % 90000) / 100.0",
            json="" if is_sqlite else "::json",
            mismatch="(g / 10 % 100 < 2)",
            failed=f"(g / 10 % 500 = 77 AND g % 10 < {BIG_SHARE})",
            big=self._big,
            others=lowest["n"] or 0,
            people=people["n"] or 0,
            name="'Vorname ' || g || ' Nachname' || g",
            last="'Nachname' || g || ' vorname'",
            OTHERS=OTHERS,
            PEOPLE=PEOPLE,
            BIG_SHARE=BIG_SHARE,
        )
        series = (
            f"(WITH RECURSIVE n(g) AS (SELECT {first} UNION ALL SELECT g + 1 FROM n"
            f" WHERE g < {last}) SELECT g FROM n)"
            if is_sqlite
            else f"generate_series({first}, {last}) AS n(g)"
        )
        self._execute(f"INSERT INTO {table} ({columns}) SELECT {text} FROM {series}")

    @contextmanager
    def _without_indexes(self) -> Iterator[None]:
        if self._place.database.is_sqlite:
            find = (
                "SELECT name, sql FROM sqlite_master WHERE type = 'index'"
                " AND tbl_name = 'invoice_sync' AND sql IS NOT NULL"
            )
        else:
            find = (
                "SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE tablename ="
                " 'invoice_sync' AND indexname NOT IN (SELECT conname FROM pg_constraint)"
            )
        indexes = self._place.database.rows(find)
        for index in indexes:
            self._execute(f"DROP INDEX {index['name']}")
        yield
        for index in indexes:
            self._execute(index["sql"])

    def _settle(self) -> None:
        if self._place.database.is_sqlite:
            self._execute("PRAGMA analysis_limit=1000; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            self._execute("VACUUM ANALYZE invoice_sync")
            self._execute("ANALYZE")

    def _execute(self, statements: str) -> None:
        """Run statements outside of everything that would check or log each row."""
        url = self._place.env["DATABASE_URL"]
        if url.startswith("sqlite"):
            connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=60)
            try:
                connection.executescript(
                    "PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; PRAGMA foreign_keys=OFF;"
                    f" {statements}"
                )
            finally:
                connection.close()
            return
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("SET session_replication_role = replica")
            server.execute("SET maintenance_work_mem = '512MB'")
            server.execute("SET synchronous_commit = off")
            server.execute(statements)


VALUES = """
    CASE WHEN g % 10 < {BIG_SHARE} THEN {big} ELSE {others} + g % {OTHERS} END,
    'f-' || g, 'R-' || g, {day}, 'K' || (g / 10 % 5000),
    CASE WHEN g % 10 < {BIG_SHARE} THEN {people} + g % {PEOPLE} END,
    {cents}, 'EUR', '[]'{json},
    CASE WHEN {mismatch} THEN 'mismatched' WHEN {failed} THEN 'failed' ELSE 'synced' END,
    CASE WHEN {failed} THEN 'fetched' ELSE 'tagged' END,
    CASE WHEN {mismatch} THEN 'contact_missing' WHEN {failed} THEN 'account_missing' END,
    CASE WHEN {mismatch} THEN '{{"number": "K' || (g / 10 % 5000) || '"}}'
         WHEN {failed} THEN '{{"code": "Konto ' || (g % 7) || '"}}' ELSE '{{}}' END{json},
    0, 0, 0, {no}, {no}, 'c' || (g % 10 < {BIG_SHARE}),
    CASE WHEN NOT {failed} OR {mismatch} THEN 'v-' || g END, {cents}, {no},
    {mismatch}, {yes}, {no}, 0, {now}, {now}, g
"""
