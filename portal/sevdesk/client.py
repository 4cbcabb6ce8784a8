"""Asks sevdesk: one method per question the product has.

Every list is compared again here: sevdesk ignores filters it does not know, and its text filters
mean "contains". Reads raise TemporaryError, UnusableAnswer or another PermanentError; writes
besides OutcomeUnknown. Source: https://api.sevdesk.de, file https://api.sevdesk.de/openapi.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from portal.answers import each, mapping, text
from portal.call_hooks import Hooks
from portal.errors import NotFound, OutcomeUnknown, Rejected, TemporaryError
from portal.sevdesk import shapes
from portal.sevdesk.records import (
    AddressDraft,
    BookingAccount,
    Contact,
    ContactDraft,
    CostCentre,
    Voucher,
    VoucherDraft,
    client_of,
    objects,
    reference,
)
from portal.transport import Sessions, Transport, ignored, segment

T = TypeVar("T")

PAGE_SIZE = 1000
"""The most rows that sevdesk gives at once; more is refused with 400."""
MOST_PAGES = 100


class SevdeskClient:
    """sevdesk as one API token sees it: one sevdesk client, with the rights of one user."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        sessions: Sessions,
        hooks: Hooks | None = None,
        country_ids: dict[str, str | None] | None = None,
    ) -> None:
        """`country_ids` keeps what was learnt of countries, beyond the life of this client."""
        headers = {"Authorization": token, "Accept": "application/json"}
        self._transport = Transport(base_url, "sevdesk", headers, sessions, hooks, token)
        self._country_ids = {} if country_ids is None else country_ids

    def __repr__(self) -> str:
        return f"SevdeskClient({self._transport})"

    # The client itself

    def system_version(self) -> str:
        """Return "1.0" or "2.0"; also the cheapest test of a token.

        API: GET /Tools/bookkeepingSystemVersion
        """
        return self._get(
            "/Tools/bookkeepingSystemVersion",
            shape=lambda found: text(mapping(found, "objects").get("version"), "version"),
        )

    def client_id(self) -> str:
        """Return the id of the sevdesk client behind this token (`sevClient`).

        Read from whatever the client has at least one of. Raises UnusableAnswer where it has none.
        API: GET /CheckAccount, /CostCentre, /Contact
        """
        for path in ("/CheckAccount", "/CostCentre", "/Contact"):
            params = {"limit": "1"} | ({"depth": "1"} if path == "/Contact" else {})
            found = self._get(path, params, lambda some: each(some, "objects", client_of))
            if found:
                return found[0]
        raise self._transport.unusable("GET /CheckAccount", "no object names its sevClient")

    def revenue_accounts(self) -> tuple[BookingAccount, ...]:
        """Return the booking accounts for revenue with the tax rules they allow.

        API: GET /ReceiptGuidance/forRevenue
        """
        found = self._get(
            "/ReceiptGuidance/forRevenue",
            shape=lambda some: each(some, "objects", BookingAccount.from_json),
        )
        return tuple(account for account in found if account.is_revenue)

    def cost_centres(self) -> tuple[CostCentre, ...]:
        """Return all cost centres; compare their number on your side. API: GET /CostCentre"""
        return self._all("/CostCentre", {}, CostCentre.from_json)

    # Contacts

    def find_contacts(self, customer_number: str) -> tuple[Contact, ...]:
        """Return every contact with exactly this number (sevdesk may hold several).

        Without `depth` persons would be left out. API: GET /Contact
        """
        params = {"customerNumber": customer_number, "depth": "1"}
        found = self._all("/Contact", params, Contact.from_json)
        return tuple(c for c in found if c.customer_number == customer_number.strip())

    def contact(self, contact_id: str) -> Contact | None:
        """Return a contact; None where it is not there. API: GET /Contact/{contactId}"""
        return self._one(
            f"/Contact/{segment(contact_id)}", "/Contact/{contactId}", Contact.from_json
        )

    def emails_of(self, contact_id: str) -> tuple[str, ...]:
        """Return the e-mail addresses of a contact. API: GET /CommunicationWay"""
        params = {
            "contact[id]": contact_id,
            "contact[objectName]": "Contact",
            "type": "EMAIL",
        }
        found = self._all("/CommunicationWay", params, shapes.email)
        return tuple(address for owner, address in found if address and owner == contact_id)

    def find_contacts_by_email(self, email: str) -> tuple[Contact, ...]:
        """Return every contact with this e-mail address, upper and lower case being the same.

        API: GET /CommunicationWay, GET /Contact/{contactId}
        """
        contacts = (self.contact(owner) for owner in self.contact_ids_by_email(email))
        return tuple(contact for contact in contacts if contact is not None)

    def contact_ids_by_email(self, email: str) -> tuple[str, ...]:
        """Return the ids of the contacts with this e-mail address, upper or lower case.

        The filter `value` is not documented. API: GET /CommunicationWay
        """
        found = self._all("/CommunicationWay", {"type": "EMAIL", "value": email}, shapes.email)
        wanted = email.strip().casefold()
        owners = dict.fromkeys(owner for owner, address in found if address.casefold() == wanted)
        return tuple(owner for owner in owners if owner)

    def contacts_page(self, page: int) -> tuple[tuple[Contact, ...], bool]:
        """Return one page of all contacts, persons too, from 0, and whether it is the last.

        API: GET /Contact
        """
        return self._page("/Contact", {"depth": "1"}, Contact.from_json, page)

    def find_contacts_by_name(self, name: str) -> tuple[Contact, ...]:
        """Return the contacts whose name contains this text; the best 100 at the most.

        API: GET /Contact, filters name and depth
        """
        params = {"name": name, "depth": "1", "limit": "100"}
        return self._get("/Contact", params, lambda some: each(some, "objects", Contact.from_json))

    def emails_page(self, page: int) -> tuple[tuple[tuple[str, str], ...], bool]:
        """Return one page of contact id and e-mail address, from 0, and whether it is the last.

        API: GET /CommunicationWay
        """
        found, is_last = self._page("/CommunicationWay", {"type": "EMAIL"}, shapes.email, page)
        return tuple((owner, address) for owner, address in found if owner), is_last

    def post_codes_page(self, page: int) -> tuple[tuple[tuple[str, str], ...], bool]:
        """Return one page of contact id and post code, from 0, and whether it is the last.

        API: GET /ContactAddress
        """
        found, is_last = self._page("/ContactAddress", {}, shapes.post_code, page)
        return tuple((owner, code) for owner, code in found if owner), is_last

    def next_customer_number(self) -> str:
        """Return the next free customer number. It is computed, not reserved: one at a time.

        API: GET /Contact/Factory/getNextCustomerNumber
        """
        path = "/Contact/Factory/getNextCustomerNumber"
        return self._get(path, shape=lambda found: text(found, "objects"))

    def create_contact(self, draft: ContactDraft) -> Contact:
        """Make a contact; read it back, sevdesk may give another number. API: POST /Contact"""

        def made(reply: Any) -> Contact:
            return Contact.from_json(shapes.first(objects(reply)))

        return self._transport.post(
            "/Contact", endpoint="POST /Contact", json=draft.to_json(), shape=made
        )

    def add_address(self, contact_id: str, address: AddressDraft) -> None:
        """Add an invoice address to a contact. API: POST /ContactAddress

        The country is left out where sevdesk does not know its code.
        """
        country_id = self._country_id(address.country_code) if address.country_code else None
        self._transport.post(
            "/ContactAddress",
            endpoint="POST /ContactAddress",
            json=address.to_json(contact_id, country_id),
            shape=ignored,
        )

    def add_email(self, contact_id: str, email: str) -> None:
        """Add an e-mail address (for work, main) to a contact. API: POST /CommunicationWay"""
        body = {
            "contact": reference(contact_id, "Contact"),
            "type": "EMAIL",
            "value": email,
            "key": reference(2, "CommunicationWayKey"),
            "main": True,
        }
        self._transport.post(
            "/CommunicationWay", endpoint="POST /CommunicationWay", json=body, shape=ignored
        )

    def _country_id(self, code: str) -> str | None:
        """Return sevdesk's id of a country; the list is not in the published description."""
        code = code.strip().casefold()
        if code not in self._country_ids:
            try:
                found = self._all("/StaticCountry", {"code": code}, shapes.country)
            except (NotFound, Rejected):
                found = ()
            same = [(id_, name) for id_, its_code, name in found if its_code == code]
            # "gb" has three rows: the country and two of its parts.
            named = [id_ for id_, name in same if name == "United Kingdom"]
            self._country_ids[code] = next(iter([*named, *(id_ for id_, _ in same)]), None)
        return self._country_ids[code]

    # Vouchers

    def upload(self, pdf: bytes, name: str) -> str:
        """Upload a document and return the file name that saveVoucher takes.

        Nothing is booked by it and it may be done again: a lost answer is a TemporaryError.
        API: POST /Voucher/Factory/uploadTempFile
        """
        try:
            return self._transport.post(
                "/Voucher/Factory/uploadTempFile",
                endpoint="POST /Voucher/Factory/uploadTempFile",
                files={"file": (name, pdf, "application/pdf")},
                shape=shapes.uploaded,
            )
        except OutcomeUnknown as err:
            lost = err
        raise TemporaryError(
            lost.message,
            remote=lost.remote,
            endpoint=lost.endpoint,
            status_code=lost.status_code,
            remote_code=lost.remote_code,
            request_id=lost.request_id,
        )

    def save_voucher(self, draft: VoucherDraft) -> Voucher:
        """Make a voucher with one POST. Never repeat it on OutcomeUnknown: look first.

        API: POST /Voucher/Factory/saveVoucher
        """

        def made(reply: Any) -> Voucher:
            row = mapping(mapping(objects(reply), "objects").get("voucher"), "objects.voucher")
            # What a short answer leaves out is as we sent it; id and sums must come from sevdesk.
            sent = {"creditDebit": draft.credit_debit, "status": draft.status}
            voucher = Voucher.from_json(sent | {k: v for k, v in row.items() if v is not None})
            return replace(voucher, description=voucher.description or draft.description)

        return self._transport.post(
            "/Voucher/Factory/saveVoucher",
            endpoint="POST /Voucher/Factory/saveVoucher",
            json=draft.to_json(),
            shape=made,
        )

    def find_vouchers(self, number: str, credit_debit: str) -> tuple[Voucher, ...]:
        """Return the vouchers with exactly this description and side ("D" or "C").

        sevdesk's filter means "contains", so 2531-1 also finds 2531-12. API: GET /Voucher
        """
        params = {"descriptionLike": number, "creditDebit": credit_debit}
        found = self._all("/Voucher", params, Voucher.from_json)
        wanted = (number.strip(), credit_debit)
        return tuple(v for v in found if (v.description, v.credit_debit) == wanted)

    def vouchers_page(self, first: date, last: date, page: int) -> tuple[tuple[Voucher, ...], bool]:
        """Return one page of the vouchers of both sides dated within these days, both included,
        pages from 0, and whether it is the last.

        The filters take Unix seconds; sevdesk's days begin at midnight in Berlin, so a day is added
        on both ends and compared again here. API: GET /Voucher, startDate and endDate
        """
        start = datetime.combine(first - timedelta(days=1), time(), UTC)
        end = datetime.combine(last + timedelta(days=2), time(), UTC)
        params = {
            "startDate": str(int(start.timestamp())),
            "endDate": str(int(end.timestamp())),
        }
        found, is_last = self._page("/Voucher", params, Voucher.from_json, page)
        dated = (v for v in found if v.voucher_date and first <= v.voucher_date <= last)
        return tuple(dated), is_last

    def voucher(self, voucher_id: str) -> Voucher | None:
        """Return a voucher; None where it is not there. API: GET /Voucher/{voucherId}"""
        return self._one(
            f"/Voucher/{segment(voucher_id)}", "/Voucher/{voucherId}", Voucher.from_json
        )

    def tag(self, voucher_id: str, name: str) -> None:
        """Put a tag on a voucher; the tag is made where it is new. API: POST /Tag/Factory/create"""
        self._transport.post(
            "/Tag/Factory/create",
            endpoint="POST /Tag/Factory/create",
            json={"name": name, "object": reference(voucher_id, "Voucher")},
            shape=ignored,
        )

    # Reading

    def _get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        shape: Callable[[Any], T] = lambda found: found,
        template: str | None = None,
    ) -> T:
        endpoint = f"GET {template or path}"
        return self._transport.get(
            path, endpoint=endpoint, params=params, shape=lambda reply: shape(objects(reply))
        )

    def _one(self, path: str, template: str, make: Callable[[Any], T]) -> T | None:
        """Return one object. sevdesk says 400 as well as 404 for one that is not there."""

        def shape(found: Any) -> T | None:
            return None if found in ([], [None]) else make(shapes.first(found))

        try:
            return self._get(path, template=template, shape=shape)
        except NotFound:
            return None
        except Rejected as err:
            if err.status_code != 400:
                raise
            return None

    def _all(self, path: str, params: Mapping[str, str], make: Callable[[Any], T]) -> tuple[T, ...]:
        """Return all rows of a list, page by page."""
        found: list[T] = []
        for page in range(MOST_PAGES):
            some, is_last = self._page(path, params, make, page)
            found += some
            if is_last:
                return tuple(found)
        raise self._transport.unusable(f"GET {path}", "the list does not end")

    def _page(
        self, path: str, params: Mapping[str, str], make: Callable[[Any], T], page: int
    ) -> tuple[tuple[T, ...], bool]:
        """Return one page of a list, counted from 0, and whether it is the last."""
        paging = {"limit": str(PAGE_SIZE), "offset": str(page * PAGE_SIZE)}
        some = self._get(path, {**params, **paging}, lambda got: each(got, "objects", make))
        return some, len(some) < PAGE_SIZE
