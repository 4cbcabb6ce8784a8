"""The parts of Cobot's answers that we use. Money is Decimal, made from the strings Cobot sends.

`from_json` is the one place that knows Cobot's keys; it raises WrongShape with the name of a field
that is needed and missing. API 2: https://dev.cobot.me; API 1 (members, activities, webhooks,
tokens): https://dev.cobot.me/api-docs. Addresses and invoices have files of their own; all are
named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from portal.answers import WrongShape, decimal, mapping, rows, text, text_or_none
from portal.cobot.addresses import Address
from portal.cobot.invoices import Debtor, Invoice, InvoicePage, Line, Tax
from portal.outbound import SUBDOMAIN

__all__ = [
    "AccountingCode",
    "Activity",
    "Address",
    "CobotSpace",
    "CobotUser",
    "Debtor",
    "Invoice",
    "InvoicePage",
    "Line",
    "Membership",
    "Plan",
    "SpaceToken",
    "Subscription",
    "Tax",
    "memberships_from_json",
]


@dataclass(frozen=True)
class Plan:
    """What a member pays for; its invoices' lines carry its accounting code."""

    name: str
    accounting_code: str | None = None

    @classmethod
    def from_v1_json(cls, row: Any) -> Plan | None:
        """Read a membership's plan; None for none, and for one without a name: it only explains."""
        row = row if isinstance(row, Mapping) else {}
        name, written = row.get("name"), row.get("accounting_code")
        if not isinstance(name, str) or not name.strip():
            return None
        return cls(name.strip(), written.strip() if isinstance(written, str) else None)


@dataclass(frozen=True)
class Membership:
    id: str
    name: str | None
    email: str | None = None
    customer_number: str | None = None
    address: Address = field(default_factory=Address)
    confirmed_at: datetime | None = None
    plan: Plan | None = None

    @classmethod
    def from_json(cls, reply: Any) -> Membership:
        """Read API 1's membership. Its customer number comes as a string or a number."""
        reply = mapping(reply, "answer")
        address = reply.get("address")
        own_name = text_or_none(reply.get("name"))
        return cls(
            id=text(reply.get("id"), "id"),
            name=own_name or Address.from_v1_json(address).name,
            email=text_or_none(reply.get("email")),
            customer_number=text_or_none(reply.get("customer_number")),
            address=Address.from_v1_json(address),
            confirmed_at=v1_time(reply.get("confirmed_at"), "confirmed_at"),
            plan=Plan.from_v1_json(reply.get("plan")),
        )


def memberships_from_json(reply: Any) -> tuple[tuple[Membership, ...], tuple[str, ...]]:
    """Read API 1's list of members: one that lacks a field must not hide all others."""
    found, unreadable = [], []
    for row in rows(reply, "answer"):
        try:
            found.append(Membership.from_json(row))
        except WrongShape:
            unreadable.append(text(mapping(row, "membership").get("id"), "id"))
    return tuple(found), tuple(unreadable)


@dataclass(frozen=True)
class AccountingCode:
    """A code of Cobot's list, with the tax rate in percent that Cobot proposes for it."""

    name: str
    tax_rate: Decimal | None = None

    @classmethod
    def from_json(cls, row: Any) -> AccountingCode:
        row = mapping(row, "accountingCode")
        rate = row.get("tax_rate")
        return cls(
            text(row.get("name"), "name"), None if rate is None else decimal(rate, "tax_rate")
        )


@dataclass(frozen=True)
class CobotSpace:
    id: str
    subdomain: str
    name: str
    locale: str | None = None
    country_code: str | None = None
    time_zone: str | None = None

    @classmethod
    def from_resource(cls, resource: Any) -> CobotSpace:
        resource = mapping(resource, "space")
        attributes = mapping(resource.get("attributes"), "space.attributes")
        subdomain = text(attributes.get("subdomain"), "space.subdomain")
        if not SUBDOMAIN.fullmatch(subdomain):  # it becomes a part of host names
            raise WrongShape("space.subdomain")
        return cls(
            id=text(resource.get("id"), "space.id"),
            subdomain=subdomain,
            name=text_or_none(attributes.get("name")) or subdomain,
            locale=text_or_none(attributes.get("locale")),
            country_code=text_or_none(attributes.get("countryCode")),
            time_zone=text_or_none(attributes.get("timeZone")),
        )


@dataclass(frozen=True)
class CobotUser:
    """A person who signed in, known by `id` (an e-mail address may change)."""

    id: str
    email: str
    spaces: tuple[CobotSpace, ...]
    """The spaces this person administers."""

    @classmethod
    def from_json(cls, reply: Any) -> CobotUser:
        """Read the answer to GET /user?include=adminOf."""
        reply = mapping(reply, "answer")
        user = mapping(reply.get("data"), "data")
        attributes = mapping(user.get("attributes"), "attributes")
        relationships = user.get("relationships")
        listed: Any = relationships.get("adminOf") if isinstance(relationships, Mapping) else None
        refs = rows(mapping(listed, "adminOf").get("data"), "adminOf.data") if listed else []
        admin_of = {text(mapping(ref, "adminOf").get("id"), "adminOf.id") for ref in refs}
        included = rows(reply.get("included", []), "included")
        spaces = (
            CobotSpace.from_resource(resource)
            for resource in included
            if mapping(resource, "included").get("type") == "spaces"
            and resource.get("id") in admin_of
        )
        return cls(
            id=text(user.get("id"), "id"),
            email=text_or_none(attributes.get("email")) or "",
            spaces=tuple(spaces),
        )


@dataclass(frozen=True)
class SpaceToken:
    token: str
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"SpaceToken(scopes={self.scopes!r})"

    @classmethod
    def from_json(cls, reply: Any) -> SpaceToken:
        reply = mapping(reply, "answer")
        scopes = reply.get("scope", [])
        if isinstance(scopes, str):
            scopes = scopes.split()
        return cls(
            text(reply.get("token"), "token"),
            tuple(text(scope, "scope") for scope in rows(scopes, "scope")),
        )


@dataclass(frozen=True)
class Subscription:
    id: str
    event: str
    callback_url: str
    active: bool

    def __repr__(self) -> str:
        # The callback address holds the space's hook secret.
        return f"Subscription(id={self.id!r}, event={self.event!r}, active={self.active})"

    @classmethod
    def from_json(cls, reply: Any) -> Subscription:
        reply = mapping(reply, "answer")
        return cls(
            id=text(reply.get("id"), "id"),
            event=text(reply.get("event"), "event"),
            callback_url=text(reply.get("callback_url"), "callback_url"),
            active=reply.get("active", True) is True,
        )


@dataclass(frozen=True)
class Activity:
    """A message in Cobot's feed, as read back."""

    text: str
    created_at: datetime | None

    @classmethod
    def from_json(cls, row: Any) -> Activity:
        row = mapping(row, "activity")
        attributes = row.get("attributes")
        said = attributes.get("text") if isinstance(attributes, Mapping) else None
        return cls(text_or_none(said) or "", v1_time(row.get("created_at"), "created_at"))


def v1_time(value: Any, field: str) -> datetime | None:
    """Return a time of API 1, written like 2026/02/01 12:00:00 +0000; None for nothing."""
    if value is None:
        return None
    written = text(value, field)
    try:
        if "/" in written:
            return datetime.strptime(written, "%Y/%m/%d %H:%M:%S %z").astimezone(UTC)
        found = datetime.fromisoformat(written)
    except ValueError:
        raise WrongShape(field) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
