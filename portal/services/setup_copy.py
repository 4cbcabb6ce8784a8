"""Taking the set-up of one space over to another, checked against the other's sevdesk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from portal.core import core
from portal.database import db, insert_or_update, utcnow
from portal.models import AccountMapping, Chart, Space
from portal.services import charts, clients, record, retry
from portal.services.tokens import SettingsRefused, find_cost_centre
from portal.sync.accounts import AccountIndex, fold_name
from portal.sync.causes import Cause

PATIENCE_SECONDS = 5
FIELDS = (
    "due_after_days",
    "cost_centre_number",
    "zero_tax_rule",
    "corrections",
    "cent_difference",
    "voucher_status",
    "auto_retry",
)


@dataclass(frozen=True)
class Difference:
    """One setting or mapping row that is not the same in both spaces.

    `field` is one of FIELDS or "mapping" (then `code` is the accounting code). `refused`: why the
    target's sevdesk does not take it; then it is left as it is.
    """

    field: str
    source: str | None
    target: str | None
    code: str | None = None
    account_id: int | None = None
    refused: Cause | None = None


@dataclass(frozen=True)
class Preview:
    """What copying would change. `shares_sevdesk`: both spaces book into one sevdesk client, so
    contacts are shared on purpose and a cost centre of its own is advised for each."""

    differences: tuple[Difference, ...]
    shares_sevdesk: bool

    @property
    def to_change(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.refused is None)


def preview(source: Space, target: Space) -> Preview:
    """Return what copying would change. Both must be the caller's to see.

    Raises RemoteError where the target's sevdesk cannot be asked.
    """
    sevdesk = clients.sevdesk_of(target, patience_seconds=PATIENCE_SECONDS)
    remotes = clients.Remotes(cobot=clients.cobot_of(target), sevdesk=sevdesk)
    db.session.commit()
    index = charts.index_of(target, remotes, younger_than=timedelta(seconds=30))
    found = []
    for field in FIELDS:
        ours, theirs = getattr(source, field), getattr(target, field)
        if ours == theirs:
            continue
        refused = None
        if field == "cost_centre_number" and ours:
            try:
                find_cost_centre(sevdesk, ours)
            except SettingsRefused as err:
                refused = Cause(err.code, err.params)
        found.append(Difference(field, _text(ours), _text(theirs), refused=refused))
    found += _mapping_differences(source, target, index)
    shares = source.sevdesk_client is not None and source.sevdesk_client == target.sevdesk_client
    return Preview(tuple(found), shares)


def copy(source: Space, target: Space, *, actor: str) -> Preview:
    """Take over what the target's sevdesk takes; return what was found and done. Commits, wakes.

    Raises RemoteError where the target's sevdesk cannot be asked.
    """
    found = preview(source, target)
    changes = {
        one.field: getattr(source, one.field) for one in found.to_change if one.field != "mapping"
    }
    centre_id = None
    if changes.get("cost_centre_number"):
        sevdesk = clients.sevdesk_of(target, patience_seconds=PATIENCE_SECONDS)
        db.session.commit()
        centre_id = find_cost_centre(sevdesk, changes["cost_centre_number"])
    for one in found.to_change:
        if one.field == "mapping":
            _save_row(target, one)
    for field, value in changes.items():
        setattr(target, field, value)
    if "cost_centre_number" in changes:
        target.cost_centre_id = centre_id
    record.note(
        target.id,
        "setup_copied",
        "done",
        actor=actor,
        source=source.id,
        fields=sorted(changes),
        mappings=sum(one.field == "mapping" for one in found.to_change),
        refused=len(found.differences) - len(found.to_change),
    )
    retry.retry_causes(target, _answered(target), actor=actor)
    db.session.commit()
    charts.forget(target)
    core().queue.wake(target.id)
    return found


def _answered(target: Space) -> list[str]:
    causes = ["account_missing", "account_ambiguous", "cost_centre_missing"]
    if target.zero_tax_rule is not None:
        causes.append("tax_rule_needed")
    if target.corrections != "ask":
        causes.append("correction_choice_needed")
    if target.cent_difference:
        causes.append("totals_differ")
    return causes


def _mapping_differences(source: Space, target: Space, index: AccountIndex) -> list[Difference]:
    """Compare the rows; accounts are found again in the target by id, else by number."""
    names = _account_names(source)
    by_id = {account.id: account for account in index.accounts}
    theirs = {fold_name(row.code): row for row in _rows(target)}
    found = []
    for row in _rows(source):
        number, name = names.get(row.account_id, ("", ""))
        same = by_id.get(row.account_id)
        if same is None or (number and same.number != number):
            hits = [account for account in index.accounts if number and account.number == number]
            same = hits[0] if len(hits) == 1 else None
        standing = theirs.get(fold_name(row.code))
        if standing is not None and same is not None and standing.account_id == same.id:
            continue
        there = by_id.get(standing.account_id) if standing else None
        found.append(
            Difference(
                "mapping",
                f"{number} {name}".strip() or str(row.account_id),
                f"{there.number} {there.name}".strip() if there else None,
                code=row.code,
                account_id=same.id if same else None,
                refused=None if same else Cause("account_missing", {"code": number or row.code}),
            )
        )
    return found


def _account_names(space: Space) -> dict[int, tuple[str, str]]:
    chart = db.session.get(Chart, space.id)
    accounts = chart.accounts if chart else []
    return {account["id"]: (account["number"], account["name"]) for account in accounts}


def _rows(space: Space) -> list[AccountMapping]:
    query = select(AccountMapping).where(AccountMapping.space_id == space.id)
    return list(db.session.scalars(query.order_by(AccountMapping.code)))


def _save_row(target: Space, one: Difference) -> None:
    for row in _rows(target):
        if fold_name(row.code) == fold_name(one.code or "") and row.code != one.code:
            db.session.delete(row)
    db.session.execute(
        insert_or_update(
            AccountMapping,
            {
                "space_id": target.id,
                "code": one.code,
                "account_id": one.account_id,
                "created_at": utcnow(),
            },
            unique=("space_id", "code"),
            change={"account_id": one.account_id},
        )
    )


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
