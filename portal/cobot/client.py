"""Asks Cobot: one method per question the product has.

Invoices, spaces and users come from API 2 (https://dev.cobot.me); members' addresses,
activities, webhooks and space tokens exist only in API 1 (https://dev.cobot.me/api-docs).
Reads raise TemporaryError, UnusableAnswer or another PermanentError; writes besides OutcomeUnknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from portal.answers import each, mapping, rows, text, text_or_none
from portal.call_hooks import Hooks
from portal.cobot.records import (
    AccountingCode,
    Activity,
    CobotUser,
    Invoice,
    InvoicePage,
    Membership,
    SpaceToken,
    Subscription,
    memberships_from_json,
)
from portal.errors import NotFound, Rejected, TokenRefused
from portal.transport import Sessions, Transport, ignored, segment

PAGE_SIZE = 200
"""The most that Cobot gives per page of a list."""

_API_2 = "application/vnd.api+json"


@dataclass(frozen=True)
class CobotUrls:
    """Cobot's three base addresses; `space` holds {subdomain}."""

    www: str
    api: str
    space: str


class CobotClient:
    """Cobot as one token sees it: a person's at sign-in, a space's afterwards.

    `subdomain` is needed by what API 1 keeps per space: members, activities and subscriptions.
    """

    def __init__(
        self,
        urls: CobotUrls,
        token: str,
        subdomain: str | None = None,
        *,
        sessions: Sessions,
        hooks: Hooks | None = None,
    ) -> None:
        self._token = token
        bearer = f"Bearer {token}"
        v1 = {"Authorization": bearer, "Accept": "application/json"}
        v2 = {"Authorization": bearer, "Accept": _API_2}
        self._api = Transport(urls.api, "cobot", v2, sessions, hooks, token)
        self._www = Transport(urls.www, "cobot", v1, sessions, hooks, token)
        self._space_or_none = None
        if subdomain is not None:
            base = urls.space.format(subdomain=quote(subdomain, safe=""))
            self._space_or_none = Transport(base, "cobot", v1, sessions, hooks, token)

    def __repr__(self) -> str:
        return f"CobotClient({self._space_or_none or self._api})"

    @property
    def _space(self) -> Transport:
        if self._space_or_none is None:
            raise ValueError("this question needs a client made with a subdomain")
        return self._space_or_none

    # People, spaces and tokens

    def user(self) -> CobotUser:
        """Return who signed in and which spaces they administer. API 2: GET /user."""
        params = {"include": "adminOf"}
        return self._api.get(
            "/user", endpoint="GET /user", params=params, shape=CobotUser.from_json
        )

    def v1_space_id(self, subdomain: str) -> str:
        """Return the id that API 1 knows a space by; old spaces have another one in API 2.

        API 1: GET /api/spaces/{subdomain}, https://dev.cobot.me/api-docs/spaces
        """
        return self._www.get(
            f"/api/spaces/{segment(subdomain)}",
            endpoint="GET /api/spaces/{subdomain}",
            shape=lambda reply: text(mapping(reply, "answer").get("id"), "id"),
        )

    def space_token(self, space_id: str) -> SpaceToken:
        """Exchange our person's token for one that belongs to the space (id of API 1).

        It outlives the person's rights. Source: https://dev.cobot.me/api-docs/access-tokens
        """
        return self._www.post(
            f"/api/access_tokens/{segment(self._token)}/space",
            endpoint="POST /api/access_tokens/{token}/space",
            json={"space_id": space_id},
            shape=SpaceToken.from_json,
        )

    def revoke(self) -> None:
        """Revoke our own token; one that is already gone is fine.

        Source: https://dev.cobot.me/api-docs/access-tokens
        """
        try:
            self._www.delete(
                f"/api/access_tokens/{segment(self._token)}",
                endpoint="DELETE /api/access_tokens/{token}",
            )
        except (NotFound, TokenRefused):
            return

    def urls(self, space_id: str) -> Mapping[str, str]:
        """Return Cobot's own pages by identifier, such as admin:invoice.

        A value is an address or an RFC 6570 template. API 2: GET /spaces/{spaceId}/urls.
        """
        return self._api.get(
            f"/spaces/{segment(space_id)}/urls",
            endpoint="GET /spaces/{spaceId}/urls",
            shape=_urls,
        )

    # Members

    def membership(self, membership_id: str) -> Membership:
        """Return a member with address and customer number.

        API 1: GET /api/memberships/{id}, https://dev.cobot.me/api-docs/memberships
        """
        return self._space.get(
            f"/api/memberships/{segment(membership_id)}",
            endpoint="GET /api/memberships/{id}",
            shape=Membership.from_json,
        )

    def memberships(self) -> tuple[tuple[Membership, ...], tuple[str, ...]]:
        """Return all current members in one call, and the ids of those that cannot be read.

        Cobot allows six such calls a minute. API 1: GET /api/memberships,
        https://dev.cobot.me/api-docs/memberships
        """
        return self._space.get(
            "/api/memberships", endpoint="GET /api/memberships", shape=memberships_from_json
        )

    def accounting_codes(self) -> tuple[AccountingCode, ...]:
        """Return the accounting codes that the space has set up; they have no id and no number.

        API 1: GET /api/accounting_codes, https://dev.cobot.me/api-docs/accounting_codes
        """
        return self._space.get(
            "/api/accounting_codes",
            endpoint="GET /api/accounting_codes",
            shape=lambda reply: each(reply, "answer", AccountingCode.from_json),
        )

    def write_customer_number(self, membership_id: str, number: str) -> None:
        """Write the customer number of a member, and nothing else; read it back to be sure.

        API 1: PUT /api/memberships/{id}, https://dev.cobot.me/api-docs/memberships
        """
        self._space.put(
            f"/api/memberships/{segment(membership_id)}",
            endpoint="PUT /api/memberships/{id}",
            json={"customer_number": number},
            shape=ignored,
        )

    # Invoices

    def invoice(self, invoice_id: str) -> Invoice:
        """Return an invoice with its lines. API 2: GET /invoices/{id}."""
        return self._api.get(
            f"/invoices/{segment(invoice_id)}",
            endpoint="GET /invoices/{id}",
            shape=Invoice.from_json,
        )

    def invoice_pdf(self, invoice_id: str) -> bytes:
        """Return the invoice's PDF, unchanged. API 2: GET /invoices/{id}.pdf."""
        endpoint = "GET /invoices/{id}.pdf"
        pdf = self._api.get_bytes(f"/invoices/{segment(invoice_id)}.pdf", endpoint=endpoint)
        if not pdf.startswith(b"%PDF"):
            raise self._api.unusable(endpoint, "the answer is not a PDF")
        return pdf

    def invoices(self, space_id: str, from_date: date, to_date: date, page: int = 1) -> InvoicePage:
        """Return one page of the invoices dated within these days, both included; pages from 1.

        API 2: GET /spaces/{spaceId}/invoices.
        """
        params = {
            "filter[from]": from_date.isoformat(),
            "filter[to]": to_date.isoformat(),
            "page[size]": str(PAGE_SIZE),
            "page[number]": str(page),
        }
        return self._api.get(
            f"/spaces/{segment(space_id)}/invoices",
            endpoint="GET /spaces/{spaceId}/invoices",
            params=params,
            shape=InvoicePage.from_json,
        )

    # The feed

    def post_activity(self, message: str, level: str | None, source_ids: Sequence[str]) -> None:
        """Write into the feed that the space's admins see. Not repeatable: look first.

        `message` may hold <a>, so names in it are escaped by the caller. `level` is ERROR, WARN or
        None. `source_ids` are what the message is about; which kinds Cobot takes is not
        documented, it refuses others with Rejected or NotFound.
        API 1: POST /api/activities, https://dev.cobot.me/api-docs/activities
        """
        body: dict[str, Any] = {"text": message, "channels": ["admin"]}
        if level is not None:
            body["level"] = level
        if source_ids:
            body["source_ids"] = list(source_ids)
        self._space.post(
            "/api/activities", endpoint="POST /api/activities", json=body, shape=ignored
        )

    def activity_exists(
        self, text_contains: str, source_id: str | None = None, since: datetime | None = None
    ) -> bool:
        """Say whether a message with this text stands in the feed: the look after a lost answer.

        Looks at all messages about `source_id`, or at the newest hundred; older ones than `since`
        do not count. API 1: GET /api/activities, https://dev.cobot.me/api-docs/activities
        """
        params = {"source_ids": source_id} if source_id else {"last": "100"}
        found = self._space.get(
            "/api/activities",
            endpoint="GET /api/activities",
            params=params,
            shape=lambda reply: each(reply, "answer", Activity.from_json),
        )
        return any(
            text_contains in activity.text
            and (since is None or activity.created_at is None or activity.created_at >= since)
            for activity in found
        )

    # Webhooks

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Return the webhooks that this app has in this space.

        API 1: GET /api/subscriptions, https://dev.cobot.me/api-docs/webhooks-api
        """
        return self._space.get(
            "/api/subscriptions",
            endpoint="GET /api/subscriptions",
            shape=lambda reply: each(reply, "answer", Subscription.from_json),
        )

    def subscribe(self, event: str, callback_url: str) -> Subscription:
        """Have Cobot call this address on this event; one that stands already is returned.

        One that Cobot has switched off is made anew. Raises Rejected for an unknown event.
        API 1: POST /api/subscriptions, https://dev.cobot.me/api-docs/webhooks-api
        """
        try:
            return self._subscribe(event, callback_url)
        except Rejected as err:
            if err.status_code != 409:
                raise
            wanted = (event, callback_url)
            standing = [s for s in self.subscriptions() if (s.event, s.callback_url) == wanted]
            if not standing:
                raise
        if standing[0].active:
            return standing[0]
        self.unsubscribe(standing[0].id)
        return self._subscribe(event, callback_url)

    def _subscribe(self, event: str, callback_url: str) -> Subscription:
        return self._space.post(
            "/api/subscriptions",
            endpoint="POST /api/subscriptions",
            json={"event": event, "callback_url": callback_url},
            shape=Subscription.from_json,
            hide=(callback_url,),
        )

    def unsubscribe(self, subscription_id: str) -> None:
        """Stop a webhook; one that is already gone is fine.

        API 1: DELETE /api/subscriptions/{id}, https://dev.cobot.me/api-docs/webhooks-api
        """
        try:
            self._space.delete(
                f"/api/subscriptions/{segment(subscription_id)}",
                endpoint="DELETE /api/subscriptions/{id}",
            )
        except NotFound:
            return


def _urls(reply: Any) -> Mapping[str, str]:
    found = {}
    for row in rows(mapping(reply, "answer").get("data"), "data"):
        attributes = mapping(mapping(row, "url").get("attributes"), "attributes")
        address = text_or_none(attributes.get("url")) or text_or_none(attributes.get("urlTemplate"))
        if address is not None:
            found[text(attributes.get("identifier"), "identifier")] = address
    return found
