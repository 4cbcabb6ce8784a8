"""Rows 25 to 33 and 37: accounts, contacts, members, edits, keys and subscriptions that change."""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import timedelta

import pytest

from tests.calendar_day import today
from tests.e2e.worlds import ACCOUNT, COST_CENTRE, line, member, token_of
from tests.faults.ground import Ground
from tests.stack import Json, one

SAVE = "/Voucher/Factory/saveVoucher"
MEMBERS = "/api/memberships/*"
ACTIVITIES = "/api/activities"


def _new_member(ground: Ground, space: str, member_id: str, name: str) -> None:
    body = member(member_id, name, None)
    ground.control("POST", f"/cobot/spaces/{space}/memberships", body)


def _contacts(ground: Ground, token: str, familyname: str) -> list[Json]:
    return [row for row in ground.sevdesk(token)["contacts"] if row["familyname"] == familyname]


def _members_done(ground: Ground, space: str, count: int = 1) -> None:
    def is_so() -> bool:
        ground.a_minute_passes()
        return [row["state"] for row in ground.members(space)] == count * ["synced"]

    ground.wait_until(is_so, "the members", seconds=40, every=0.3)


def _errors(ground: Ground, space: str, invoice_id: str) -> list[Json]:
    return [
        row
        for row in ground.space(space)["activities"]
        if row["level"] == "ERROR" and invoice_id in row["source_ids"]
    ]


def test_f25_the_account_goes_between_check_and_write(ground: Ground, space: str) -> None:
    """The booking account is removed in sevdesk after our list of accounts was read.

    Held: failed for want of that account, told once (I8); made again, a retry books it.
    """
    ground.invoice(space, "F25-1")
    ground.ends(space, "F25-1")
    ground.control("DELETE", f"/sevdesk/{token_of(space)}/accounts/3631")
    made = ground.invoice(space, "F25-2")
    ground.ends(space, "F25-2", "failed")
    ground.wait_until(lambda: ground.rows(space)[1]["told_cause"], "the message")
    assert ground.rows(space)[1]["cause_code"] == "account_missing"
    assert len(_errors(ground, space, made)) == 1
    account = {"id": "3632", "number": ACCOUNT, "name": "Mitgliedschaft", "types": ["REVENUE"]}
    ground.control(
        "POST", f"/sevdesk/{token_of(space)}/accounts", {**account, "rules": {"1": [0, 7, 19]}}
    )
    ground.person.retry(space, made)
    ground.ends(space, "F25-2")
    ground.check(space)


def test_f26_a_contact_twice_and_a_contact_gone(ground: Ground, space: str) -> None:
    """Two contacts carry the invoice's number; a contact we know is deleted in sevdesk.

    Held: the first is a mismatch that says so; of the second the cached contact is dropped, and
    its invoice is booked as a mismatch.
    """
    ground.control(
        "POST",
        f"/sevdesk/{token_of(space)}/contacts",
        {"customerNumber": "1005", "name": "XYZ Zwei"},
    )
    ground.invoice(space, "F26-1")
    ground.ends(space, "F26-1", "mismatched")
    assert ground.rows(space)[0]["cause_code"] == "contact_ambiguous"
    _new_member(ground, space, "mem-f26", "Mia Fort")
    _members_done(ground, space)
    debtor = {"type": "memberships", "id": "mem-f26"}
    ground.invoice(space, "F26-2", debitor=debtor)
    ground.ends(space, "F26-2")
    [contact] = _contacts(ground, token_of(space), "Fort")
    ground.control("DELETE", f"/sevdesk/{token_of(space)}/contacts/{contact['id']}")
    ground.invoice(space, "F26-3", debitor=debtor)
    ground.ends(space, "F26-3", "mismatched")
    assert ground.members(space)[0]["contact_id"] is None
    # The receipt of the second invoice lost its contact in sevdesk, where somebody deleted it.
    found = [what for what in ground.broken(space) if "F26-2" not in what]
    assert found == []


def test_f27_two_new_members_at_once(ground: Ground, space: str) -> None:
    """Two spaces of one sevdesk client get three new members each at the same time.

    Held: six contacts with six different customer numbers, each written back.
    """
    ground.person.connect("other", token_of(space), cost_centre=COST_CENTRE)
    for place in range(3):
        for where in (space, "other"):
            _new_member(ground, where, f"mem-f27-{where}-{place}", f"Mia Zugleich{place}")
    _members_done(ground, space, 3)
    _members_done(ground, "other", 3)
    made = [
        row
        for row in ground.sevdesk(token_of(space))["contacts"]
        if (row["familyname"] or "").startswith("Zugleich")
    ]
    assert len(made) == len({row["customerNumber"] for row in made}) == 6
    written = {
        row["customer_number"]
        for where in (space, "other")
        for row in ground.space(where)["memberships"]
        if row["id"].startswith("mem-f27")
    }
    assert written == {row["customerNumber"] for row in made}
    ground.check(space)


@pytest.mark.parametrize("effect", ["status:500", "reset_after_commit", "status:429"])
def test_f28_the_number_cannot_be_written_back(ground: Ground, space: str, effect: str) -> None:
    """The contact is made; writing its number to Cobot fails three times: 500, a lost answer, 429.

    Held: only the write-back is tried again, no second contact; invoices do not wait for it.
    """
    name = effect.rpartition(":")[2].replace("_", "")
    ground.fault("cobot-space", effect, method="PUT", path=MEMBERS, space=space, times=3)
    _new_member(ground, space, f"mem-f28-{name}", f"Mia {name}")
    number = f"F28-{name}"
    ground.invoice(space, number, debitor={"type": "memberships", "id": f"mem-f28-{name}"})
    ground.ends(space, number)
    _members_done(ground, space, len(ground.members(space)))
    [contact] = _contacts(ground, token_of(space), name)
    found = one(ground.space(space)["memberships"], id=f"mem-f28-{name}")
    assert found["customer_number"] == contact["customerNumber"]
    ground.check(space)


def test_f29_the_message_gets_no_answer(ground: Ground, space: str) -> None:
    """The message on a blocked invoice is posted and its answer is lost.

    Held: at most one repeat (I8), and the invoice is failed with its cause all the while.
    """
    ground.fault("cobot-space", "reset_after_commit", path=ACTIVITIES, space=space, times=0)
    made = ground.invoice(space, "F29-1", items=[line("Parkplatz")])
    ground.ends(space, "F29-1", "failed")

    def is_told() -> bool:
        ground.a_minute_passes()
        return bool(ground.rows(space)[0]["told_cause"])

    ground.wait_until(is_told, "the end of the tries")
    assert len(_errors(ground, space, made)) == 2
    assert ground.rows(space)[0]["cause_code"] == "account_missing"
    ground.check(space)


def test_f30_edited_or_deleted_on_the_way(ground: Ground, space: str) -> None:
    """Invoices are edited or deleted in Cobot: before they are read, while the receipt is written,
    afterwards; one is repaired in Cobot right after it failed.

    Held: each ends with a receipt or a visible reason; edits after booking are noticed, not synced;
    the repaired one is booked.
    """
    invoices = f"/cobot/spaces/{space}/invoices"
    gone = ground.invoice(space, "F30-gone", webhook=False)
    hook = ground.hook(space)
    ground.control("DELETE", f"{invoices}/{gone}")
    assert ground.send_hook(hook, space, gone) == 202

    ground.sevdesk_fault("hang_after_commit:2", SAVE, space)
    written = ground.invoice(space, "F30-write")
    ground.wait_until(
        lambda: "sending" in {row["state"] for row in ground.rows(space)}, "the write"
    )
    ground.control("PATCH", f"{invoices}/{written}", {"items": [line(net="77.0")]})
    ground.ends(space, "F30-write")
    ground.wait_until(
        lambda: (ground.row(space, "F30-write") or {})["changed_in_cobot"] == "updated_invoice",
        "the edit to be noticed",
    )

    repaired = ground.invoice(space, "F30-fixed", items=[line("Parkplatz")])
    ground.ends(space, "F30-fixed", "failed")
    ground.wait_until(lambda: (ground.row(space, "F30-fixed") or {})["told_cause"], "the message")
    ground.control("PATCH", f"{invoices}/{repaired}", {"items": [line()]})
    ground.ends(space, "F30-fixed")

    def is_skipped() -> bool:
        ground.a_minute_passes()
        return "invoice_deleted" in {row["cause_code"] for row in ground.rows(space)}

    ground.wait_until(is_skipped, "the deleted one to be skipped")
    ground.check(space)


def test_f31_disconnected_in_the_middle(ground: Ground, space: str) -> None:
    """The space is disconnected in the middle of 40 invoices; later it is connected again.

    Held: no write begins afterwards, a hook is answered with 410; connected again, what was left
    is booked and nothing twice.
    """
    numbers = ground.invoices(space, 40, "F31")
    ground.wait_until(
        lambda: sum(row["state"] == "synced" for row in ground.rows(space)) >= 3, "some"
    )
    hook = ground.hook(space)
    path = f"/spaces/{space}/disconnect"
    form = ground.person.get(path).form(path)
    ground.person.submit(form, name=f"Space {space}")
    after = ground.last_call()
    late = ground.invoice(space, "F31-late", webhook=False)
    assert ground.send_hook(hook, space, late) == 410
    ground.wait_until(
        lambda: (
            not {"sending"} & {row["state"] for row in ground.rows(space)}
            or ground.rows(space)[-1]["next_try_at"]
        ),
        "the drain to leave",
    )
    begun = [row for row in ground.writes(space, after) if row["at"] > _at(ground, after) + 1]
    assert begun == []
    ground.database.change(
        "UPDATE space SET start_date = '2026-01-01' WHERE subdomain = :name", name=space
    )
    ground.connect(space)
    ground.catch_up_again(space)
    ground.ends(space, [*numbers, "F31-late"], seconds=150, meanwhile=ground.a_minute_passes)
    ground.check(space, unannounced={"F31-late"} - {row["number"] for row in ground.rows(space)})


def _at(ground: Ground, number: int) -> float:
    calls = ground.calls(number - 1)
    return float(calls[0]["at"]) if calls else 0.0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_f32_keys_rotated_and_removed_too_early(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The key that seals the tokens is rotated in the middle of a burst; then the old one is
    removed although the tokens are still sealed with it; then it comes back.

    Held: the first goes unnoticed; the second pauses the space and crashes nothing, and it goes on
    after the next probe.
    """
    with Ground(tmp_path_factory.mktemp("f32"), "f32") as ground:
        space = "f32"
        ground.connect(space)
        old = ground.env["TOKEN_KEYS"]
        new = b64encode(secrets.token_bytes(32)).decode()
        numbers = ground.invoices(space, 40, "F32")
        ground.set_env(TOKEN_KEYS=f"{new},{old}")
        ground.restart()
        ground.ends(space, numbers, seconds=150, meanwhile=ground.a_minute_passes)
        assert ground.space_row(space)["paused_at"] is None

        ground.set_env(TOKEN_KEYS=new)
        ground.restart()
        later = ground.invoices(space, 3, "F32-later")
        ground.wait_until(
            lambda: ground.space_row(space)["pause_code"] == "token_unreadable", "the pause"
        )
        ground.probe_now(space)
        before = ground.space_row(space)["probe_at"]
        ground.wait_until(
            lambda: ground.space_row(space)["probe_at"] > before + timedelta(minutes=1), "a probe"
        )
        assert ground.person.get("/spaces").status == 200
        assert ground.person.get(f"/spaces/{space}/sevdesk").status == 200
        assert "Traceback" not in ground.log_of("web")
        assert "Traceback" not in ground.log_of("drain-1") + ground.log_of("drain-2")

        ground.set_env(TOKEN_KEYS=f"{new},{old}")
        ground.restart()
        ground.probe_now(space)
        ground.ends(space, later, seconds=150, meanwhile=ground.a_minute_passes)
        ground.check(space)


def test_f33_subscriptions_switched_off(ground: Ground, space: str) -> None:
    """Cobot switched our subscriptions off; invoices are made that nobody tells us of.

    Held: the nightly comparison finds all of them and makes the subscriptions anew.
    """
    for row in ground.space(space)["subscriptions"]:
        ground.control(
            "PATCH", f"/cobot/spaces/{space}/subscriptions/{row['id']}", {"active": False}
        )
    ground.database.change(
        "UPDATE space SET start_date = '2026-01-01' WHERE subdomain = :name", name=space
    )
    numbers = ground.invoices(space, 12, "F33", invoiceDate=today().isoformat())
    assert ground.rows(space) == []
    ground.catch_up_again(space)
    ground.ends(space, numbers, meanwhile=ground.a_minute_passes)
    active = [row for row in ground.space(space)["subscriptions"] if row["active"]]
    assert len(active) == len({row["event"] for row in active}) == 6
    ground.invoice(space, "F33-told")
    ground.ends(space, "F33-told")
    ground.check(space)
