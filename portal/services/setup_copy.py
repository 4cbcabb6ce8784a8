"""Taking the set-up of one space over to another, checked against the other's sevdesk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import select

from portal.core import core
from portal.database import db, insert_or_update, utcnow
from portal.errors import PortalError
from portal.models import AccountMapping, Admin, Space
from portal.services import charts, clients, patience, record, retry
from portal.services.directory import all_spaces_of
from portal.services.mapping_rows import rates_of, refused_rate
from portal.services.tokens import SettingsRefused, find_cost_centre
from portal.sevdesk.client import SevdeskClient
from portal.sevdesk.records import BookingAccount
from portal.sync.accounts import AccountIndex, fold_name
from portal.sync.causes import Cause
from portal.tenancy import in_spaces

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
    target's sevdesk does not take it; then it is left as it is. `is_advised`: false where it fits
    and is better left all the same.
    """

    field: str
    source: str | None
    target: str | None
    code: str | None = None
    account_id: int | None = None
    refused: Cause | None = None
    is_advised: bool = True

    @property
    def key(self) -> str:
        """Name it, for the choice of a person."""
        return self.field if self.code is None else f"mapping:{self.code}"


class SetupChanged(PortalError):
    """What would be copied is not what the person saw and chose from; nothing was changed."""


@dataclass(frozen=True)
class Preview:
    """What copying would change. `shares_sevdesk`: both spaces book into one sevdesk client, so
    contacts are shared on purpose and a cost centre of its own is advised for each."""

    differences: tuple[Difference, ...]
    shares_sevdesk: bool

    @property
    def to_change(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.refused is None)

    @property
    def mark(self) -> str:
        """Return a mark of all that is shown: another preview has another one."""
        return sha256(repr(self.differences).encode()).hexdigest()[:24]


def sources_for(target: Space, admin: Admin) -> list[Space]:
    """Return the spaces whose set-up a person may take over: their own, connected ones."""
    return [one for one in all_spaces_of(admin) if one.id != target.id and one.is_connected]


def preview(source: Space, target: Space) -> Preview:
    """Return what copying would change. Both must be the caller's to see.

    Raises RemoteError where the target's sevdesk cannot be asked.
    """
    with in_spaces((source.id, target.id)):
        return _compared(source, target, _sevdesk_of(target))


def copy(
    source: Space,
    target: Space,
    *,
    actor: str,
    keys: Collection[str] | None = None,
    mark: str | None = None,
) -> Preview:
    """Take over what the target's sevdesk takes; return what was found and done. Commits, wakes.

    `keys` are the differences a person chose, None all; `mark` is that of the preview they saw.
    Raises SetupChanged when it would be another one now, RemoteError where the target's sevdesk
    cannot be asked.
    """
    sevdesk = _sevdesk_of(target)
    with in_spaces((source.id, target.id)):
        found = _compared(source, target, sevdesk)
    if mark is not None and mark != found.mark:
        raise SetupChanged(target.subdomain)
    chosen = [one for one in found.to_change if keys is None or one.key in keys]
    changes = {one.field: getattr(source, one.field) for one in chosen if one.field != "mapping"}
    centre_id = None
    if changes.get("cost_centre_number"):
        db.session.commit()
        centre_id = find_cost_centre(sevdesk, changes["cost_centre_number"])
    if not chosen:
        db.session.rollback()
        return replace(found, differences=())
    for one in chosen:
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
        mappings=sum(one.field == "mapping" for one in chosen),
        refused=len(found.differences) - len(found.to_change),
    )
    if target.auto_retry:
        retry.retry_causes(target, _answered(chosen), actor=actor)
    db.session.commit()
    charts.forget(target)
    core().queue.wake(target.id)
    return replace(found, differences=tuple(chosen))


def _sevdesk_of(target: Space) -> SevdeskClient:
    sevdesk = clients.sevdesk_of(target, patience.of_a_person(PATIENCE_SECONDS))
    db.session.commit()
    return sevdesk


def _compared(source: Space, target: Space, sevdesk: SevdeskClient) -> Preview:
    remotes = clients.Remotes(cobot=clients.cobot_of(target), sevdesk=sevdesk)
    db.session.commit()
    index = charts.index_of(target, remotes, younger_than=charts.READ_ANEW_AFTER)
    shares = source.sevdesk_client is not None and source.sevdesk_client == target.sevdesk_client
    found = []
    for field in FIELDS:
        ours, theirs = getattr(source, field), getattr(target, field)
        if ours == theirs:
            continue
        refused = _refused(field, ours, index, sevdesk)
        # Two spaces of one sevdesk client are told apart by their cost centres alone.
        is_advised = not (shares and field == "cost_centre_number")
        difference = Difference(field, _text(ours), _text(theirs), None, None, refused, is_advised)
        found.append(difference)
    found += _mapping_differences(source, target, index)
    return Preview(tuple(found), shares)


def _refused(
    field: str, value: object, index: AccountIndex, sevdesk: SevdeskClient
) -> Cause | None:
    """Return why the target's sevdesk does not take a setting; None when it does."""
    try:
        _check(field, value, index, sevdesk)
    except SettingsRefused as err:
        return Cause(err.code, err.params)
    return None


def _check(field: str, value: object, index: AccountIndex, sevdesk: SevdeskClient) -> None:
    if field == "cost_centre_number" and value:
        db.session.commit()
        find_cost_centre(sevdesk, str(value))
    if field == "zero_tax_rule" and value and not index.is_small_business:
        taken = (one.rules.get(str(value), frozenset()) for one in index.accounts)
        if not any(0 in rates for rates in taken):
            raise SettingsRefused(field, "tax_rule_not_offered")


ANSWERS = {
    "mapping": ("account_missing", "account_ambiguous", "rule_not_allowed"),
    "cost_centre_number": ("cost_centre_missing",),
    "zero_tax_rule": ("tax_rule_needed",),
    "corrections": ("correction_choice_needed",),
    "cent_difference": ("totals_differ",),
}
"""What waits for a setting to change; nothing else is tried again."""


def _answered(chosen: Sequence[Difference]) -> list[str]:
    fields = {one.field for one in chosen}
    return [cause for field, causes in ANSWERS.items() if field in fields for cause in causes]


def _mapping_differences(source: Space, target: Space, index: AccountIndex) -> list[Difference]:
    """Compare the rows; accounts are found again in the target by id, else by number."""
    rows = _rows(source)
    names = _account_names(source) if rows else {}
    by_id = {account.id: account for account in index.accounts}
    theirs = {fold_name(row.code): row for row in _rows(target)}
    found = []
    for row in rows:
        number, name = names.get(row.account_id, ("", ""))
        same = by_id.get(row.account_id)
        if same is None or (number and same.number != number):
            hits = [account for account in index.accounts if number and account.number == number]
            same = hits[0] if len(hits) == 1 else None
        standing = theirs.get(fold_name(row.code))
        if standing is not None and same is not None and standing.account_id == same.id:
            continue
        there = by_id.get(standing.account_id) if standing else None
        refused = None if same else Cause("account_missing", {"code": number or row.code})
        if same is not None:
            refused = _rate_refused(source, target, index, same, row.code)
        found.append(
            Difference(
                "mapping",
                f"{number} {name}".strip() or str(row.account_id),
                f"{there.number} {there.name}".strip() if there else None,
                code=row.code,
                account_id=same.id if same else None,
                refused=refused,
            )
        )
    return found


def _rate_refused(
    source: Space, target: Space, index: AccountIndex, account: BookingAccount, code: str
) -> Cause | None:
    """Check an account with the rates that either space uses its code with."""
    rates = (*rates_of(target, code), *rates_of(source, code))
    rate = refused_rate(target, index, account, rates)
    if rate is None:
        return None
    params = {"number": account.number, "name": account.name, "rate": rate}
    return Cause("rule_not_allowed", params)


def _account_names(source: Space) -> dict[int, tuple[str, str]]:
    """Return number and name of the source's accounts; they are read where none are kept."""
    index = charts.last_index(source)
    if index is None:
        remotes = clients.Remotes(clients.cobot_of(source), _sevdesk_of(source))
        db.session.commit()
        index = charts.index_of(source, remotes)
    return {account.id: (account.number, account.name) for account in index.accounts}


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
