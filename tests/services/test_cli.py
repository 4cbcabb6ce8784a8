"""The commands for support: spaces, one invoice, a drain in the foreground."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from portal.cli import register_commands
from portal.database import db
from portal.models import Space, State
from tests.services.conftest import (
    TOKEN,
    Remote,
    announce,
    connect,
    id_of,
    line,
    row_of,
    sync,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}

Run = Callable[..., str]


@pytest.fixture
def run(core_app: Flask) -> Run:
    register_commands(core_app)

    def run(*arguments: str, code: int = 0) -> str:
        db.session.commit()  # a command is another process, which must find the database free
        result = core_app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == code, result.output
        return str(result.output)

    return run


def test_spaces_are_listed_with_state_and_pause(remote: Remote, alpha: Space, run: Run) -> None:
    connect(remote, "stranger", "beta", "b2" * 16)
    assert run("spaces", "list").splitlines() == [
        "alpha\tconnected\tAlpha",
        "beta\tconnected\tBeta",
    ]
    remote.control("PATCH", f"/sevdesk/{TOKEN}", {"revoked": True})
    sync(remote, alpha, debitor=XYZ)
    assert run("spaces", "list").splitlines()[0] == "alpha\tpaused: token_invalid\tAlpha"


def test_an_invoice_is_shown_with_its_history_and_tried_again(
    remote: Remote, alpha: Space, run: Run
) -> None:
    made = sync(remote, alpha, number="R-1", debitor=XYZ, items=[line(code="Meeting")])
    shown = run("invoice", "show", "alpha", "R-1").splitlines()
    assert shown[0] == "R-1\tfailed\taccount_missing\t261.80 EUR\treceipt -"
    assert [entry.split("\t")[2] for entry in shown[1:]] == [
        "announced",
        "fetched",
        "planned",
        "told",
    ]
    assert "code" in shown[3]
    assert "Meeting" in shown[3]
    account = {"number": "4401", "name": "Meeting", "rules": {"1": [19]}}
    remote.control("POST", f"/sevdesk/{TOKEN}/accounts", account)
    announced = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(announced))
    assert run("invoice", "retry", "alpha", "R-1") == "R-1\tdue now\n"
    assert run("sync", "run", "alpha") == "alpha\tnext: nothing is due\n"
    assert row_of(made).state == row_of(announced).state == State.SYNCED
    assert run("invoice", "retry", "alpha", "R-1") == "R-1\tnothing to retry: synced\n"
    assert "actor" not in run("invoice", "show", "alpha", "R-1")
    assert "support:cli\tretry\tdone" in run("invoice", "show", "alpha", "R-1")


def test_what_is_not_there_is_said(remote: Remote, alpha: Space, run: Run) -> None:
    assert "There is no space gamma" in run("sync", "run", "gamma", code=1)
    assert "alpha has no invoice R-9 here." in run("invoice", "show", "alpha", "R-9", code=1)
    assert "alpha has no invoice R-9 here." in run("invoice", "retry", "alpha", "R-9", code=1)
