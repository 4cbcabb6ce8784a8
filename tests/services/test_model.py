"""Any order of events, answers and crashes keeps I1 to I5: a model against the services.

More examples: HYPOTHESIS_EXAMPLES=500 make test ARGS=tests/services/test_model.py
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
import time_machine
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from portal.cobot.records import Address, Membership
from portal.core import core
from portal.crypto import digest
from portal.database import db, utcnow
from portal.models import HistoryLine, InboxEvent, InvoiceSync, MemberSync, Space, State
from portal.models.invoice import IN_WORK
from portal.services import catchup, clients, history, retry, upkeep, vault, webhooks
from portal.services.clients import Remotes
from portal.services.drain import drain
from portal.services.edges import Edge
from portal.services.work import Work
from portal.sevdesk.records import Voucher
from tests.services.fake_sides import (
    ACCOUNT,
    ANSWERS,
    CODE,
    FakeCobot,
    FakeSevdesk,
    Sides,
    an_invoice,
)

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)
PLACES = itertools.count(1)
BOOKED = {State.SYNCED, State.MISMATCHED}
LAGS = (0, 10, 100, 800)
"""Seconds; all shorter than the last look after 900 s, which is where the promise ends."""
WAITS = (1, 14, 31, 130, 910, 3600)


class Crash(BaseException):
    """The worker is gone: nothing in it may catch this."""


class Life(RuleBasedStateMachine):
    """One space from its connection on, and what may happen to it."""

    monkeypatch: pytest.MonkeyPatch

    def __init__(self) -> None:
        super().__init__()
        self.clock = time_machine.travel(BEGIN, tick=False)
        self.time = self.clock.start()
        self.sides = Sides()
        self.die_at: Edge | None = None
        self.dies_before = False
        self.taken: set[tuple[str, str]] = set()
        self.numbers = itertools.count(1)
        self.space_id = self._connected_space()
        space = db.session.get_one(Space, self.space_id)
        db.session.commit()
        cobot = FakeCobot(self.sides, space.cobot_id)
        remotes = Remotes(cobot, FakeSevdesk(self.sides, space.cobot_id))  # type: ignore[arg-type]
        self.monkeypatch.setattr(clients, "remotes_of", lambda *_: remotes)
        self.monkeypatch.setattr(clients, "cobot_of", lambda _: cobot)
        commit = Work.__dict__["commit"]
        real = getattr(commit, "real", commit)

        def commit_or_die(work: Work, edge: Edge) -> None:
            is_the_end = edge == self.die_at
            if is_the_end and self.dies_before:
                db.session.rollback()
            else:
                real(work, edge)
            if is_the_end:
                self.die_at = None
                raise Crash

        commit_or_die.real = real  # type: ignore[attr-defined]
        self.monkeypatch.setattr(Work, "commit", commit_or_die)

    def _connected_space(self) -> int:
        name = f"model-{next(PLACES)}"
        space = Space(
            cobot_id=name, subdomain=name, name=name,
            connected_at=utcnow() - timedelta(hours=2), subscribed_at=utcnow(),
            sevdesk_client=name, start_date=BEGIN.date(), cobot_user_id="u", due_after_days=14,
            hook_digest=digest(name), caught_up_on=BEGIN.date(),
        )  # fmt: skip
        for field in ("cobot_token", "sevdesk_token", "hook_secret"):
            vault.put(space, field, name)  # type: ignore[arg-type]
        db.session.add(space)
        db.session.commit()
        self.secret, self.cobot_id = name, name
        return space.id

    # --- what may happen ---------------------------------------------------------------------

    @rule(
        euros=st.integers(1, 900),
        code=st.sampled_from((CODE, CODE, CODE, "Parkplatz")),
        is_told=st.booleans(),
        debtor=st.sampled_from((None, "m-1", "m-2")),
    )
    def invoice(self, euros: int, code: str, is_told: bool, debtor: str | None) -> None:
        made = an_invoice(self.cobot_id, f"N-{next(self.numbers)}", euros, code, debtor)
        self.sides.invoices[made.id] = [made]
        if is_told:
            self._tell("created_invoice", made.id)

    @rule(name=st.sampled_from(("m-1", "m-2")), is_told=st.booleans())
    def member(self, name: str, is_told: bool) -> None:
        if name not in self.sides.members:
            self.sides.members[name] = Membership(
                name,
                f"Mia {name}",
                f"{name}@example.org",
                address=Address(street="Gasse 1", city="Ulm", country="Germany"),
                confirmed_at=utcnow(),
            )
        if is_told:
            self._tell("confirmed_membership", name, kind="memberships")

    @precondition(lambda self: self.sides.invoices)
    @rule(which=st.integers(0, 99), event=st.sampled_from(("created", "updated", "deleted")),
          euros=st.integers(1, 900), times=st.integers(1, 2))  # fmt: skip
    def hook(self, which: int, event: str, euros: int, times: int) -> None:
        invoice_id = self._pick(which)
        if invoice_id in self.sides.deleted:
            return
        if event == "updated":
            old = self.sides.invoices[invoice_id][-1]
            new = an_invoice(self.cobot_id, old.number, euros, CODE, None)
            self.sides.invoices[invoice_id].append(new)
        elif event == "deleted":
            self.sides.deleted.add(invoice_id)
        for _ in range(times):
            self._tell(f"{event}_invoice", invoice_id)

    @rule(answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=8))
    def answers(self, answers: list[str]) -> None:
        self.sides.answers.extend(answers)

    @rule()
    def lose_next_receipt(self) -> None:
        self.sides.loses_next_receipt = True

    @rule(lag=st.sampled_from(LAGS))
    def lag(self, lag: int) -> None:
        self.sides.lag = timedelta(seconds=lag)

    @rule(edge=st.sampled_from(list(Edge)), before=st.booleans())
    def die_at_edge(self, edge: Edge, before: bool) -> None:
        """The worker dies right after this commit, or right before: what was called is not kept."""
        self.die_at, self.dies_before = edge, before

    @rule()
    def work(self) -> None:
        try:
            drain(self.space_id)
        except Crash:
            db.session.rollback()
            core().parked.clear()
            core().chart_indexes.clear()
        else:
            self._has_its_alarm()
        finally:
            db.session.remove()

    def _has_its_alarm(self) -> None:
        space = db.session.get_one(Space, self.space_id, populate_existing=True)
        if any(row.next_try_at for row in self._rows()):
            assert space.wake_at is not None, "I3: a drain left without an alarm"

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: int) -> None:
        self.time.shift(seconds)

    @precondition(lambda self: self.sides.invoices)
    @rule(which=st.integers(0, 99))
    def press_retry(self, which: int) -> None:
        space = db.session.get_one(Space, self.space_id)
        retry.retry_invoice(space, self._pick(which), actor="admin:u")

    @rule()
    def sweep(self) -> None:
        upkeep.sweep_all_spaces()
        upkeep.tick_all_spaces()

    @rule()
    def night(self) -> None:
        catchup.catch_up(self.space_id)
        db.session.remove()

    # --- what must hold ----------------------------------------------------------------------

    @invariant()
    def every_hook_has_its_row(self) -> None:
        kept = db.session.execute(
            select(InboxEvent.event, InboxEvent.remote_id).where(
                InboxEvent.space_id == self.space_id
            )
        ).all()
        db.session.commit()
        assert self.taken <= {(event, remote_id) for event, remote_id in kept}, "I1"

    @invariant()
    def no_invoice_is_booked_twice(self) -> None:
        counts = Counter(one.description for _, one in self.sides.vouchers)
        assert not [number for number, count in counts.items() if count > 1], "I2"
        names = Counter(one.name for _, one in self.sides.contacts)
        assert not [name for name, count in names.items() if count > 1], "one contact each"
        for written in (self.sides.addresses, self.sides.emails):
            assert len(written) == len(set(written)), "each written once"

    @invariant()
    def nobody_is_told_three_times(self) -> None:
        told = Counter(one for level, one in self.sides.messages if level == "ERROR")
        for row in self._rows():
            failed = db.session.scalar(
                select(func.count()).where(
                    HistoryLine.space_id == self.space_id,
                    HistoryLine.invoice_id == row.id,
                    HistoryLine.outcome == "failed",
                    HistoryLine.step != "told",
                )
            )
            db.session.commit()
            assert told[row.cobot_invoice_id] <= 2 * (failed or 0), "I8"

    @invariant()
    def nothing_is_silent(self) -> None:
        for row in self._rows():
            if row.state in IN_WORK:
                assert row.next_try_at is not None, f"I3: {row.number} {row.state} {row.step}"
            elif row.state in {State.FAILED, State.SKIPPED}:
                assert row.cause_code, f"I3: {row.number} {row.state}"

    def teardown(self) -> None:
        try:
            self._heal()
            self._check_the_end()
        finally:
            self.clock.stop()
            db.session.remove()

    def _heal(self) -> None:
        self.sides.answers.clear()
        self.sides.lag, self.die_at = timedelta(0), None
        self.sides.loses_next_receipt = False
        for _ in range(60):
            self.time.shift(1900)
            upkeep.sweep_all_spaces()
            self.work()
            catchup.catch_up(self.space_id)
            db.session.remove()
            if not self._is_in_work():
                return

    def _is_in_work(self) -> bool:
        members = db.session.scalars(
            select(MemberSync.next_try_at).where(MemberSync.space_id == self.space_id)
        ).all()
        known = {row.cobot_invoice_id for row in self._rows()}
        wanted = set(self.sides.invoices) - self.sides.deleted
        return bool(
            any(members)
            or any(row.next_try_at or row.state in IN_WORK for row in self._rows())
            or wanted - known
        )

    def _check_the_end(self) -> None:
        vouchers = {one.id: one for _, one in self.sides.vouchers}
        rows = {row.cobot_invoice_id: row for row in self._rows()}
        assert set(self.sides.invoices) - self.sides.deleted <= set(rows), "I3: all are known"
        members = db.session.scalars(
            select(MemberSync.cobot_membership_id).where(MemberSync.space_id == self.space_id)
        ).all()
        assert set(self.sides.members) == set(members), "all members are known"
        for row in rows.values():
            what = f"{row.number} {row.state} {row.step} {row.cause_code} {row.next_try_at}"
            assert row.state not in IN_WORK, f"I3: {what}"
            if row.state in BOOKED:
                found = vouchers[row.sevdesk_voucher_id or ""]
                versions = self.sides.invoices[row.cobot_invoice_id]
                assert found.sum_gross in {one.gross for one in versions}, f"I4: {what}"
                if found.sum_gross != versions[-1].gross:
                    assert row.changed_in_cobot, f"I4: an edit went unnoticed: {what}"
                self._is_as_mapped(row, found)
            else:
                left = [one.id for one in vouchers.values() if one.description == row.number]
                assert not left or row.cause_code == "number_taken", f"I4: {what}: {left}"
            self._is_explained(row)
        space = db.session.get_one(Space, self.space_id)
        _, breaks = history.verify(space)
        assert breaks == [], "I5"

    def _is_as_mapped(self, row: InvoiceSync, voucher: Voucher) -> None:
        draft = self.sides.drafts[voucher.id]
        [position] = draft.positions
        nets = {one.net for one in self.sides.invoices[row.cobot_invoice_id]}
        assert (position.account_id, position.tax_rate) == (ACCOUNT, 19), "I4"
        assert position.amount in nets, "I4"
        is_mismatch = row.state == State.MISMATCHED
        wanted = {"Import", "mismatch"} if is_mismatch else {"Import"}
        assert self.sides.tags[voucher.id] == wanted, f"I4: {self.sides.tags[voucher.id]}"
        assert (voucher.supplier_id is None) == is_mismatch, "I4"
        if voucher.supplier_id is not None:
            contact = next(one for _, one in self.sides.contacts if one.id == voucher.supplier_id)
            assert contact.name == f"Mia {row.debtor_id}", "I4: a contact of somebody else"

    def _is_explained(self, row: InvoiceSync) -> None:
        lines = db.session.execute(
            select(HistoryLine.step, HistoryLine.outcome).where(
                HistoryLine.space_id == self.space_id, HistoryLine.invoice_id == row.id
            )
        ).all()
        said = {(step, outcome) for step, outcome in lines}
        db.session.commit()
        if row.state in BOOKED:
            assert ("tagged", "done") in said, f"I5: {row.number}"
        elif row.state == State.SKIPPED:
            assert ("skipped", "done") in said, f"I5: {row.number}"
        else:
            assert any(outcome == "failed" for _, outcome in said), f"I5: {row.number}"

    # --- how ---------------------------------------------------------------------------------

    def _pick(self, which: int) -> str:
        return list(self.sides.invoices)[which % len(self.sides.invoices)]

    def _tell(self, event: str, remote_id: str, kind: str = "invoices") -> None:
        base = core().config.cobot_space_url.format(subdomain=self.secret)
        body = json.dumps({"url": f"{base}/api/{kind}/{remote_id}"}).encode()
        status = webhooks.receive(self.secret, event, body=body, content_type="application/json")
        assert status == 202
        self.taken.add((event, remote_id))

    def _rows(self) -> list[InvoiceSync]:
        rows = db.session.scalars(
            select(InvoiceSync)
            .where(InvoiceSync.space_id == self.space_id)
            .execution_options(populate_existing=True)
        ).all()
        db.session.commit()
        return list(rows)


@pytest.mark.timeout(600)
def test_any_order_of_events_answers_and_crashes_keeps_the_promises(
    core_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(core(), "queue", Mock())
    Life.monkeypatch = monkeypatch
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Life,
        settings=settings(
            max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "25")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
