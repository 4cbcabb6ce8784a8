"""Contacts with their addresses, e-mails and telephones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk import countries
from tests.simulator.sevdesk.fields import (
    fields_of,
    flag_in,
    id_in,
    moment,
    moment_in,
    now,
    number_id,
    reference,
    text_in,
)
from tests.simulator.sevdesk.ids import NewId

CATEGORIES = {"2": "Lieferant", "3": "Kunde", "4": "Partner", "28": "Interessent"}
ADDRESS_CATEGORIES = {
    "43": "Arbeit",
    "44": "Privat",
    "47": "Rechnungsadresse",
    "48": "Lieferadresse",
}
COMMUNICATION_TYPES = ("EMAIL", "PHONE", "WEB", "MOBILE")
COMMUNICATION_KEYS = tuple(map(str, range(1, 9)))

# What is kept and shown as it was given; sevdesk leaves out nothing else of a contact.
PLAIN_KEYS = (
    "description",
    "vatNumber",
    "defaultTimeToPay",
    "buyerReference",
    "titel",
    "name2",
    "taxNumber",
)
NAME_KEYS = ("name", "surename", "familyname")
_CONTACT_KEYS = (
    "id",
    "customerNumber",
    *NAME_KEYS,
    "email",
    "category",
    "status",
    "parent",
    *PLAIN_KEYS,
    "create",
    "update",
)


@dataclass
class Contact:
    """A contact: an organisation when it has a name, else a person (surename is the first name,
    sic)."""

    id: str
    customer_number: str | None = None
    name: str | None = None
    surename: str | None = None
    familyname: str | None = None
    category: str = "3"
    status: str = "100"
    parent: str | None = None
    plain_fields: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)

    @property
    def is_person(self) -> bool:
        return not self.name

    @property
    def shown_name(self) -> str:
        return self.name or " ".join(filter(None, (self.surename, self.familyname)))

    @classmethod
    def from_world(cls, value: object, where: str, new_id: NewId, made: datetime) -> Contact:
        fields = fields_of(value, where, _CONTACT_KEYS)
        category = id_in(fields, "category", where) or "3"
        if category not in CATEGORIES:
            raise WorldError(f"{where}.category: no contact category {category}")
        created = moment_in(fields, "create", where) or made
        return cls(
            id=id_in(fields, "id", where) or new_id(),
            customer_number=text_in(fields, "customerNumber", where) or None,
            name=text_in(fields, "name", where) or None,
            surename=text_in(fields, "surename", where) or None,
            familyname=text_in(fields, "familyname", where) or None,
            category=category,
            status=text_in(fields, "status", where) or "1000",
            parent=id_in(fields, "parent", where),
            plain_fields=plain_fields_of(fields, where),
            created=created,
            updated=moment_in(fields, "update", where) or created,
        )

    def to_world(self, email: str | None) -> dict[str, Any]:
        return {
            "id": self.id,
            "customerNumber": self.customer_number,
            "name": self.name,
            "surename": self.surename,
            "familyname": self.familyname,
            "email": email,
            "category": reference(self.category, "Category"),
            "status": self.status,
            "parent": None if self.parent is None else reference(self.parent, "Contact"),
            **self.plain_fields,
            "create": self.created.isoformat(),
            "update": self.updated.isoformat(),
        }

    def to_json(self, sev_client: str) -> dict[str, Any]:
        """Return the contact as read; what is not filled is left out, the description allows no
        null."""
        shown: dict[str, Any] = {
            "id": self.id,
            "objectName": "Contact",
            "create": moment(self.created),
            "update": moment(self.updated),
            "status": self.status,
            "category": reference(self.category, "Category"),
            # The description wants an integer here, and only here and in an address.
            "sevClient": {"id": number_id(sev_client), "objectName": "SevClient"},
            **self.plain_fields,
        }
        filled = {
            "customerNumber": self.customer_number,
            "name": self.name,
            "surename": self.surename,
            "familyname": self.familyname,
            "parent": None if self.parent is None else reference(self.parent, "Contact"),
        }
        return shown | {key: value for key, value in filled.items() if value is not None}


@dataclass
class Address:
    """A postal address of a contact."""

    id: str
    contact: str
    street: str | None
    zip: str | None
    city: str | None
    country: str
    category: str
    name: str | None
    created: datetime = field(default_factory=now)

    @classmethod
    def from_world(cls, value: object, where: str, new_id: NewId, made: datetime) -> Address:
        keys = ("id", "contact", "street", "zip", "city", "country", "category", "name", "create")
        fields = fields_of(value, where, keys)
        contact = id_in(fields, "contact", where)
        if contact is None:
            raise WorldError(f"{where}.contact: an address belongs to a contact")
        country = id_in(fields, "country", where) or "1"
        if country not in countries.KNOWN_IDS:
            raise WorldError(f"{where}.country: no country {country}")
        return cls(
            id=id_in(fields, "id", where) or new_id(),
            contact=contact,
            street=text_in(fields, "street", where),
            zip=text_in(fields, "zip", where),
            city=text_in(fields, "city", where),
            country=country,
            category=id_in(fields, "category", where) or "47",
            name=text_in(fields, "name", where),
            created=moment_in(fields, "create", where) or made,
        )

    def to_world(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "contact": reference(self.contact, "Contact"),
            "street": self.street,
            "zip": self.zip,
            "city": self.city,
            "country": reference(self.country, "StaticCountry"),
            "category": reference(self.category, "Category"),
            "name": self.name,
            "create": self.created.isoformat(),
        }

    def to_json(self, sev_client: str) -> dict[str, Any]:
        """Return the address as read: the description declares the ids of addresses as integers."""
        return {
            "id": number_id(self.id),
            "objectName": "ContactAddress",
            "create": moment(self.created),
            "update": moment(self.created),
            "contact": {"id": number_id(self.contact), "objectName": "Contact"},
            "street": self.street,
            "zip": self.zip,
            "city": self.city,
            "country": {"id": number_id(self.country), "objectName": "StaticCountry"},
            "category": {"id": number_id(self.category), "objectName": "Category"},
            "name": self.name,
            "sevClient": {"id": number_id(sev_client), "objectName": "SevClient"},
        }


@dataclass
class CommunicationWay:
    """An e-mail address, a telephone number or a web site of a contact."""

    id: str
    contact: str
    type: str
    value: str
    key: str = "2"
    main: bool = False
    created: datetime = field(default_factory=now)

    @classmethod
    def from_world(
        cls, value: object, where: str, new_id: NewId, made: datetime
    ) -> CommunicationWay:
        fields = fields_of(
            value, where, ("id", "contact", "type", "value", "key", "main", "create")
        )
        contact, text = id_in(fields, "contact", where), text_in(fields, "value", where)
        kind = text_in(fields, "type", where) or "EMAIL"
        if contact is None or not text or kind not in COMMUNICATION_TYPES:
            raise WorldError(f"{where}: contact, a known type and value are expected")
        return cls(
            id=id_in(fields, "id", where) or new_id(),
            contact=contact,
            type=kind,
            value=text,
            key=id_in(fields, "key", where) or "2",
            main=flag_in(fields, "main", where, False),
            created=moment_in(fields, "create", where) or made,
        )

    def to_world(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "contact": reference(self.contact, "Contact"),
            "type": self.type,
            "value": self.value,
            "key": reference(self.key, "CommunicationWayKey"),
            "main": self.main,
            "create": self.created.isoformat(),
        }

    def to_json(self, sev_client: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "objectName": "CommunicationWay",
            "create": moment(self.created),
            "update": moment(self.created),
            "contact": reference(self.contact, "Contact"),
            "type": self.type,
            "value": self.value,
            "key": reference(self.key, "CommunicationWayKey"),
            "main": "1" if self.main else "0",
            "sevClient": reference(sev_client, "SevClient"),
        }


def plain_fields_of(fields: Mapping[str, Any], where: str) -> dict[str, str]:
    """Return the texts of a contact that sevdesk keeps and never looks at."""
    texts = {key: text_in(fields, key, where) for key in PLAIN_KEYS}
    return {key: text for key, text in texts.items() if text is not None}
