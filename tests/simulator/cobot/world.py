"""Cobot's part of a world: read strictly, and written in the same shape again."""

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tests.simulator.checks import Fields, Json
from tests.simulator.cobot import invoices, people
from tests.simulator.cobot.activities import stored_activity
from tests.simulator.cobot.state import CobotSide, Delivery, OAuthClient, Space, Subscription, User
from tests.simulator.cobot.subscriptions import shown
from tests.simulator.errors import WorldError

SPACE_KEYS = (
    "id",
    "subdomain",
    "name",
    "locale",
    "countryCode",
    "timeZone",
    "suspended",
    "accounting_codes",
    "memberships",
    "teams",
    "contacts",
    "invoices",
)
STATE_KEYS = ("activities", "subscriptions", "deliveries")
SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
ID = re.compile(r"[A-Za-z0-9_-]+")


def cobot_from_world(world: Fields) -> CobotSide:
    """Return Cobot as the world describes it; raises WorldError."""
    side = CobotSide()
    _read_clients(side, world)
    for place, value in enumerate(world.many("spaces")):
        _read_space(side, value, f"spaces[{place}]")
    for place, value in enumerate(world.many("users")):
        _read_user(side, value, f"users[{place}]")
    return side


def cobot_to_world(side: CobotSide, space_url: Callable[[str], str]) -> Json:
    """Return Cobot's keys of the state; `space_url` gives the base URL of a subdomain."""
    return {
        "clients": [
            {
                "client_id": client.client_id,
                "client_secret": client.client_secret,
                "redirect_uris": ["loopback"] if client.any_loopback else client.redirect_uris,
            }
            for client in side.clients.values()
        ],
        "users": [
            {"id": u.id, "email": u.email, "name": u.name, "admin_of": list(u.admin_of)}
            for u in side.users.values()
        ],
        "spaces": [
            _space_to_world(space, space_url(space.subdomain)) for space in side.spaces.values()
        ],
    }


def set_space_field(space: Space, given: Fields) -> None:
    """Change those plain fields of a space that are given."""
    space.name = given.text("name", space.name)
    space.locale = given.text("locale", space.locale)
    space.country_code = given.text("countryCode", space.country_code)
    space.suspended = given.flag("suspended", default=space.suspended)
    zone = given.text("timeZone", space.time_zone)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise given.fail("timeZone", "a time zone") from None
    space.time_zone = zone
    if given.has("accounting_codes"):
        space.accounting_codes = [
            invoices.accounting_code(value, f"{given.where}.accounting_codes[{place}]")
            for place, value in enumerate(given.many("accounting_codes"))
        ]


def check_spaces_exist(side: CobotSide, space_ids: list[str], where: str) -> None:
    """Raise WorldError when one of the ids is no space."""
    unknown = [id_ for id_ in space_ids if id_ not in side.spaces]
    if unknown:
        raise WorldError(f"{where}: no space has the id {', '.join(unknown)}")


def claim_id(side: CobotSide, kind: str, id_: str, where: str) -> None:
    """Raise WorldError when the id does not fit or belongs to another object of this kind."""
    if not ID.fullmatch(id_):
        raise WorldError(f"{where}.id: letters, digits, - and _ are allowed")
    if side.is_taken(kind, id_):
        raise WorldError(f"{where}.id: {id_} is there already")


def _read_clients(side: CobotSide, world: Fields) -> None:
    for place, value in enumerate(world.many("clients")):
        given = Fields(value, f"clients[{place}]", ("client_id", "client_secret", "redirect_uris"))
        uris = given.texts("redirect_uris")
        client = OAuthClient(given.text("client_id"), given.text("client_secret"), uris)
        # The state names the default client's rule by this word, so that it survives a round trip.
        client.any_loopback = uris == ["loopback"]
        if not client.client_id or client.client_id in side.clients:
            raise given.fail("client_id", "an id of its own")
        side.clients[client.client_id] = client
    if not side.clients:
        side.clients["demo"] = OAuthClient("demo", "demo-secret", [], any_loopback=True)


def _read_user(side: CobotSide, value: object, where: str) -> None:
    given = Fields(value, where, ("id", "email", "name", "admin_of"))
    id_ = given.text("id") or side.new_id("users", "usr")
    claim_id(side, "users", id_, where)
    email = given.text("email") or f"{id_}@example.org"
    admin_of = given.texts("admin_of")
    check_spaces_exist(side, admin_of, f"{where}.admin_of")
    side.users[id_] = User(id_, email, given.text("name") or email, admin_of)


def _read_space(side: CobotSide, value: object, where: str) -> None:
    given = Fields(value, where, (*SPACE_KEYS, *STATE_KEYS))
    id_ = given.text("id") or side.new_id("spaces", "spc")
    claim_id(side, "spaces", id_, where)
    subdomain = given.text("subdomain") or id_.lower()
    if not SUBDOMAIN.fullmatch(subdomain) or side.space_by_subdomain(subdomain):
        raise given.fail("subdomain", "a subdomain of its own")
    space = Space(id_, subdomain, subdomain.title(), "de-DE", "DE", "Europe/Berlin")
    set_space_field(space, given)
    side.spaces[id_] = space
    makers: tuple[tuple[str, Callable[[Any, str], Json]], ...] = (
        ("memberships", lambda entry, at: people.membership(side, space, entry, at)),
        ("teams", lambda entry, at: people.team(side, entry, at)),
        ("contacts", lambda entry, at: people.contact(side, entry, at)),
        ("invoices", lambda entry, at: invoices.invoice(side, space, entry, at)),
    )
    for kind, make in makers:
        # What names its id and numbers comes first, so that those made here never meet them.
        entries = list(enumerate(given.many(kind)))
        made: dict[int, Json] = {}
        for place, entry in sorted(entries, key=lambda pair: _left_to_us(pair[1])):
            made[place] = make(entry, f"{where}.{kind}[{place}]")
            claim_id(side, kind, made[place]["id"], f"{where}.{kind}[{place}]")
            side.add(space, kind, made[place])
        ordered = {made[place]["id"]: made[place] for place, _ in entries}
        side.objects(space, kind).clear()
        side.objects(space, kind).update(ordered)
    _link_team_members(space)
    _read_state_keys(space, given)


def _left_to_us(entry: object) -> int:
    """Return how many of id and numbers the entry leaves to us."""
    return sum(
        not isinstance(entry, dict) or key not in entry
        for key in ("id", "number", "customer_number")
    )


def _link_team_members(space: Space) -> None:
    for team in space.teams.values():
        for member in team["members"]:
            if member["id"] in space.memberships:
                space.memberships[member["id"]]["team_id"] = team["id"]


def _read_state_keys(space: Space, given: Fields) -> None:
    for place, value in enumerate(given.many("activities")):
        space.activities.append(stored_activity(value, f"{given.where}.activities[{place}]"))
    for place, value in enumerate(given.many("subscriptions")):
        known = ("id", "event", "url", "active", "callback_url", "client_id")
        entry = Fields(value, f"{given.where}.subscriptions[{place}]", known)
        id_ = entry.text("id")
        space.subscriptions[id_] = Subscription(
            id=id_,
            event=entry.text("event"),
            callback_url=entry.text("callback_url"),
            client_id=entry.text("client_id", "demo"),
            active=entry.flag("active", default=True),
        )
    for place, value in enumerate(given.many("deliveries")):
        keys = ("event", "url", "callback_url", "attempts", "next_at")
        entry = Fields(value, f"{given.where}.deliveries[{place}]", keys)
        space.deliveries.append(
            Delivery(
                event=entry.text("event"),
                url=entry.text("url"),
                callback_url=entry.text("callback_url"),
                attempts=entry.many("attempts"),
                next_at=entry.raw("next_at"),
            )
        )


def _space_to_world(space: Space, space_url: str) -> Json:
    return {
        "id": space.id,
        "subdomain": space.subdomain,
        "name": space.name,
        "locale": space.locale,
        "countryCode": space.country_code,
        "timeZone": space.time_zone,
        "suspended": space.suspended,
        "accounting_codes": space.accounting_codes,
        "memberships": list(space.memberships.values()),
        "teams": list(space.teams.values()),
        "contacts": list(space.contacts.values()),
        "invoices": list(space.invoices.values()),
        "activities": space.activities,
        "subscriptions": [
            {**shown(s, space_url), "client_id": s.client_id} for s in space.subscriptions.values()
        ],
        "deliveries": [delivery.to_json() for delivery in space.deliveries],
    }
