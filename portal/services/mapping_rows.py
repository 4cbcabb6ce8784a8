"""Explicit rows accounting code -> booking account: saved by a person, checked against sevdesk."""

from __future__ import annotations

from sqlalchemy import delete, select

from portal.cobot.records import Line
from portal.core import core
from portal.database import db, insert_or_update, utcnow
from portal.models import AccountMapping, Space, State
from portal.money import ZERO
from portal.services import charts, clients, heal, patience, tasks
from portal.services import record as history
from portal.services.heal import CauseGroup
from portal.services.tokens import SettingsRefused
from portal.sevdesk.records import BookingAccount
from portal.sync.accounts import AccountIndex, AccountMatch, fold_name
from portal.sync.taxes import SMALL_BUSINESS, TAXABLE, ZERO_RATE_RULES

KIND = "mapping"
PATIENCE_SECONDS = 5
OF_ACCOUNTS = ("account_missing", "account_ambiguous", "rule_not_allowed")
"""Causes that an explicit row, or a repair of the chart, lifts."""


def save_mapping(space: Space, code: str, wanted: int | str, *, actor: str) -> int:
    """Assign a code to a booking account for good; return how many invoices are tried again.

    `wanted` is an accountDatevId, or number, name or both as a person wrote them. Where the space
    does not let invoices be tried again by themselves, they are left to a person's press.
    Commits and wakes. Raises SettingsRefused where sevdesk does not offer the account for revenue
    ("account_missing"), several are so called ("account_ambiguous"), or not with the rates this
    code is used with ("rule_not_allowed"); RemoteError where sevdesk is away.
    """
    written = code.strip()
    if not fold_name(written):
        raise SettingsRefused("account", "code_empty")
    remotes = _patient(space)
    index = charts.index_of(space, remotes, younger_than=charts.READ_ANEW_AFTER)
    account = _wanted(index, wanted)
    refused = refused_rate(space, index, account, rates_of(space, written))
    if refused is not None:
        params = {"number": account.number, "name": account.name, "rate": refused}
        raise SettingsRefused("account", "rule_not_allowed", params)
    _drop_rows(space, written)
    db.session.execute(
        insert_or_update(
            AccountMapping,
            {
                "space_id": space.id,
                "code": written,
                "account_id": account.id,
                "created_at": utcnow(),
            },
            unique=("space_id", "code"),
            change={"account_id": account.id},
        )
    )
    history.note(
        space.id,
        "mapping_saved",
        "done",
        actor=actor,
        code=written,
        account=account.id,
        number=account.number,
    )
    count = heal.retry_code(space, written, actor=actor) if space.auto_retry else 0
    db.session.commit()
    core().queue.wake(space.id)
    return count


def remove_mapping(space: Space, code: str, *, actor: str) -> bool:
    """Let a code find its account by number or name again. Commits."""
    removed = _drop_rows(space, code.strip())
    if removed:
        history.note(space.id, "mapping_removed", "done", actor=actor, code=code.strip())
    db.session.commit()
    return bool(removed)


def mappings(space: Space) -> dict[str, int]:
    """Return the explicit rows of a space: accounting code -> accountDatevId."""
    rows = db.session.scalars(
        select(AccountMapping)
        .where(AccountMapping.space_id == space.id)
        .order_by(AccountMapping.code)
    ).all()
    return {row.code: row.account_id for row in rows}


def refused_rate(
    space: Space, index: AccountIndex, account: BookingAccount, rates: tuple[str, ...]
) -> str | None:
    """Return the first rate that the account does not take under the rule it would be booked
    with; None when all fit. Rates that sevdesk never books are another matter."""
    for rate in rates:
        if rate not in ("0", "7", "19"):
            continue
        if index.is_small_business:
            rules: tuple[str, ...] = (SMALL_BUSINESS,)
        elif rate != "0":
            rules = (TAXABLE,)
        else:
            # Beside taxed lines a 0 % line is booked under rule 1, alone as the space chose.
            rules = (TAXABLE, space.zero_tax_rule) if space.zero_tax_rule else ZERO_RATE_RULES
        if not any(int(rate) in account.rules.get(rule, frozenset()) for rule in rules):
            return rate
    return None


def freed(space: Space) -> list[CauseGroup]:
    """Return what waits for booking accounts that are there by now; no call."""
    return [
        group
        for group in heal.groups(space)
        if group.state == State.FAILED and group.cause in OF_ACCOUNTS and group.is_gone
    ]


def retry_freed(space: Space, *, actor: str) -> int:
    """Try all of that again with one press; return how many invoices. Commits and wakes."""
    return sum(heal.retry_group(space, group.key, actor=actor) for group in freed(space))


def _wanted(index: AccountIndex, wanted: int | str) -> BookingAccount:
    if isinstance(wanted, int):
        found = next((one for one in index.accounts if one.id == wanted), None)
        if found is None:
            raise SettingsRefused("account", "account_missing", {"code": str(wanted)})
        return found
    line = Line("", ZERO, ZERO, "EUR", accounting_code=wanted)
    # Only what sevdesk calls the account counts here, not what other codes were assigned to.
    match = index.with_mappings({}).match(line)
    if not isinstance(match, AccountMatch):
        raise SettingsRefused("account", match.code, dict(match.params))
    return match.account


def rates_of(space: Space, code: str) -> tuple[str, ...]:
    """Return the rates a code was used with, by the last check; none are known before one."""
    last = tasks.latest(space, KIND, state="done")
    for facts in last.result["codes"] if last else ():
        if fold_name(facts["code"]) == fold_name(code):
            return tuple(facts["rates"])
    return ()


def _drop_rows(space: Space, code: str) -> int:
    """Delete the rows that mean this code, however they spell it. No commit."""
    same = [row for row in mappings(space) if fold_name(row) == fold_name(code)]
    db.session.execute(
        delete(AccountMapping).where(
            AccountMapping.space_id == space.id, AccountMapping.code.in_(same)
        )
    )
    return len(same)


def _patient(space: Space) -> clients.Remotes:
    sevdesk = clients.sevdesk_of(space, patience.of_a_person(PATIENCE_SECONDS))
    remotes = clients.Remotes(cobot=clients.cobot_of(space), sevdesk=sevdesk)
    db.session.commit()
    return remotes
