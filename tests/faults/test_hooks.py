"""Rows 1 to 6 and 37: what happens to a webhook on its way in."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.e2e.worlds import member
from tests.faults.ground import Ground
from tests.faults.strangers import run_dying_web


def test_f01_the_same_hook_fifty_times_at_once(ground: Ground, space: str) -> None:
    """The same hook 50 times at once.

    Held: one row, one receipt, one POST (I2).
    """
    made = ground.invoice(space, "F01-1", webhook=False)
    hook, after = ground.hook(space), ground.last_call()
    with ThreadPoolExecutor(max_workers=50) as pool:
        answers = list(pool.map(lambda _: ground.send_hook(hook, space, made), range(50)))
    assert set(answers) == {202}
    ground.ends(space, "F01-1")
    assert len(ground.writes(space, after)) == 1
    ground.check(space)


def test_f02_the_hook_comes_before_the_invoice_can_be_read(ground: Ground, space: str) -> None:
    """Cobot answers 404 for the announced invoice, several times.

    Held: it waits, is tried again, and is booked once.
    """
    ground.fault("cobot-api", "status:404", path="/invoices/*", space=space, times=4)
    ground.invoice(space, "F02-1")
    ground.ends(space, "F02-1")
    ground.check(space)


def test_f03_hooks_in_reversed_order(ground: Ground, space: str) -> None:
    """A new member and two of its invoices are announced last first.

    Held: nothing breaks; each invoice is booked once, with or without contact as it was known.
    """
    ground.fault("webhook", "reorder_webhooks", space=space, times=3)
    ground.control("POST", f"/cobot/spaces/{space}/memberships", member("mem-f03", "Mia Neu", None))
    debtor = {"type": "memberships", "id": "mem-f03"}
    for number in ("F03-1", "F03-2"):
        ground.invoice(space, number, debitor=debtor)
    ground.wait_until(
        lambda: (
            [one["state"] for one in ground.rows(space)] in (2 * ["synced"], 2 * ["mismatched"])
            or {one["state"] for one in ground.rows(space)} == {"synced", "mismatched"}
        ),
        "both to be booked",
    )
    ground.wait_until(
        lambda: [one["state"] for one in ground.members(space)] == ["synced"], "the member"
    )
    ground.check(space)


def test_f04_the_database_is_away_during_the_hook(ground: Ground, space: str) -> None:
    """PostgreSQL is cut off and refuses connections while the hook arrives.

    Held: 503 and never a 2xx; Cobot's own repeat succeeds (I1).
    """
    if ground.is_sqlite:
        pytest.skip("SQLite is a file and cannot be away; row 35 locks it and fills the disk")
    made, hook = ground.invoice(space, "F04-1", webhook=False), ground.hook(space)
    ground.ways["database"].refuse()
    assert ground.send_hook(hook, space, made) == 503
    ground.invoice(space, "F04-2")
    ground.wait_until(
        lambda: any(one["attempts"] for one in ground.space(space)["deliveries"]), "an attempt"
    )
    ground.ways["database"].heal()
    ground.ends(space, "F04-2", meanwhile=ground.a_minute_passes)
    assert ground.send_hook(hook, space, made) == 202
    ground.ends(space, "F04-1", meanwhile=ground.a_minute_passes)
    ground.check(space)


def test_f04_the_database_stalls_during_the_hook(ground: Ground, space: str) -> None:
    """PostgreSQL is cut off and refuses connections while the hook arrives.

    Held: 503 and never a 2xx; Cobot's own repeat succeeds (I1).
    """
    if ground.is_sqlite:
        pytest.skip("SQLite is a file and cannot be away; row 35 locks it and fills the disk")
    made, hook = ground.invoice(space, "F04-3", webhook=False), ground.hook(space)
    way = ground.ways["database"]
    way.stall()
    way.cut()
    begun = time.monotonic()
    assert ground.send_hook(hook, space, made) == 503
    assert time.monotonic() - begun < 20, "Cobot waits no longer than that"
    way.heal()
    way.cut()
    assert ground.send_hook(hook, space, made) == 202
    ground.ends(space, "F04-3", meanwhile=ground.a_minute_passes)
    ground.check(space)


def test_f05_the_queue_is_away_during_the_hook(ground: Ground, space: str) -> None:
    """Valkey is killed before the hook arrives and comes back afterwards.

    Held: 2xx, the row is there, upkeep finishes it.
    """
    ground.kill("valkey")
    made = ground.invoice(space, "F05-1", webhook=False)
    assert ground.send_hook(ground.hook(space), space, made) == 202
    ground.start_again("valkey")
    ground.ends(space, "F05-1", meanwhile=ground.a_minute_passes)
    ground.check(space)


def test_f06_killed_between_commit_and_wake_up(ground: Ground, space: str) -> None:
    """kill -9 of the web server, gunicorn with it, between the commit of a hook's row and its
    wake-up.

    Held: no answer, and the row is there; upkeep finds it in the database and finishes it; the
    repeat that Cobot sends for want of an answer changes nothing.
    """
    made, hook = ground.invoice(space, "F06-1", webhook=False), ground.hook(space)
    after = ground.last_call()
    run_dying_web(ground)
    assert ground.send_hook(hook, space, made) == 0
    assert "committed, not woken" in ground.log_of("web")
    ground.wait_until(lambda: not ground.supervisor.is_alive("web"), "its end")
    ground.drop("web")
    ground.ends(space, "F06-1", seconds=90)
    ground.start_again("web")
    ground.wait_until(ground._is_ready, "the web server", seconds=60)
    assert ground.send_hook(hook, space, made) == 202
    assert len(ground.writes(space, after)) == 1
    ground.check(space)


def test_f37_a_hook_that_names_something_of_another_space(ground: Ground, space: str) -> None:
    """A hook with A's secret and an id of B; then foreign hosts and tricks in the address.

    Held: skipped as not_of_this_space, nothing of B shown or written; 400 for the rest, no request
    to that host, counted and shown on the space's page (I6).
    """
    ground.connect("other")
    foreign = ground.invoice("other", "F37-B", webhook=False)
    hook, after = ground.hook(space), ground.last_call()
    assert ground.send_hook(hook, space, foreign) == 202
    ground.wait_until(
        lambda: [one["cause_code"] for one in ground.rows(space)] == ["not_of_this_space"],
        "it to be skipped",
    )
    [row] = ground.rows(space)
    assert (row["state"], row["number"], row["gross"]) == ("skipped", None, None)
    reads = [one for one in ground.calls(after) if one["path"] == f"/invoices/{foreign}"]
    assert len(reads) == 1
    base = ground.env["COBOT_SPACE_URL"].format(subdomain=space)
    for address in (
        "http://evil.example/api/invoices/1",
        base.replace("http://", "http://evil.example@") + "/api/invoices/1",
        base.replace("http://", "http://me:you@") + "/api/invoices/1",
        f"{base}/api/invoices/..%2F..%2Fsecret",
        f"{base}%2F..%2Fother/api/invoices/1",
    ):
        answer = requests.post(hook, json={"url": address}, timeout=30)
        assert answer.status_code == 400, address
    assert len(ground.rows(space)) == 1
    assert ground.space_row(space)["hook_rejected_count"] == 5
    assert not [one for one in ground.calls(after) if "secret" in one["path"]]
    ground.check(space)
    page = ground.person.get(f"/spaces/{space}/sevdesk").text
    assert "5" in page
