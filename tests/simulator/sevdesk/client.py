"""One sevdesk client: everything its users share, whichever token they come with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk.accounts import Account, CostCentre, default_accounts
from tests.simulator.sevdesk.contacts import Address, CommunicationWay, Contact
from tests.simulator.sevdesk.fields import BERLIN, fields_of, list_in, text_in
from tests.simulator.sevdesk.files import StoredFile
from tests.simulator.sevdesk.ids import NewId
from tests.simulator.sevdesk.tags import Tag, TagRelation
from tests.simulator.sevdesk.vouchers import Voucher

Thing = TypeVar("Thing")

VERSIONS = ("1.0", "2.0")
DEFAULT_CURRENCY = "EUR"
# First ids, far apart so that a mixed-up id is seen at once.
_FIRST_IDS = {
    "accounts": 3000,
    "cost_centres": 9,
    "contacts": 501,
    "addresses": 5001,
    "emails": 6001,
    "vouchers": 7001,
    "positions": 90001,
    "tags": 11,
    "relations": 8001,
}


class SevdeskClient:
    """The books of one sevdesk client."""

    def __init__(self, client_id: str, today: Callable[[], date]) -> None:
        self.id = client_id
        self.today = today
        self.version = "2.0"
        self.next_customer_number = 1000
        self.since = datetime.combine(today() - timedelta(days=1), time(), BERLIN)
        self.accounts: dict[str, Account] = {}
        self.cost_centres: dict[str, CostCentre] = {}
        self.contacts: dict[str, Contact] = {}
        self.addresses: dict[str, Address] = {}
        self.communication_ways: dict[str, CommunicationWay] = {}
        self._emails: set[tuple[str, str]] = set()
        self.vouchers: dict[str, Voucher] = {}
        self.tags: dict[str, Tag] = {}
        self.relations: dict[tuple[str, str], TagRelation] = {}
        """By tag id and voucher id."""
        self.temp_files: dict[str, StoredFile] = {}
        """Uploads by the name given out; they are no part of the world and outlive the voucher
        that uses them."""
        self.new_id = {kind: NewId(first) for kind, first in _FIRST_IDS.items()}

    def fill(self, entry: Mapping[str, Any], where: str) -> None:
        """Take over the lists of a world's entry; without any accounts in it, a small default
        chart."""
        self._note_planted_ids(entry, where)
        accounts = entry.get("accounts")
        for index, value in enumerate(
            default_accounts() if accounts is None else list_in(entry, "accounts", where)
        ):
            self.put_account(value, f"{where}.accounts[{index}]")
        for index, value in enumerate(list_in(entry, "cost_centres", where)):
            self.put_cost_centre(value, f"{where}.cost_centres[{index}]")
        for index, value in enumerate(list_in(entry, "addresses", where)):
            address = Address.from_world(
                value, f"{where}.addresses[{index}]", self.new_id["addresses"], self.since
            )
            _put(self.addresses, address.id, address, where)
        for index, value in enumerate(list_in(entry, "emails", where)):
            place = f"{where}.emails[{index}]"
            way = CommunicationWay.from_world(value, place, self.new_id["emails"], self.since)
            self.put_communication_way(way, place)
        for index, value in enumerate(list_in(entry, "contacts", where)):
            self.put_contact(value, f"{where}.contacts[{index}]")
        for index, value in enumerate(list_in(entry, "tags", where)):
            fields = fields_of(value, f"{where}.tags[{index}]", ("id", "name"))
            name = text_in(fields, "name", where)
            if not name:
                raise WorldError(f"{where}.tags[{index}].name: a tag needs a name")
            self.tag_named(name, text_in(fields, "id", where))
        for index, value in enumerate(list_in(entry, "vouchers", where)):
            self.put_voucher(value, f"{where}.vouchers[{index}]")
        self._check_owners(where)

    def to_world(self) -> dict[str, Any]:
        """Return the client's part of a world's entry."""
        numbers = {account.id: account.number for account in self.accounts.values()}
        names = self.tag_names()
        ways = reversed(self.communication_ways.values())
        emails = {each.contact: each.value for each in ways if each.type == "EMAIL"}
        return {
            "version": self.version,
            "next_customer_number": self.next_customer_number,
            "accounts": [each.to_world() for each in self.accounts.values()],
            "cost_centres": [each.to_world() for each in self.cost_centres.values()],
            "contacts": [each.to_world(emails.get(each.id)) for each in self.contacts.values()],
            "vouchers": [
                each.to_world(numbers, names.get(each.id, [])) for each in self.vouchers.values()
            ],
            "addresses": [each.to_world() for each in self.addresses.values()],
            "emails": [each.to_world() for each in self.communication_ways.values()],
            "tags": [each.to_world() for each in self.tags.values()],
        }

    def put_account(self, value: object, where: str) -> Account:
        account = Account.from_world(value, where, self.new_id["accounts"])
        return _put(self.accounts, account.id, account, where)

    def put_cost_centre(self, value: object, where: str) -> CostCentre:
        centre = CostCentre.from_world(value, where, self.new_id["cost_centres"])
        return _put(self.cost_centres, centre.id, centre, where)

    def put_contact(self, value: object, where: str) -> Contact:
        """Add the contact, with a communication way for its e-mail unless it has that already."""
        contact = Contact.from_world(value, where, self.new_id["contacts"], self.since)
        email = text_in(value if isinstance(value, dict) else {}, "email", where)
        _put(self.contacts, contact.id, contact, where)
        if email and (contact.id, email) not in self._emails:
            way_id = self.new_id["emails"]()
            way = CommunicationWay(
                way_id, contact.id, "EMAIL", email, main=True, created=self.since
            )
            self.put_communication_way(way, where)
        return contact

    def put_communication_way(self, way: CommunicationWay, where: str) -> None:
        _put(self.communication_ways, way.id, way, where)
        if way.type == "EMAIL":
            self._emails.add((way.contact, way.value))

    def forget_communication_ways(self, contact_id: str, *, only_emails: bool = False) -> None:
        """Delete the contact's communication ways."""
        self.communication_ways = {
            key: each
            for key, each in self.communication_ways.items()
            if each.contact != contact_id or (only_emails and each.type != "EMAIL")
        }
        self._emails = {known for known in self._emails if known[0] != contact_id}

    def put_voucher(self, value: object, where: str) -> Voucher:
        voucher = Voucher.from_world(
            value,
            where,
            self.new_id["vouchers"],
            made=self.since,
            today=self.today(),
            accounts={account.number: account.id for account in self.accounts.values()},
            new_position_id=self.new_id["positions"],
        )
        if voucher.supplier is not None and voucher.supplier not in self.contacts:
            raise WorldError(f"{where}.supplier: no contact {voucher.supplier}")
        if voucher.cost_centre is not None and voucher.cost_centre not in self.cost_centres:
            raise WorldError(f"{where}.costCentre: no cost centre {voucher.cost_centre}")
        tag_names = list_in(value if isinstance(value, dict) else {}, "tags", where)
        _put(self.vouchers, voucher.id, voucher, where)
        for name in tag_names:
            self.tag_voucher(voucher.id, str(name))
        return voucher

    def remove_contact(self, contact_id: str) -> None:
        """Take the contact away with all that is its own; its vouchers keep its name."""
        contact = self.contacts.pop(contact_id)
        self.addresses = {
            key: each for key, each in self.addresses.items() if each.contact != contact_id
        }
        self.forget_communication_ways(contact_id)
        for voucher in self.vouchers.values():
            if voucher.supplier == contact_id:
                voucher.supplier, voucher.supplier_name = None, contact.shown_name

    def remove_cost_centre(self, centre_id: str) -> None:
        del self.cost_centres[centre_id]
        for voucher in self.vouchers.values():
            if voucher.cost_centre == centre_id:
                voucher.cost_centre = None

    def remove_voucher(self, voucher_id: str) -> None:
        del self.vouchers[voucher_id]
        self.relations = {
            key: each for key, each in self.relations.items() if each.voucher != voucher_id
        }

    def next_free_customer_number(self) -> str:
        """Return the highest customer number plus one.

        It is reckoned, not reserved: asking twice gives it twice.
        """
        taken = (each.customer_number or "" for each in self.contacts.values())
        numbers = [int(number) for number in taken if number.isascii() and number.isdigit()]
        return str(max([self.next_customer_number, *(number + 1 for number in numbers)]))

    def tag_named(self, name: str, tag_id: str | None = None) -> Tag:
        """Return the tag of that name, made when it is not there yet."""
        for tag in self.tags.values():
            if tag.name == name:
                return tag
        tag = Tag(tag_id or self.new_id["tags"](), name)
        return _put(self.tags, tag.id, tag, "tags")

    def tag_voucher(self, voucher_id: str, name: str) -> TagRelation:
        """Return the relation of that tag and voucher, both tag and relation made when they are
        not there yet."""
        tag = self.tag_named(name)
        key = (tag.id, voucher_id)
        if key not in self.relations:
            self.relations[key] = TagRelation(self.new_id["relations"](), tag.id, voucher_id)
        return self.relations[key]

    def remove_tag(self, tag_id: str) -> None:
        """Delete the tag, and with it every relation it has."""
        del self.tags[tag_id]
        self.relations = {key: each for key, each in self.relations.items() if each.tag != tag_id}

    def tag_names(self) -> dict[str, list[str]]:
        """Return the names of the tags of each voucher that has any."""
        names: dict[str, list[str]] = {}
        for relation in self.relations.values():
            names.setdefault(relation.voucher, []).append(self.tags[relation.tag].name)
        return names

    def _note_planted_ids(self, entry: Mapping[str, Any], where: str) -> None:
        planted = {
            kind: list_in(entry, kind, where)
            for kind in _FIRST_IDS
            if kind not in ("positions", "relations")
        }
        vouchers = [each for each in planted["vouchers"] if isinstance(each, dict)]
        planted["positions"] = [
            pos for each in vouchers for pos in list_in(each, "positions", where)
        ]
        for kind, values in planted.items():
            for value in values:
                if isinstance(value, dict) and value.get("id") is not None:
                    self.new_id[kind].note(str(value["id"]))

    def _check_owners(self, where: str) -> None:
        owners = {each.contact for each in self.addresses.values()}
        owners |= {each.contact for each in self.communication_ways.values()}
        for owner in owners - set(self.contacts):
            raise WorldError(f"{where}: an address or e-mail of contact {owner}, who is not there")


def _put(things: dict[str, Thing], key: str, thing: Thing, where: str) -> Thing:
    if key in things:
        raise WorldError(f"{where}: the id {key} is there twice")
    things[key] = thing
    return thing
