"""What the rules decide about one invoice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.sevdesk.records import VoucherDraft, VoucherPosition
from portal.sync.accounts import AccountMatch
from portal.sync.causes import Cause
from portal.sync.sums import CentAdjustment

REVENUE = "D"
EXPENSE = "C"


@dataclass(frozen=True)
class VoucherSettings:
    """What a space chose about its vouchers.

    `corrections`: "ask", "negative" (revenue receipt with negative sums), "expense" (expense
    receipt with positive sums) or "never". `zero_tax_rule`: None until chosen.
    `voucher_status`: 100 open, 50 draft.
    """

    due_after_days: int = 0
    cost_centre_id: str | None = None
    zero_tax_rule: str | None = None
    corrections: str = "ask"
    cent_difference: bool = False
    voucher_status: int = 100


@dataclass(frozen=True)
class NotBookable:
    """Nothing may be booked until a person acts. There is at least one cause; the first leads."""

    causes: tuple[Cause, ...]

    @property
    def cause(self) -> Cause:
        return self.causes[0]


@dataclass(frozen=True)
class Skip:
    """Nothing is booked, on purpose."""

    cause: Cause


@dataclass(frozen=True)
class VoucherPlan:
    """A voucher that can be made. Nothing has been sent.

    `gross` is the invoice's total with Cobot's own sign; `voucher_gross` is what sevdesk must
    show. `accounts` and `codes` have one entry for each position. `zero_rate_lines` and the
    positions of `cent_adjustments` are counted from 0.
    """

    number: str
    invoice_date: date
    due_date: date
    credit_debit: str
    tax_rule_id: str
    tax_reason: str
    positions: tuple[VoucherPosition, ...]
    accounts: tuple[AccountMatch, ...]
    is_net: bool
    gross: Decimal
    zero_rate_lines: tuple[int, ...] = ()
    cent_adjustments: tuple[CentAdjustment, ...] = ()
    cost_centre_id: str | None = None
    status: int = 100
    codes: tuple[str | None, ...] = ()

    @property
    def sides(self) -> tuple[str, ...]:
        """On which sides a receipt of this number may stand already, our own first.

        A correction may have been booked the other way, by another choice or by hand.
        """
        if self.gross >= 0:
            return (self.credit_debit,)
        return (self.credit_debit, REVENUE if self.credit_debit == EXPENSE else EXPENSE)

    @property
    def voucher_gross(self) -> Decimal:
        """The gross sum that the voucher must show in sevdesk: an expense turns the sign."""
        return -self.gross if self.credit_debit == EXPENSE else self.gross

    def draft(
        self, contact_id: str | None, supplier_name: str | None, filename: str | None
    ) -> VoucherDraft:
        """Return the voucher to be sent. With a contact the supplier's name is left out.

        Raises ValueError without both: sevdesk refuses such a voucher.
        """
        if not contact_id and not supplier_name:
            raise ValueError("a voucher needs a contact or a supplier name")
        return VoucherDraft(
            description=self.number,
            voucher_date=self.invoice_date,
            payment_deadline=self.due_date,
            credit_debit=self.credit_debit,
            tax_rule_id=self.tax_rule_id,
            positions=self.positions,
            is_net=self.is_net,
            status=self.status,
            contact_id=contact_id or None,
            supplier_name=None if contact_id else supplier_name,
            cost_centre_id=self.cost_centre_id,
            filename=filename,
        )

    def facts(self) -> dict[str, Any]:
        """Return what the history keeps of this decision: JSON, without names of people.

        Line texts are left out (Cobot's may name a member). Places are counted from 1.
        """
        codes = self.codes or (None,) * len(self.accounts)
        return {
            "tax_rule": self.tax_rule_id,
            "tax_reason": self.tax_reason,
            "zero_rate_lines": [place + 1 for place in self.zero_rate_lines],
            "accounts": [
                {
                    "code": code,
                    "id": match.account.id,
                    "number": match.account.number,
                    "name": match.account.name,
                    "how": match.how,
                }
                for code, match in zip(codes, self.accounts, strict=True)
            ],
            "mode": "net" if self.is_net else "gross",
            "cent_adjustments": [
                {"position": adjustment.position + 1, "amount": str(adjustment.amount)}
                for adjustment in self.cent_adjustments
            ],
            "credit_debit": self.credit_debit,
            "gross": str(self.gross),
            "due_date": self.due_date.isoformat(),
            "status": self.status,
        }

    def fingerprint(self) -> str:
        """Return a SHA-256 in hex over what would be booked.

        Over number, date, gross, positions with their mode, tax rule and creditDebit. Due date,
        contact and cost centre are not in it: they are settings, not the invoice.
        """
        booked = [
            self.number,
            self.invoice_date.isoformat(),
            str(self.gross),
            [[str(p.amount), p.tax_rate, p.account_id, p.comment] for p in self.positions],
            "net" if self.is_net else "gross",
            self.tax_rule_id,
            self.credit_debit,
        ]
        return hashlib.sha256(json.dumps(booked).encode()).hexdigest()
