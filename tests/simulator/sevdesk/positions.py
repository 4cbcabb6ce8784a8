"""The lines of a voucher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk import sums
from tests.simulator.sevdesk.fields import (
    decimal_in,
    fields_of,
    flag_in,
    id_in,
    moment,
    number_id,
    plain,
    reference,
    text_in,
)
from tests.simulator.sevdesk.ids import NewId

_POSITION_KEYS = (
    "id",
    "accountDatev",
    "accountNumber",
    "taxRate",
    "net",
    "sumNet",
    "sumTax",
    "sumGross",
    "comment",
)


@dataclass
class Position:
    """One line of a voucher, booked on one account at one rate."""

    id: str
    account: str
    rate: Decimal
    is_net: bool
    sums: sums.Sums
    comment: str | None = None

    @classmethod
    def from_world(
        cls, value: object, where: str, new_id: NewId, accounts: Mapping[str, str]
    ) -> Position:
        """Read a position; `accounts` gives the id of each account number."""
        fields = fields_of(value, where, _POSITION_KEYS)
        account = id_in(fields, "accountDatev", where)
        if account is None:
            number = text_in(fields, "accountNumber", where) or next(iter(accounts), "")
            if number not in accounts:
                raise WorldError(f"{where}.accountNumber: no account {number}")
            account = accounts[number]
        is_net = flag_in(fields, "net", where, True)
        rate = decimal_in(fields, "taxRate", where)
        rate = Decimal(19) if rate is None else rate
        amount = decimal_in(fields, "sumNet" if is_net else "sumGross", where) or Decimal(0)
        return cls(
            id=id_in(fields, "id", where) or new_id(),
            account=account,
            rate=rate,
            is_net=is_net,
            sums=given_sums(fields, where, sums.position_sums(amount, rate, is_net=is_net)),
            comment=text_in(fields, "comment", where),
        )

    def to_world(self, account_number: str | None) -> dict[str, Any]:
        shown = {
            "id": self.id,
            "accountDatev": reference(self.account, "AccountDatev"),
            "accountNumber": account_number,
            "taxRate": plain(self.rate),
            "net": self.is_net,
            **shown_sums(self.sums),
            "comment": self.comment,
        }
        return {key: value for key, value in shown.items() if value is not None}

    def to_json(self, voucher_id: str, sev_client: str, made: datetime) -> dict[str, Any]:
        return {
            "id": self.id,
            "objectName": "VoucherPos",
            "create": moment(made),
            "update": moment(made),
            "sevClient": reference(sev_client, "SevClient"),
            "voucher": reference(voucher_id, "Voucher"),
            "accountDatev": {"id": number_id(self.account), "objectName": "AccountDatev"},
            # The description demands both systems at once; the older one is shown for the
            # account's id.
            "accountingType": reference(self.account, "AccountingType"),
            "taxRate": plain(self.rate),
            "net": "1" if self.is_net else "0",
            "isAsset": "0",
            **shown_sums(self.sums),
            **{f"{key}Accounting": value for key, value in shown_sums(self.sums).items()},
            "comment": self.comment,
        }


def shown_sums(amounts: sums.Sums) -> dict[str, str]:
    return {
        "sumNet": plain(amounts.net),
        "sumTax": plain(amounts.tax),
        "sumGross": plain(amounts.gross),
    }


def given_sums(fields: Mapping[str, Any], where: str, reckoned: sums.Sums) -> sums.Sums:
    """Return the sums with what a world gives instead of what was reckoned: wrong sums can be
    planted."""
    net, tax, gross = (decimal_in(fields, key, where) for key in ("sumNet", "sumTax", "sumGross"))
    return sums.Sums(
        reckoned.net if net is None else net,
        reckoned.tax if tax is None else tax,
        reckoned.gross if gross is None else gross,
    )
