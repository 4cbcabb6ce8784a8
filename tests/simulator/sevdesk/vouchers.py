"""Vouchers, the receipts of sevdesk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk import sums
from tests.simulator.sevdesk.fields import (
    date_in,
    decimal_in,
    fields_of,
    id_in,
    list_in,
    midnight,
    moment,
    moment_in,
    now,
    optional_midnight,
    optional_reference,
    plain,
    reference,
    text_in,
)
from tests.simulator.sevdesk.files import StoredFile
from tests.simulator.sevdesk.ids import NewId
from tests.simulator.sevdesk.positions import Position, given_sums, shown_sums

STATUSES = ("50", "100", "150", "750", "1000")
DRAFT = "50"

_KEYS = (
    "id",
    "description",
    "voucherType",
    "creditDebit",
    "status",
    "voucherDate",
    "deliveryDate",
    "deliveryDateUntil",
    "paymentDeadline",
    "payDate",
    "currency",
    "propertyForeignCurrencyDeadline",
    "propertyExchangeRate",
    "taxRule",
    "supplier",
    "supplierName",
    "costCentre",
    "enshrined",
    "paidAmount",
    "sumNet",
    "sumTax",
    "sumGross",
    "create",
    "update",
    "positions",
    "tags",
    "file",
)


@dataclass
class Voucher:
    """A receipt: creditDebit D is revenue, C is expense."""

    id: str
    description: str | None
    credit_debit: str
    status: str
    voucher_date: date
    delivery_date: date
    tax_rule: str
    currency: str = "EUR"
    voucher_type: str = "VOU"
    delivery_date_until: date | None = None
    payment_deadline: date | None = None
    pay_date: date | None = None
    foreign_currency_deadline: date | None = None
    exchange_rate: Decimal | None = None
    supplier: str | None = None
    supplier_name: str | None = None
    cost_centre: str | None = None
    enshrined: datetime | None = None
    paid_amount: Decimal = Decimal(0)
    positions: list[Position] = field(default_factory=list)
    file: StoredFile | None = None
    sums: sums.Sums = field(default_factory=lambda: sums.total([]))
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)

    @property
    def is_draft(self) -> bool:
        return self.status == DRAFT and self.enshrined is None

    def add_up(self) -> None:
        """Set the sums from the positions."""
        self.sums = sums.total(position.sums for position in self.positions)

    @classmethod
    def from_world(
        cls,
        value: object,
        where: str,
        new_id: NewId,
        *,
        made: datetime,
        today: date,
        accounts: Mapping[str, str],
        new_position_id: NewId,
    ) -> Voucher:
        """Read a voucher; what is left out is a finished, unpaid revenue voucher of today.

        Its tags are the client's, which reads them itself.
        """
        fields = fields_of(value, where, _KEYS)
        status, credit_debit = (
            text_in(fields, "status", where) or "100",
            fields.get("creditDebit") or "D",
        )
        if status not in STATUSES or credit_debit not in ("C", "D"):
            raise WorldError(
                f"{where}: status is one of {', '.join(STATUSES)} and creditDebit C or D"
            )
        positions = [
            Position.from_world(each, f"{where}.positions[{index}]", new_position_id, accounts)
            for index, each in enumerate(list_in(fields, "positions", where))
        ]
        voucher_date = date_in(fields, "voucherDate", where) or today
        created = moment_in(fields, "create", where) or made
        return cls(
            id=id_in(fields, "id", where) or new_id(),
            description=text_in(fields, "description", where),
            voucher_type=text_in(fields, "voucherType", where) or "VOU",
            credit_debit=str(credit_debit),
            status=status,
            voucher_date=voucher_date,
            delivery_date=date_in(fields, "deliveryDate", where) or voucher_date,
            delivery_date_until=date_in(fields, "deliveryDateUntil", where),
            payment_deadline=date_in(fields, "paymentDeadline", where),
            pay_date=date_in(fields, "payDate", where),
            currency=text_in(fields, "currency", where) or "EUR",
            foreign_currency_deadline=date_in(fields, "propertyForeignCurrencyDeadline", where),
            exchange_rate=decimal_in(fields, "propertyExchangeRate", where),
            tax_rule=id_in(fields, "taxRule", where) or "1",
            supplier=id_in(fields, "supplier", where),
            supplier_name=text_in(fields, "supplierName", where),
            cost_centre=id_in(fields, "costCentre", where),
            enshrined=moment_in(fields, "enshrined", where),
            paid_amount=decimal_in(fields, "paidAmount", where) or Decimal(0),
            positions=positions,
            file=None
            if fields.get("file") is None
            else StoredFile.from_world(fields["file"], f"{where}.file"),
            sums=given_sums(fields, where, sums.total(position.sums for position in positions)),
            created=created,
            updated=moment_in(fields, "update", where) or created,
        )

    def to_world(self, account_numbers: Mapping[str, str], tags: list[str]) -> dict[str, Any]:
        """Return the voucher with sevdesk's names; `account_numbers` gives the number of each
        account id."""
        return {
            "id": self.id,
            **self._shown(),
            "enshrined": None if self.enshrined is None else self.enshrined.isoformat(),
            "costCentre": optional_reference(self.cost_centre, "CostCentre"),
            "paidAmount": plain(self.paid_amount),
            "create": self.created.isoformat(),
            "update": self.updated.isoformat(),
            "positions": [
                each.to_world(account_numbers.get(each.account)) for each in self.positions
            ],
            "tags": tags,
            "file": None if self.file is None else self.file.to_world(),
        }

    def to_json(self, sev_client: str) -> dict[str, Any]:
        """Return the voucher as read; cost centre and enshrined are left out when empty, the
        description allows no null."""
        shown = {
            "id": self.id,
            "objectName": "Voucher",
            "create": moment(self.created),
            "update": moment(self.updated),
            "sevClient": reference(sev_client, "SevClient"),
            "createUser": reference(sev_client, "SevUser"),
            **self._shown(),
            "document": None if self.file is None else reference(self.id, "Document"),
            **{f"{key}Accounting": value for key, value in shown_sums(self.sums).items()},
            "sumDiscounts": "0",
            "sumDiscountsForeignCurrency": "0",
            "paidAmount": float(self.paid_amount),
            "taxType": None,
            "taxSet": None,
        }
        if self.cost_centre is not None:
            shown["costCentre"] = reference(self.cost_centre, "CostCentre")
        if self.enshrined is not None:
            shown["enshrined"] = moment(self.enshrined)
        return shown

    def _shown(self) -> dict[str, Any]:
        rate = self.exchange_rate
        return {
            "description": self.description,
            "voucherType": self.voucher_type,
            "creditDebit": self.credit_debit,
            "status": self.status,
            "voucherDate": midnight(self.voucher_date),
            "deliveryDate": midnight(self.delivery_date),
            "deliveryDateUntil": optional_midnight(self.delivery_date_until),
            "paymentDeadline": optional_midnight(self.payment_deadline),
            "payDate": optional_midnight(self.pay_date),
            "currency": self.currency,
            "propertyForeignCurrencyDeadline": optional_midnight(self.foreign_currency_deadline),
            "propertyExchangeRate": None if rate is None else plain(rate),
            "taxRule": reference(self.tax_rule, "TaxRule"),
            "supplier": optional_reference(self.supplier, "Contact"),
            "supplierName": self.supplier_name,
            **shown_sums(self.sums),
        }
