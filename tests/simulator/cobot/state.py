"""What Cobot knows: apps, users, spaces and all that is in them. Plain records, no rules."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from tests.simulator.checks import Json
from tests.simulator.cobot.tokens import TokenStore

HEX_IDS = ("invoices", "memberships")
"""Kinds whose ids are 32 hex digits. Source: examples in https://dev.cobot.me/api-docs/invoices"""


@dataclass
class OAuthClient:
    """An app registered at Cobot; its redirect URIs are exact, the default app's any loopback."""

    client_id: str
    client_secret: str
    redirect_uris: list[str]
    any_loopback: bool = False


@dataclass
class User:
    """A person with a Cobot login."""

    id: str
    email: str
    name: str
    admin_of: list[str]


@dataclass
class Subscription:
    """A webhook that an app ordered for one event of one space."""

    id: str
    event: str
    callback_url: str
    client_id: str
    active: bool = True


@dataclass
class Delivery:
    """One webhook to one subscription, with every attempt so far; times in Unix seconds."""

    event: str
    url: str
    callback_url: str
    subscription_id: str | None = None
    extra: Json = field(default_factory=dict)
    attempts: list[Json] = field(default_factory=list)
    next_at: float | None = None

    def to_json(self) -> Json:
        """Return the delivery as the state shows it."""
        return {
            "event": self.event,
            "url": self.url,
            "callback_url": self.callback_url,
            "attempts": list(self.attempts),
            "next_at": self.next_at,
        }


@dataclass
class Space:
    """A coworking space. Its objects are kept as normalised JSON, by id, in order of making."""

    id: str
    subdomain: str
    name: str
    locale: str
    country_code: str
    time_zone: str
    suspended: bool = False
    accounting_codes: list[Json] = field(default_factory=list)
    memberships: dict[str, Json] = field(default_factory=dict)
    teams: dict[str, Json] = field(default_factory=dict)
    contacts: dict[str, Json] = field(default_factory=dict)
    invoices: dict[str, Json] = field(default_factory=dict)
    activities: list[Json] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    last_numbers: dict[str, int] = field(default_factory=dict)

    def today(self) -> date:
        """Return the day it is in the space."""
        return datetime.now(ZoneInfo(self.time_zone)).date()

    def tax_rate_of(self, accounting_code: str | None) -> str | None:
        """Return the rate that the space keeps with this accounting code, if any."""
        rates = (c["tax_rate"] for c in self.accounting_codes if c["name"] == accounting_code)
        return next(rates, None)


COLLECTIONS = ("memberships", "teams", "contacts", "invoices")


@dataclass
class CobotSide:
    """All of Cobot. Ids of one kind are unique over all spaces, as in the real API 2."""

    clients: dict[str, OAuthClient] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    tokens: TokenStore = field(default_factory=TokenStore)
    _last_ids: dict[str, int] = field(default_factory=dict)
    _owners: dict[tuple[str, str], Space] = field(default_factory=dict)

    def space_by_subdomain(self, subdomain: str) -> Space | None:
        """Return the space with this subdomain."""
        return next((s for s in self.spaces.values() if s.subdomain == subdomain), None)

    def space_of(self, kind: str, id_: str) -> Space | None:
        """Return the space that holds this object; `kind` is a name of COLLECTIONS."""
        return self._owners.get((kind, id_))

    def objects(self, space: Space, kind: str) -> dict[str, Json]:
        """Return the space's objects of a kind, by id."""
        found: dict[str, Json] = getattr(space, kind)
        return found

    def add(self, space: Space, kind: str, item: Json) -> None:
        """Put an object into its space."""
        self.objects(space, kind)[item["id"]] = item
        self._owners[(kind, item["id"])] = space

    def remove(self, space: Space, kind: str, id_: str) -> Json:
        """Take an object out of its space and return it."""
        del self._owners[(kind, id_)]
        return self.objects(space, kind).pop(id_)

    def remove_space(self, space: Space) -> None:
        """Delete a space with all that is in it, and everybody's rights and tokens for it."""
        for kind in COLLECTIONS:
            for id_ in list(self.objects(space, kind)):
                self.remove(space, kind, id_)
        del self.spaces[space.id]
        for user in self.users.values():
            user.admin_of = [id_ for id_ in user.admin_of if id_ != space.id]
        self.tokens.revoke_space(space.id)

    def admins(self, space: Space) -> Iterator[User]:
        """Yield the space's admins; the first one is its owner."""
        return (user for user in self.users.values() if space.id in user.admin_of)

    def new_id(self, kind: str, prefix: str) -> str:
        """Return an id that no object of this kind has."""
        while True:
            self._last_ids[kind] = self._last_ids.get(kind, 0) + 1
            id_ = f"{prefix}-{self._last_ids[kind]:06d}"
            if kind in HEX_IDS:
                id_ = hashlib.sha256(id_.encode()).hexdigest()[:32]
            if not self.is_taken(kind, id_):
                return id_

    def is_taken(self, kind: str, id_: str) -> bool:
        """Say whether an object of this kind has the id."""
        if kind == "users":
            return id_ in self.users
        if kind == "spaces":
            return id_ in self.spaces
        return (kind, id_) in self._owners
