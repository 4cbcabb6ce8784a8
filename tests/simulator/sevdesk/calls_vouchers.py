"""Calls about vouchers: upload, save, find, change while a draft, lock."""

from __future__ import annotations

import base64
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import PurePath
from secrets import token_hex
from typing import Any

from flask import Blueprint, Response, g, request

from tests.simulator.sevdesk.client import SevdeskClient
from tests.simulator.sevdesk.exchange import (
    ApiError,
    bad_request,
    body_of_request,
    current_client,
    envelope,
    page,
    referenced_id,
)
from tests.simulator.sevdesk.fields import BERLIN, now, read_decimal
from tests.simulator.sevdesk.files import StoredFile
from tests.simulator.sevdesk.saving import (
    body_of_draft,
    check_position,
    header_from_body,
    refused,
    voucher_from_body,
)
from tests.simulator.sevdesk.vouchers import DRAFT, Voucher


def register(blueprint: Blueprint) -> None:
    """Add the calls to the API."""
    blueprint.post("/Voucher/Factory/uploadTempFile")(upload_temp_file)
    blueprint.post("/Voucher/Factory/saveVoucher")(save_voucher)
    blueprint.get("/Voucher")(vouchers)
    blueprint.get("/Voucher/<voucher_id>")(voucher)
    blueprint.put("/Voucher/<voucher_id>")(update_voucher)
    blueprint.get("/Voucher/<voucher_id>/getPdf")(voucher_pdf)
    blueprint.put("/Voucher/<voucher_id>/enshrine")(enshrine)
    blueprint.put("/Voucher/<voucher_id>/resetToDraft")(reset_to_draft)
    blueprint.put("/Voucher/<voucher_id>/resetToOpen")(reset_to_open)
    blueprint.get("/VoucherPos")(positions)


def upload_temp_file() -> Response:
    """Keep the file and give it a name; each upload gets a new one, even of the same bytes."""
    upload = request.files.get("file")
    if upload is None:
        raise bad_request("The multipart field file is missing")
    content = upload.read()
    name = token_hex(16) + PurePath(upload.filename or "").suffix.lower()
    current_client().temp_files[name] = StoredFile.of(name, content)
    answer = {
        "pages": 1,
        "mimeType": "image/jpg",
        "originMimeType": upload.mimetype or "application/octet-stream",
        "filename": name,
        "contentHash": sha256(content).hexdigest(),
        "content": [],
    }
    return envelope(answer, 201)


def save_voucher() -> Response:
    """Save a new voucher, or a draft again.

    Nothing asks whether one with this description is there already.
    """
    client, body = current_client(), body_of_request()
    saved = voucher_from_body(client, body)
    saved.id = saved.id or client.new_id["vouchers"]()
    for position in saved.positions:
        position.id = position.id or client.new_id["positions"]()
    client.vouchers[saved.id] = saved
    answer: dict[str, Any] = {
        "voucher": saved.to_json(client.id),
        "voucherPos": [
            position.to_json(saved.id, client.id, saved.created) for position in saved.positions
        ],
    }
    if body.get("filename"):
        answer["filename"] = body["filename"]
    return envelope(answer, 201)


def vouchers() -> Response:
    """List vouchers; those younger than the search lag of the moment are not found yet."""
    client = current_client()
    lag_seconds = float(getattr(g, "search_lag_seconds", 0.0))
    fitting = _by_query(client, _tagged(client))
    if lag_seconds > 0:
        fitting = [
            each for each in fitting if (now() - each.created).total_seconds() >= lag_seconds
        ]
    return page([_embedded(client, each) for each in fitting])


def voucher(voucher_id: str) -> Response:
    client = current_client()
    return envelope([_embedded(client, _found(client, voucher_id))])


def update_voucher(voucher_id: str) -> Response:
    """Change the header of a draft.

    The description of this call knows no 422: every refusal is a 400.
    """
    client = current_client()
    before, changes = _found(client, voucher_id), body_of_request()
    if not before.is_draft:
        raise bad_request("Only a draft can be changed")
    if str(changes.get("status", DRAFT)) != DRAFT:
        raise bad_request("The status cannot be changed here")
    try:
        changed = header_from_body(client, body_of_draft(before, changes), before)
        changed.positions = before.positions
        for index, position in enumerate(changed.positions):
            check_position(client, changed, position, f"position {index}")
    except ApiError as err:
        raise bad_request(err.message) from err
    changed.add_up()
    client.vouchers[voucher_id] = changed
    return envelope(changed.to_json(client.id))


def voucher_pdf(voucher_id: str) -> Response:
    """Return the file as the description does it for invoices; it has no such call for vouchers."""
    file = _found(current_client(), voucher_id).file
    if file is None or file.content is None:
        raise bad_request(f"Voucher {voucher_id} has no document")
    answer = {
        "filename": file.name,
        "mimeType": "application/pdf",
        "base64encoded": True,
        "content": base64.b64encode(file.content).decode(),
    }
    return envelope(answer)


def enshrine(voucher_id: str) -> Response:
    """Lock the voucher for ever."""
    locked = _found(current_client(), voucher_id)
    if int(locked.status) < 100:
        raise refused("A draft cannot be enshrined")
    locked.enshrined = locked.enshrined or now()
    return envelope(None)


def reset_to_draft(voucher_id: str) -> Response:
    return _reset(voucher_id, DRAFT)


def reset_to_open(voucher_id: str) -> Response:
    return _reset(voucher_id, "100")


def positions() -> Response:
    client, voucher_id = current_client(), referenced_id("voucher")
    rows = [
        position.to_json(each.id, client.id, each.created)
        for each in client.vouchers.values()
        if voucher_id in (None, each.id)
        for position in each.positions
    ]
    return page(rows)


def _reset(voucher_id: str, status: str) -> Response:
    """Move the voucher down to the status and forget payments; an enshrined one stays."""
    client = current_client()
    moved = _found(client, voucher_id)
    if moved.enshrined is not None:
        raise refused("An enshrined voucher cannot be changed")
    if int(moved.status) < int(status):
        raise refused(f"A voucher of status {moved.status} cannot be reset to {status}")
    moved.status, moved.paid_amount, moved.pay_date = status, Decimal(0), None
    moved.updated = now()
    return envelope(moved.to_json(client.id))


def _found(client: SevdeskClient, voucher_id: str) -> Voucher:
    if voucher_id not in client.vouchers:
        # "Bad request. Voucher was not found" is what the description says, there is no 404.
        raise bad_request(f"Voucher {voucher_id} was not found")
    return client.vouchers[voucher_id]


def _embedded(client: SevdeskClient, each: Voucher) -> dict[str, Any]:
    """Return the voucher with what embed= asks for in full instead of its reference."""
    shown = each.to_json(client.id)
    wanted = request.args.get("embed", "").split(",")
    if "supplier" in wanted and each.supplier in client.contacts:
        shown["supplier"] = client.contacts[each.supplier].to_json(client.id)
    if "costCentre" in wanted and each.cost_centre in client.cost_centres:
        shown["costCentre"] = client.cost_centres[each.cost_centre].to_json(
            client.id, shown["create"]
        )
    if "document" in wanted and each.file is not None:
        shown["document"] |= {"filename": each.file.name, "mimeType": "application/pdf"}
    return shown


def _tagged(client: SevdeskClient) -> list[Voucher]:
    """Return the vouchers that carry every tag asked for with tags[0][id]=..., in the order of
    their making."""
    wanted = [
        value
        for key, value in request.args.items()
        if key.startswith("tags[") and key.endswith("[id]")
    ]
    return [
        each
        for each in client.vouchers.values()
        if all((tag_id, each.id) in client.relations for tag_id in wanted)
    ]


def _by_query(client: SevdeskClient, found: list[Voucher]) -> list[Voucher]:
    """Return those that pass every filter; a parameter that is none is ignored."""
    args, contact_id, centre_id = (
        request.args,
        referenced_id("contact"),
        referenced_id("costCentre"),
    )
    if contact_id is not None:
        found = [each for each in found if each.supplier == contact_id]
    if centre_id is not None:
        found = [each for each in found if each.cost_centre == centre_id]
    if args.get("descriptionLike"):
        part = args["descriptionLike"].casefold()
        found = [each for each in found if part in (each.description or "").casefold()]
    if args.get("creditDebit"):
        found = [each for each in found if each.credit_debit == args["creditDebit"]]
    if args.get("status"):
        found = [each for each in found if each.status == args["status"]]
    if args.get("supplierName"):
        part = args["supplierName"].casefold()
        found = [each for each in found if part in _supplier_name(client, each).casefold()]
    if "startDate" in args:
        start = _number("startDate")
        found = [each for each in found if _document_second(each) >= start]
    if "endDate" in args:
        end = _number("endDate")
        found = [each for each in found if _document_second(each) <= end]
    if "startAmount" in args:
        least = _number("startAmount")
        found = [each for each in found if each.sums.gross >= least]
    if "endAmount" in args:
        most = _number("endAmount")
        found = [each for each in found if each.sums.gross <= most]
    return found


def _supplier_name(client: SevdeskClient, each: Voucher) -> str:
    contact = client.contacts.get(each.supplier or "")
    return contact.shown_name if contact else each.supplier_name or ""


def _number(name: str) -> Decimal:
    try:
        return read_decimal(request.args[name])
    except ValueError as err:
        raise bad_request(f"The parameter '{name}' is invalid: it has to be a number") from err


def _document_second(each: Voucher) -> int:
    """Return the Unix second at which the document's day begins in Berlin."""
    day = each.voucher_date
    return int(datetime(day.year, day.month, day.day, tzinfo=BERLIN).timestamp())
