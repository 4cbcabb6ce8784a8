"""What looks at more than one space or at one receipt again: overview, copying, contacts."""

from __future__ import annotations

import threading
from decimal import Decimal

from flask import Flask
from sqlalchemy import func, select

from portal.database import db
from portal.models import AccountMapping, Space, SpaceAdmin, State
from portal.services import clients, contact_search, heal, overview_all, setup_copy, signin
from tests.services.conftest import (
    TOKEN,
    Remote,
    admin_named,
    line,
    row_of,
    steps_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}
LOST = {"type": "memberships", "id": "mem-lost"}


def test_the_overview_shows_a_persons_spaces_only_the_worst_first(
    remote: Remote, alpha: Space, beta: Space
) -> None:
    sync(remote, alpha, debitor=XYZ)
    sync(remote, alpha, debitor=LOST)
    sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    sync(remote, beta, items=[line(code="Meeting")])
    found = overview_all.all_spaces_overview(admin_named("owner"))
    assert [row.space.subdomain for row in found.rows] == ["alpha"]
    assert (found.synced, found.mismatched, found.failed) == (1, 1, 1)
    assert found.open_gross == Decimal("261.80")
    assert len(found.days) == 30
    today = found.days[-1]
    assert (today.synced, today.mismatched, today.failed, today.total) == (1, 1, 1, 3)
    assert sum(day.total for day in found.days[:-1]) == 0
    first = found.causes[0]
    assert (first.cause, first.count, first.gross) == ("account_missing", 1, Decimal("261.80"))
    assert found.rows[0].last_success_at is not None
    assert found.rows[0].last_webhook_at is not None
    db.session.commit()
    remote.control("PATCH", "/cobot/users/owner", {"admin_of": ["s-a", "s-b"]})
    signin.sign_in(remote.user_token("owner"))
    both = overview_all.all_spaces_overview(admin_named("owner"))
    assert both.causes[0].count == 2
    assert {space.subdomain for space in both.causes[0].spaces} == {"alpha", "beta"}
    assert both.open_gross == Decimal("523.60")


def test_copying_takes_over_what_the_other_sevdesk_takes_and_names_the_rest(
    remote: Remote, alpha: Space, beta: Space
) -> None:
    alpha.zero_tax_rule, alpha.corrections = "4", "negative"
    db.session.add(AccountMapping(space_id=alpha.id, code="Kaffee", account_id=3633))
    db.session.add(AccountMapping(space_id=alpha.id, code="Alt", account_id=777))
    db.session.commit()
    made = sync(remote, beta, items=[line(code="Kaffee", rate="7.0")])
    found = setup_copy.preview(alpha, beta)
    by_field = {(one.field, one.code): one for one in found.differences}
    assert set(by_field) == {
        ("cost_centre_number", None),
        ("zero_tax_rule", None),
        ("corrections", None),
        ("mapping", "Kaffee"),
        ("mapping", "Alt"),
    }
    assert by_field["cost_centre_number", None].refused is not None
    assert by_field["mapping", "Alt"].refused is not None
    assert not found.shares_sevdesk
    setup_copy.copy(alpha, beta, actor="admin:stranger")
    assert (beta.zero_tax_rule, beta.corrections, beta.cost_centre_number) == (
        "4",
        "negative",
        None,
    )
    db.session.commit()
    work(beta)
    assert row_of(made).state == "mismatched"
    rest = setup_copy.preview(alpha, beta)
    assert rest.to_change == ()


def test_a_contact_is_found_linked_and_seen_on_the_receipt(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=LOST)
    remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/contacts",
        {"id": "700", "customerNumber": "9000", "surename": "Lars", "familyname": "Petersen"},
    )
    remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/contacts",
        {"id": "701", "customerNumber": "9001", "name": "Andere", "email": "lost@example.org"},
    )
    row = row_of(made)
    found = contact_search.candidates(alpha, row)
    assert {(one.id, one.why) for one in found} == {("700", "name"), ("701", "email")}
    assert [one.id for one in contact_search.candidates(alpha, row, "9000")] == ["700"]
    assert contact_search.look_again(alpha, row_of(made), actor="admin:owner").outcome == (
        "no_contact"
    )
    assert not contact_search.link(alpha, row_of(made), "12345", actor="admin:owner")
    assert contact_search.link(alpha, row_of(made), "700", actor="admin:owner")
    later = sync(remote, alpha, debitor=LOST)
    assert (row_of(later).state, row_of(later).sent_contact_id) == ("synced", "700")
    [voucher, _] = remote.sevdesk()["vouchers"]
    remote.control(
        "PATCH",
        f"/sevdesk/{TOKEN}/vouchers/{voucher['id']}",
        {"supplier": {"id": "700", "objectName": "Contact"}},
    )
    looked = contact_search.look_again_at(alpha, [row_of(made).id], actor="admin:owner")
    assert looked == (1, 1)
    row = row_of(made)
    assert (row.state, row.cause_code, row.has_mismatch_tag) == ("synced", None, True)
    assert "looked_again done" in steps_of(made)
    assert contact_search.unlink(alpha, row_of(made), actor="admin:owner")
    assert contact_search.link_of(alpha, row_of(made)) is None


def test_two_windows_and_two_persons_sign_in_for_the_first_time_at_once(
    core_app: Flask, remote: Remote
) -> None:
    """Found by a measurement: the second of two first sign-ins ended with an error."""
    tokens = [remote.user_token(who) for who in ("owner", "owner", "second", "second")]
    db.session.commit()
    together, ended = threading.Barrier(len(tokens)), []

    def sign_in(token: str) -> None:
        with core_app.app_context():
            user = clients.cobot_with(token).user()
            together.wait(30)
            admin = signin._remember_in_all_spaces(user)
            db.session.commit()
            ended.append((admin.cobot_user_id, len(user.spaces)))

    threads = [threading.Thread(target=sign_in, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == len(tokens)
    rights = db.session.scalar(select(func.count()).select_from(SpaceAdmin))
    assert rights == sum(spaces for _, spaces in set(ended))


def test_sums_are_of_euro_alone(remote: Remote, alpha: Space) -> None:
    yen = line(net="10000.0", rate="0")
    yen["amount"]["currency"] = "JPY"
    sync(remote, alpha, items=[yen])
    sync(remote, alpha, items=[line(code="Neu")])
    assert overview_all.all_spaces_overview(admin_named("owner")).open_gross == Decimal("261.80")
    assert sorted(group.gross for group in heal.groups(alpha)) == [0, Decimal("261.80")]


def test_a_setup_that_is_copied_retries_nothing_where_the_space_does_not_want_that(
    remote: Remote, alpha: Space, beta: Space
) -> None:
    beta.auto_retry, alpha.zero_tax_rule = False, "4"
    db.session.commit()
    made = sync(remote, beta, items=[line(rate="0")])
    setup_copy.copy(alpha, beta, actor="admin:stranger", keys=["zero_tax_rule"])
    work(beta)
    assert (row_of(made).state, row_of(made).cause_code) == (State.FAILED, "tax_rule_needed")
