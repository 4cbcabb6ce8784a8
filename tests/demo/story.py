"""The story of the demo: what happens in a space on its first days with the portal.

Each event is planted on Cobot's or sevdesk's side, as a person there would; the rest is the
product's doing. `faults` at the end are judged by the remote sides' own state alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

from tests.browserless import Browserless, LogRow
from tests.calendar_day import today
from tests.demo.table import Outcome, milliseconds
from tests.receipts import differences, pdf_sha256, receipts_of
from tests.stack import Json, Stack, StackFailed, one

DUE_AFTER_DAYS = 30
HELP_PAGE_NUMBER, HELP_PAGE_DATE = "2531-Ljnk-278", date(2025, 2, 28)
NEW_CODE = "Telefonkabine"
RETRY_SECONDS = 60
BOOKED = {"tags": frozenset({"Import"}), "status": "100"}


class Story:
    """Told in one space, which is connected when it begins."""

    def __init__(
        self, stack: Stack, person: Browserless, cast: Cast, tell: Callable[[Outcome], None]
    ) -> None:
        self._stack = stack
        self._person = person
        self._cast = cast
        self._tell = tell
        self._wanted: dict[str, dict[str, object]] = {}
        self._new_member: Json = {}

    def run(self) -> list[str]:
        """Tell it, and return in words what did not end as it should."""
        known, other = self._cast.known_members[:2]
        self._new_member = self._confirm_a_member()
        now = today()
        self._book(
            HELP_PAGE_NUMBER, known, [self._line(0, "220.00")], "the help page's invoice",
            day=HELP_PAGE_DATE, gross=Decimal("261.80"),
        )  # fmt: skip
        self._book(
            "2026-0001", self._new_member, [self._line(0, "189.00"), self._line(-1, "2.50", "3.0")],
            "two lines, two tax rates, for the new member", day=now,
        )  # fmt: skip
        team = self._cast.team
        self._book(
            "2026-0002", team, [self._line(1, "25.00", "4.0")], "a team pays for a room", day=now
        )
        self._mismatch("2026-0003", self._cast.unknown_member, now)
        self._block("2026-0004", other, self._cast.code_without_account, now)
        self._block_and_repair("2026-0005", known, now)
        return self.faults()

    def faults(self) -> list[str]:
        """Return what differs between the remote sides' state and what the story should leave."""
        cast, client = self._cast, self._stack.sevdesk(self._cast.token)
        space = self._stack.space(cast.subdomain)
        found = self._faults_of_the_member(space, client)
        booked = receipts_of(client)
        for number, wanted in self._wanted.items():
            if len(booked.get(number, [])) != 1:
                found.append(f"{number}: {len(booked.get(number, []))} receipts, not 1")
            else:
                found += differences(booked[number][0], **wanted)
        if "2026-0004" in booked:
            found.append("2026-0004: a receipt exists although nothing may be booked")
        for number, count in {"2026-0003": 0, "2026-0004": 1, "2026-0005": 2}.items():
            told = [row for row in space["activities"] if number in str(row)]
            if len(told) != count:
                found.append(f"{number}: {len(told)} messages in Cobot, not {count}")
        return found

    # --- events --------------------------------------------------------------------------------

    def _confirm_a_member(self) -> Json:
        name = "Mia Neumann"
        after = self._stack.last_call()
        path = f"/cobot/spaces/{self._cast.subdomain}/memberships"
        address = {"name": name, "address": "Am Sandtor 3", "post_code": "20457"}
        body = {"name": name, "email": "mia@example.org", "address": {
            **address, "company": None, "city": "Hamburg", "country": "Germany"}}  # fmt: skip
        member: Json = self._stack.control("POST", path, body)
        member_id = member["id"]

        def number() -> str | None:
            contacts = self._stack.sevdesk(self._cast.token)["contacts"]
            written = self._member(member_id)["customer_number"]
            return next((written for row in contacts if row["customerNumber"] == written), None)

        self._stack.wait_until(number, "the new member to have a contact and its number")
        took = milliseconds(self._stack, after, "sevdesk", "POST", "/Contact")
        remark = f"{name} is a contact now, its number stands in Cobot"
        self._tell(Outcome("new member", "contact", number() or "", took, remark))
        return self._member(member_id)

    def _book(
        self, number: str, debtor: Json, items: list[Json], remark: str, *,
        day: date, gross: Decimal | None = None,
    ) -> None:  # fmt: skip
        shown = self._issue(number, debtor, items, day, remark, expect="synced")
        self._wanted[number] = {
            **BOOKED,
            **self._figures(shown, items, day),
            "contact": self._contact_id(shown),
        }
        if gross is not None:
            self._wanted[number]["gross"] = gross

    def _mismatch(self, number: str, debtor: Json, day: date) -> None:
        items = [self._line(0, "110.00")]
        remark = "nobody in sevdesk has the customer number"
        shown = self._issue(number, debtor, items, day, remark, expect="mismatched")
        self._wanted[number] = {
            **BOOKED,
            **self._figures(shown, items, day),
            "contact": None,
            "tags": frozenset({"Import", "mismatch"}),
            "supplier": debtor["name"],
        }

    def _block(self, number: str, debtor: Json, code: str, day: date) -> Json:
        items = [self._line_with(code, "35.00")]
        remark = f"sevdesk has no booking account “{code}”: a message on the invoice in Cobot"
        return self._issue(number, debtor, items, day, remark, expect="failed")

    def _block_and_repair(self, number: str, debtor: Json, day: date) -> None:
        shown = self._block(number, debtor, NEW_CODE, day)
        account = {"id": "3699", "number": "4499", "name": NEW_CODE, "types": ["REVENUE"],
                   "rules": {"1": [0, 7, 19]}}  # fmt: skip
        self._stack.control("POST", f"/sevdesk/{self._cast.token}/accounts", account)
        after = self._stack.last_call()
        self._try_again_until_synced(number, shown["data"]["id"])
        self._finish(number, after, "account added in sevdesk, tried again", expect="synced")
        items = [self._line_with(NEW_CODE, "35.00")]
        self._wanted[number] = {
            **BOOKED,
            **self._figures(shown, items, day),
            "accounts": ("4499",),
            "contact": self._contact_id(shown),
        }

    # --- how -----------------------------------------------------------------------------------

    def _issue(
        self, number: str, debtor: Json, items: list[Json], day: date, remark: str, *, expect: str
    ) -> Json:
        """Let Cobot issue an invoice and wait until the portal has dealt with it."""
        after = self._stack.last_call()
        kind = "teams" if debtor is self._cast.team else "memberships"
        invoice = {
            "number": number,
            "invoiceDate": day.isoformat(),
            "debitor": {"type": kind, "id": debtor["id"]},
            "items": items,
        }
        shown = self._stack.create_invoice(self._cast.subdomain, invoice)
        self._finish(number, after, remark, expect=expect)
        return shown

    def _finish(self, number: str, after: int, remark: str, *, expect: str) -> None:
        row: LogRow | None = None

        def is_done() -> bool:
            nonlocal row
            row = self._person.log_row(self._cast.subdomain, number)
            return row is not None and row.state == expect

        self._stack.wait_until(is_done, f"{number} to be {expect}", seconds=90, every=0.1)
        booked = receipts_of(self._stack.sevdesk(self._cast.token)).get(number, [])
        took = milliseconds(self._stack, after, "sevdesk", "POST", "/saveVoucher")
        receipt = self._receipt_id(number) if booked else ""
        self._tell(Outcome(number, row.state if row else "?", receipt, took, remark))

    def _try_again_until_synced(self, number: str, cobot_invoice_id: str) -> None:
        """Press "try again" as a person would: once more when it did not help for a while.

        The portal reads sevdesk's accounts at most every 30 s for invoices that are blocked.
        """

        def is_synced() -> bool:
            row = self._person.log_row(self._cast.subdomain, number)
            return row is not None and row.state == "synced"

        until = time.monotonic() + RETRY_SECONDS
        while time.monotonic() < until:
            self._person.retry(self._cast.subdomain, cobot_invoice_id)
            with suppress(StackFailed):
                self._stack.wait_until(is_synced, "the repaired invoice", seconds=5)
                return

    def _receipt_id(self, number: str) -> str:
        vouchers = self._stack.sevdesk(self._cast.token)["vouchers"]
        return str(one(vouchers, description=number)["id"])

    def _line(self, code: int, net: str, quantity: str = "1.0") -> Json:
        return self._line_with(self._cast.codes[code], net, quantity)

    def _line_with(self, code: str, net: str, quantity: str = "1.0") -> Json:
        rate = self._cast.rates.get(code, "19.0")
        taxes = [{"name": "USt", "rate": rate}]
        return {
            "description": code,
            "accountingCode": code,
            "quantity": quantity,
            "amount": {"net": net, "currency": "EUR", "taxes": taxes},
        }

    def _figures(self, shown: Json, items: list[Json], day: date) -> dict[str, object]:
        accounts = self._cast.accounts
        return {
            "date": day.isoformat(),
            "delivered": day.isoformat(),
            "due": (day + timedelta(days=DUE_AFTER_DAYS)).isoformat(),
            "gross": Decimal(shown["data"]["attributes"]["totalAmount"]["gross"]),
            "cost_centre": self._cast.cost_centre,
            "accounts": tuple(accounts.get(item["accountingCode"], "") for item in items),
            "pdf_sha256": pdf_sha256(shown),
        }

    def _contact_id(self, shown: Json) -> str:
        number = shown["data"]["attributes"]["customerNumber"]
        contacts = self._stack.sevdesk(self._cast.token)["contacts"]
        return str(one(contacts, customerNumber=number)["id"])

    def _member(self, member_id: str) -> Json:
        return one(self._stack.space(self._cast.subdomain)["memberships"], id=member_id)

    def _faults_of_the_member(self, space: Json, client: Json) -> list[str]:
        member = one(space["memberships"], id=self._new_member["id"])
        number = member["customer_number"]
        contacts = [row for row in client["contacts"] if row["customerNumber"] == number]
        names = [(row["surename"], row["familyname"]) for row in contacts]
        if names != [tuple(member["name"].split())]:
            return [f"{member['name']}: contacts with number {number} are {names}"]
        return []


class Cast:
    """Who and what the story needs, found in a space of the world by what it is."""

    def __init__(self, world: Mapping[str, list[Json]]) -> None:
        space, client = world["spaces"][0], world["sevdesk"][0]
        self.subdomain: str = space["subdomain"]
        self.token: str = client["token"]
        self.admin = next(user for user in world["users"] if space["id"] in user["admin_of"])
        self.cost_centre: str = client["cost_centres"][0]["number"]
        self.accounts = {
            row["name"]: row["number"] for row in client["accounts"] if "REVENUE" in row["types"]
        }
        codes = space["accounting_codes"]
        self.rates: dict[str, str] = {row["name"]: row["tax_rate"] for row in codes}
        self.codes = [row["name"] for row in codes if row["name"] in self.accounts]
        self.code_without_account = next(
            row["name"] for row in codes if row["name"] not in self.accounts
        )
        numbers = {row["customerNumber"] for row in client["contacts"]}
        members = space["memberships"]
        self.known_members = [row for row in members if row["customer_number"] in numbers]
        self.unknown_member = next(row for row in members if row["customer_number"] not in numbers)
        self.team = next(row for row in space["teams"] if row["customerNumber"] in numbers)
