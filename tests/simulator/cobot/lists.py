"""Lists of API 2: filters and pages."""

import math
from collections.abc import Callable, Sequence
from datetime import date
from urllib.parse import quote

from flask import Response, request

from tests.simulator.checks import Json
from tests.simulator.cobot.access import refuse
from tests.simulator.cobot.answers import document
from tests.simulator.cobot.shapes import remind_at
from tests.simulator.cobot.state import Space

DEFAULT_SIZE = 72
MAXIMUM_SIZE = 200
DATE_FIELDS = ("invoiceDate", "dueDate", "remindAt")
PAID_STATUSES = ("unpaid", "paid", "writtenOff", "pending")
INVOICE_FILTERS = ("debitorId", "membershipId", "from", "to", "dateFilterField", "paidStatus")


def page(entries: Sequence[Json], show: Callable[[Json], Json]) -> Response:
    """Answer with the page that the query asks for; a size over the maximum is cut down to it."""
    size = min(_positive("page[size]", DEFAULT_SIZE), MAXIMUM_SIZE)
    number = _positive("page[number]", 1)
    pages = max(1, math.ceil(len(entries) / size))

    def link(to: int) -> str:
        kept = [(key, value) for key, value in request.args.items() if not key.startswith("page[")]
        pairs = [*kept, ("page[size]", str(size)), ("page[number]", str(to))]
        path = request.path.removeprefix("/cobot-api")
        return f"{path}?" + "&".join(
            f"{quote(key, safe='[]')}={quote(value)}" for key, value in pairs
        )

    return document(
        {
            "data": [show(entry) for entry in entries[(number - 1) * size : number * size]],
            "meta": {"totalPages": pages, "currentPage": number},
            "links": {
                "first": link(1),
                "self": link(number),
                "prev": link(number - 1) if number > 1 else None,
                "next": link(number + 1) if number < pages else None,
                "last": link(pages),
            },
        }
    )


def chosen_invoices(space: Space) -> list[Json]:
    """Return the space's invoices that the filters let through, oldest first."""
    given = {key[7:-1]: value for key, value in request.args.items() if key.startswith("filter[")}
    unknown = sorted(set(given) - set(INVOICE_FILTERS))
    if unknown:
        refuse(422, "is unknown", f"filter[{unknown[0]}]")
    field = given.get("dateFilterField", "invoiceDate")
    if field not in DATE_FIELDS:
        refuse(422, "is not included in the list", "filter[dateFilterField]")
    entries = sorted(space.invoices.values(), key=lambda entry: (entry["invoiceDate"], entry["id"]))
    if "paidStatus" in given:
        wanted = given["paidStatus"].split(",")
        if len(given) > 1 or not set(wanted) <= set(PAID_STATUSES):
            refuse(422, "cannot be combined or is unknown", "filter[paidStatus]")
        return [entry for entry in entries if entry["paidStatus"] in wanted]
    debtor_id = given.get("debitorId", given.get("membershipId"))
    if debtor_id is not None:
        entries = [entry for entry in entries if (entry["debitor"] or {}).get("id") == debtor_id]
    first, last = asked_days(required=False)
    if field == "remindAt":
        return [entry for entry in entries if first <= remind_at(entry) <= last]
    return [entry for entry in entries if first <= entry[field] <= last]


def asked_days(*, required: bool) -> tuple[str, str]:
    """Return filter[from] and filter[to] as days; open ends where one may be left out."""
    days = []
    for name, open_end in (("filter[from]", "0001-01-01"), ("filter[to]", "9999-12-31")):
        text = request.args.get(name)
        if text is None and not required:
            days.append(open_end)
            continue
        try:
            days.append(date.fromisoformat(text or "").isoformat())
        except ValueError:
            refuse(422, "is not a date", name)
    return days[0], days[1]


def _positive(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < 1:
        refuse(422, "is not a positive number", name)
    return int(text)
