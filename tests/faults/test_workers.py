"""Rows 9 to 11 and 38: workers that die, stop, or are told to end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.services.edges import Edge
from tests.e2e.worlds import line, member, token_of, unknown
from tests.faults.ground import Ground, wait_for
from tests.faults.strangers import forking_worker

Scenario = Callable[[Ground, str], None]
WARM_STOP_SECONDS = 30


def _booked(ground: Ground, space: str) -> None:
    ground.invoice(space, "E-1")


def _mismatched(ground: Ground, space: str) -> None:
    ground.invoice(space, "E-1", debitor=unknown(space))


def _away(ground: Ground, space: str) -> None:
    ground.sevdesk_fault("status:503", "/Voucher", space, times=3)
    ground.invoice(space, "E-1")


def _refused(ground: Ground, space: str) -> None:
    ground.sevdesk_fault("status:401", "/Voucher", space)
    ground.invoice(space, "E-1")


def _blocked(ground: Ground, space: str) -> None:
    ground.invoice(space, "E-1", items=[line("Parkplatz")])


def _zero(ground: Ground, space: str) -> None:
    ground.invoice(space, "E-1", items=[line(net="0.0")])


def _lost(ground: Ground, space: str) -> None:
    ground.sevdesk_fault("reset_after_commit", "/Voucher/Factory/saveVoucher", space)
    ground.invoice(space, "E-1")


def _lost_and_not_found(ground: Ground, space: str) -> None:
    """The answer is lost, and the first look finds nothing yet."""
    ground.sevdesk_fault("search_lag:2.5", "/Voucher", space, times=0)
    _lost(ground, space)


def _member(ground: Ground, space: str) -> None:
    ground.control(
        "POST", f"/cobot/spaces/{space}/memberships", member(f"mem-{space}", "Mia Neumann", "77")
    )


def _member_and_invoice(ground: Ground, space: str) -> None:
    """The invoice comes while the contact's answer is lost, so it lets the member go first."""
    ground.sevdesk_fault("reset_after_commit", "/Contact", space, method="POST")
    _member(ground, space)
    ground.invoice(space, "E-1", debitor={"type": "memberships", "id": f"mem-{space}"})


def _untold(ground: Ground, space: str) -> None:
    ground.fault("cobot-space", "status:503", path="/api/activities", space=space)
    _blocked(ground, space)


def _no_address(ground: Ground, space: str) -> None:
    ground.sevdesk_fault("status:503", "/ContactAddress", space, method="POST")
    _member(ground, space)


def _no_email(ground: Ground, space: str) -> None:
    ground.sevdesk_fault("status:503", "/CommunicationWay", space, method="POST")
    _member(ground, space)


def _contact_gone(ground: Ground, space: str) -> None:
    """The contact that was found a moment ago is deleted before the receipt is written."""
    ground.sevdesk_fault("hang:3", "/Voucher/Factory/uploadTempFile", space)
    ground.invoice(space, "E-1")


def _delete_contact(ground: Ground, space: str) -> None:
    ground.wait_until(lambda: "fetched" in {one["step"] for one in ground.rows(space)}, "a read")
    ground.wait_until(
        lambda: any(one["path"] == "/Voucher" for one in ground.calls(ground.before)), "the look"
    )
    ground.control("DELETE", f"/sevdesk/{token_of(space)}/contacts/501")


SCENARIOS: dict[Edge, Scenario] = {
    Edge.LATER: _away,
    Edge.PAUSED: _refused,
    Edge.FAILED: _blocked,
    Edge.SKIPPED: _zero,
    Edge.FETCHED: _booked,
    Edge.WAITS_FOR_MEMBER: _member_and_invoice,
    Edge.SENDING: _booked,
    Edge.UNKNOWN: _lost,
    Edge.CONTACT_GONE: _contact_gone,
    Edge.SAVED: _booked,
    Edge.IMPORT_TAGGED: _mismatched,
    Edge.TAGGED: _mismatched,
    Edge.LOOKED: _lost_and_not_found,
    Edge.TELLING: _blocked,
    Edge.TELLING_LATER: _untold,
    Edge.TOLD: _blocked,
    Edge.MEMBER_READ: _member,
    Edge.CONTACT_SENDING: _member,
    Edge.CONTACT_MADE: _member,
    Edge.CONTACT_LINKED: _member,
    Edge.ADDRESS_SENDING: _member,
    Edge.ADDRESS_LATER: _no_address,
    Edge.ADDRESS_DONE: _member,
    Edge.EMAIL_SENDING: _member,
    Edge.EMAIL_LATER: _no_email,
    Edge.EMAIL_DONE: _member,
    Edge.NUMBER_WRITTEN: _member,
    Edge.NOTING: _member,
    Edge.NOTED: _member,
    Edge.MEMBER_DONE: _member,
}
AFTER_A_WRITE = (
    *(Edge.UNKNOWN, Edge.SAVED, Edge.IMPORT_TAGGED, Edge.TAGGED, Edge.TOLD, Edge.CONTACT_MADE),
    *(Edge.ADDRESS_DONE, Edge.EMAIL_DONE, Edge.NUMBER_WRITTEN, Edge.NOTED),
)
"""What is committed here was written over there a moment before."""
CASES = [(edge, "kill") for edge in Edge] + [(edge, "kill-before") for edge in AFTER_A_WRITE]
OF_A_MEMBER = (_member, _no_address, _no_email)
END = {
    _blocked: "failed",
    _untold: "failed",
    _zero: "skipped",
    _mismatched: "mismatched",
    _contact_gone: "mismatched",
}


@pytest.fixture(scope="module")
def edge_ground(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A space for each case."""
    spaces = [_space_of(edge, how) for edge, how in CASES]
    with Ground(tmp_path_factory.mktemp("edges"), *spaces, drains=1) as started:
        started.kill("drain-1")
        yield started


def _space_of(edge: Edge, how: str) -> str:
    return ("e-" if how == "kill" else "b-") + edge.replace("_", "-")


def test_every_edge_of_the_code_has_its_scenario() -> None:
    """A new commit between two remote calls is never without its kill (row 9)."""
    assert set(SCENARIOS) == set(Edge)


@pytest.mark.slow
@pytest.mark.parametrize(("edge", "how"), CASES)
def test_f09_killed_at_an_edge(edge_ground: Ground, edge: Edge, how: str) -> None:
    """kill -9 of the worker right after each commit between two remote calls, once per edge, and
    right before those that keep what was just written over there; the edges are read from the
    code, and one that no scenario reaches fails.

    Held: a fresh worker and upkeep finish it; one receipt, one contact with one address, at most
    one message more than the one (I2, I8).
    """
    ground, space = edge_ground, _space_of(edge, how)
    ground.connect(space)
    scenario = SCENARIOS[edge]
    ground.before = ground.last_call()
    scenario(ground, space)
    ground.run_dying("dying", edge, how)
    if scenario is _contact_gone:
        _delete_contact(ground, space)
    wait_for(
        lambda: not ground.supervisor.is_alive("dying"), f"a worker to die at {edge}", seconds=40
    )
    assert f"reached {edge}" in ground.log_of("dying"), ground.log_of("dying")[-2000:]
    ground.drop("dying")
    (ground.log_folder / "dying.log").unlink()
    ground.start_again("drain-1")
    try:
        _heals(ground, space, scenario)
    finally:
        ground.kill("drain-1")
        ground.no_faults()
    ground.check(space, kills=1)


def _heals(ground: Ground, space: str, scenario: Scenario) -> None:
    if scenario is _refused:
        ground.wait_until(lambda: _is_paused(ground, space), "a pause, or none needed any more")
        ground.probe_now(space)
    has_member = scenario in (*OF_A_MEMBER, _member_and_invoice)
    if scenario not in OF_A_MEMBER:
        ground.ends(space, "E-1", END.get(scenario, "synced"), meanwhile=ground.a_minute_passes)
    if scenario in (_blocked, _untold):
        ground.wait_until(lambda: _is_told(ground, space), "the message", every=0.3)
    if has_member:
        ground.wait_until(
            lambda: _member_is_done(ground, space), "the member", every=0.3, seconds=40
        )
        state = ground.state()
        client = next(
            one
            for one in state["sevdesk"]
            if one["client_id"] == ground.space_row(space)["sevdesk_client"]
        )
        mine = [one for one in client["contacts"] if one["familyname"] == "Neumann"]
        assert len(mine) == 1, mine
        for kind in ("addresses", "emails"):
            of_it = [one for one in client[kind] if one["contact"]["id"] == mine[0]["id"]]
            assert len(of_it) <= 1, of_it
        cobot = next(one for one in state["spaces"] if one["subdomain"] == space)
        [written] = [
            one["customer_number"] for one in cobot["memberships"] if one["id"] == f"mem-{space}"
        ]
        assert written == mine[0]["customerNumber"]


def _is_paused(ground: Ground, space: str) -> bool:
    ground.a_minute_passes()
    return bool(ground.space_row(space)["paused_at"]) or _states(ground, space) == ["synced"]


def _is_told(ground: Ground, space: str) -> bool:
    ground.a_minute_passes()
    return bool(ground.rows(space)[0]["told_cause"])


def _states(ground: Ground, space: str) -> list[str]:
    return [one["state"] for one in ground.rows(space)]


def _member_is_done(ground: Ground, space: str) -> bool:
    ground.a_minute_passes()
    return [one["state"] for one in ground.members(space)] == ["synced"]


@pytest.mark.slow
def test_f10_the_orphaned_job_keeps_its_lock(ground: Ground, space: str) -> None:
    """A plain `rq worker`, which forks for each job, is killed with -9 in the middle of a write;
    its horse lives on, and a second copy of the job starts on a free worker.

    Held: the second copy finds the lock taken and does nothing; the orphan finishes; one receipt,
    one look (I2).
    """
    ground.only()
    after = ground.last_call()
    ground.sevdesk_fault("hang:12", "/Voucher/Factory/uploadTempFile", space)
    ground.sevdesk_fault("hang_after_commit:17", "/Voucher/Factory/saveVoucher", space)
    ground.invoice(space, "F10-1")
    with forking_worker(ground) as parent:
        ground.wait_until(lambda: [one["step"] for one in ground.rows(space)] == ["fetched"], "it")
        ground.start_again("drain-1")  # has the length of the upload to come up
        ground.wait_until(
            lambda: [one["state"] for one in ground.rows(space)] == ["sending"], "the write"
        )
        [horse] = _children_of(parent)
        os.kill(parent, signal.SIGKILL)
        ground.redis.flushall()  # what it says of the job ends by itself after some minutes
        _a_copy_leaves(ground, space)
        assert Path(f"/proc/{horse}").exists(), "the horse outlives its parent"
        assert _states(ground, space) == ["sending"]
        ground.ends(space, "F10-1", meanwhile=ground.a_minute_passes)
    assert len(ground.writes(space, after)) == 1
    assert len([one for one in ground.calls(after) if one["path"] == "/Voucher"]) == 1
    ground.check(space)


def _children_of(pid: int) -> list[int]:
    return [
        int(entry.parent.name)
        for entry in Path("/proc").glob("[0-9]*/stat")
        if entry.read_text().rpartition(")")[2].split()[1] == str(pid)
    ]


def _a_copy_leaves(ground: Ground, space: str) -> None:
    """Have the space woken; a copy that finds the lock taken has it woken again in a second."""
    ground.a_minute_passes()

    def came_again() -> bool:
        wake_at, now = ground.space_row(space)["wake_at"], datetime.now(UTC)
        return wake_at is not None and now < wake_at < now + timedelta(seconds=1)

    ground.wait_until(came_again, "the second copy to leave", every=0.05, seconds=14)


@pytest.mark.slow
def test_f11_stopped_for_longer_than_its_lease(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """SIGSTOP right after the commit that allows the write; its lease runs out (its end is moved in
    the row from outside), a second worker looks three times; after 35 s SIGCONT.

    Held: the stopped one writes nothing more, here or there; one receipt (I2).
    """
    settings = {"LOOKS_SECONDS": "2,6,12"}
    with Ground(tmp_path_factory.mktemp("f11"), "f11", settings=settings, drains=1) as ground:
        ground.connect("f11")
        ground.kill("drain-1")
        ground.run_dying("stopping", Edge.SENDING, "stop")
        ground.invoice("f11", "F11-1")
        wait_for(lambda: "reached" in ground.log_of("stopping"), "the edge")
        begun = time.monotonic()
        ground.start_again("drain-1")
        if ground.is_sqlite:
            ground.database.change(
                "UPDATE lease SET expires_at = :past", past=ground.database.moment(-1)
            )
            ground.ends("f11", "F11-1", meanwhile=ground.a_minute_passes, seconds=60)
        wait_for(lambda: time.monotonic() - begun > 35, "35 s", seconds=60)
        ground.go_on("stopping")
        wait_for(lambda: "lock lost" in ground.log_of("stopping"), "the stopped one to leave")
        # From here on it may work as any other.
        ground.kill("stopping")
        ground.ends("f11", "F11-1", meanwhile=ground.a_minute_passes, seconds=60)
        ground.check("f11")


def test_f38_deployed_in_the_middle_of_a_burst(ground: Ground, space: str) -> None:
    """SIGTERM to both workers, upkeep and the web server in the middle of 80 invoices, one of them
    in a slow write; then all are started again.

    Held: the call at hand is finished and kept, all end within 30 s, nothing lost, nothing twice.
    """
    ground.sevdesk_fault("hang_after_commit:4", "/Voucher/Factory/saveVoucher", space, after=10)
    numbers = ground.invoices(space, 80, "F38")
    ground.wait_until(
        lambda: (
            "sending" in _states(ground, space) and _states(ground, space).count("synced") >= 10
        ),
        "the slow write",
    )
    names = ("drain-1", "drain-2", "upkeep", "web")
    begun = time.monotonic()
    for name in names:
        _tell_to_end(ground, name)
    wait_for(
        lambda: not any(ground.supervisor.is_alive(name) for name in names),
        "a warm end",
        seconds=WARM_STOP_SECONDS,
    )
    assert time.monotonic() - begun < WARM_STOP_SECONDS
    assert set(_states(ground, space)) <= {"synced", "waiting"}, "nothing was left in the middle"
    assert "waiting" in _states(ground, space), "it was in the middle of the burst"
    for name in names:
        ground.drop(name)
        ground.start_again(name)
    ground.ends(space, numbers, seconds=150, meanwhile=ground.a_minute_passes)
    ground.wait_until(ground._is_ready, "the web server")
    ground.check(space)


def _tell_to_end(ground: Ground, name: str) -> None:
    os.kill(ground.pid(name), signal.SIGTERM)
