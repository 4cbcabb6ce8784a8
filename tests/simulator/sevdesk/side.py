"""All sevdesk clients of a world and the tokens that open them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk.client import VERSIONS, SevdeskClient
from tests.simulator.sevdesk.fields import decimal_in, fields_of, flag_in, id_in, text_in

LISTS = ("accounts", "cost_centres", "contacts", "vouchers", "addresses", "emails", "tags")
_KEYS = ("token", "client_id", "revoked", "version", "next_customer_number", *LISTS)


@dataclass
class Access:
    """One token: it opens its client until it is revoked."""

    token: str
    client: SevdeskClient
    is_revoked: bool = False


class SevdeskSide:
    """Every token and every client.

    Entries of a world with the same `client_id` are tokens of one client. The first one carries the
    client's
    data; a later one needs only its token. What a later one repeats must say the same, what it adds
    is added.
    """

    def __init__(self, today: Callable[[], date]) -> None:
        self._today = today
        self._accesses: dict[str, Access] = {}

    @classmethod
    def from_world(cls, entries: object, today: Callable[[], date]) -> SevdeskSide:
        """Build the side from the world's list under "sevdesk"; WorldError says what is wrong
        with it."""
        if not isinstance(entries, list):
            raise WorldError("sevdesk: a list is expected")
        side = cls(today)
        told: dict[str, dict[str, Any]] = {}
        for index, value in enumerate(entries):
            where = f"sevdesk[{index}]"
            fields = fields_of(value, where, _KEYS)
            client_id = id_in(fields, "client_id", where) or str(100001 + index)
            token = (
                text_in(fields, "token", where)
                or sha256(f"{client_id}-{index}".encode()).hexdigest()[:32]
            )
            if token in side._accesses:
                raise WorldError(f"{where}.token: this token is there twice")
            access = Access(
                token, SevdeskClient(client_id, today), flag_in(fields, "revoked", where, False)
            )
            side._accesses[token] = access
            told[client_id] = _merged(told.get(client_id, {}), fields, where)
        clients = {access.client.id: access.client for access in side._accesses.values()}
        for access in side._accesses.values():
            access.client = clients[access.client.id]
        for client_id, entry in told.items():
            where = f"sevdesk client {client_id}"
            set_version(clients[client_id], entry, where)
            clients[client_id].fill(entry, where)
        return side

    def to_world(self) -> list[dict[str, Any]]:
        """Return the list from which from_world makes this side again; a client's data stands at
        its first token."""
        entries, shown = [], set()
        for access in self._accesses.values():
            entry = {
                "token": access.token,
                "client_id": access.client.id,
                "revoked": access.is_revoked,
            }
            if access.client.id not in shown:
                entry |= access.client.to_world()
            shown.add(access.client.id)
            entries.append(entry)
        return entries

    def by_token(self, token: str) -> SevdeskClient | None:
        """Return the client that the token opens; None for an unknown or revoked one."""
        access = self.access(token)
        return None if access is None or access.is_revoked else access.client

    def access(self, token: str) -> Access | None:
        """Return what is known of the token, revoked or not."""
        return self._accesses.get(token)

    def renew_token(self, access: Access, new_token: str) -> None:
        """Let the new token open what the old one opened; the old one is unknown from now on."""
        if new_token in self._accesses:
            raise WorldError("new_token: this token is there already")
        renewed = {access.token: new_token}
        self._accesses = {renewed.get(token, token): each for token, each in self._accesses.items()}
        access.token = new_token


def set_version(client: SevdeskClient, fields: Mapping[str, Any], where: str) -> None:
    """Take over version and next customer number, where given."""
    version = text_in(fields, "version", where) or client.version
    if version not in VERSIONS:
        raise WorldError(f"{where}.version: 1.0 or 2.0 is expected")
    client.version = version
    number = decimal_in(fields, "next_customer_number", where)
    if number is not None:
        client.next_customer_number = int(number)


def _merged(told: dict[str, Any], fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    merged = dict(told)
    for key in ("version", "next_customer_number"):
        if key in fields and merged.setdefault(key, fields[key]) != fields[key]:
            raise WorldError(f"{where}.{key}: another entry of this client says {merged[key]}")
    for key in LISTS:
        if fields.get(key) is None:
            continue
        if not isinstance(fields[key], list):
            raise WorldError(f"{where}.{key}: a list is expected")
        before = merged.get(key, [])
        merged[key] = [*before, *(value for value in fields[key] if value not in before)]
    return merged
