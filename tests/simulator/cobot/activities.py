"""Messages in a space's feed: what Cobot accepts and how it keeps them."""

import operator
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from tests.simulator.checks import Fields, Json
from tests.simulator.cobot.access import refuse
from tests.simulator.cobot.people import TIME_FORMAT, moment
from tests.simulator.cobot.state import Space
from tests.simulator.errors import WorldError

LEVELS = ("ERROR", "WARN", "INFO")
CHANNELS = ("admin", "membership")
STORED_KEYS = ("created_at", "type", "channels", "level", "attributes", "source_ids")
# Any tag but a link, and comments: Cobot takes them out and leaves what stands between them.
OTHER_TAGS = re.compile(r"<!--.*?-->|</?(?!a\b)[A-Za-z][^>]*>", re.DOTALL | re.IGNORECASE)


def new_activity(space: Space, body: Json) -> tuple[Json | None, dict[str, str]]:
    """Return the activity to keep, or None and what is wrong with each field."""
    errors = {}
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        errors["text"] = "can't be blank"
    level = body.get("level")
    if level is not None and level not in LEVELS:
        errors["level"] = "is not included in the list"
    channels = body.get("channels", ["admin"])
    if not isinstance(channels, list) or not channels or not all(c in CHANNELS for c in channels):
        errors["channels"] = "is not included in the list"
    sources = body.get("source_ids", [])
    if not isinstance(sources, list) or not all(_is_source(space, source) for source in sources):
        errors["source_ids"] = "is invalid"
    unknown = sorted(set(body) - {"text", "level", "channels", "source_ids"})
    errors.update(dict.fromkeys(unknown, "is unknown"))
    if errors:
        return None, errors
    return {
        "created_at": datetime.now(UTC).strftime(TIME_FORMAT),
        "type": "text",
        "channels": channels,
        "level": level,
        "attributes": {"text": OTHER_TAGS.sub("", str(text))},
        "source_ids": sources,
    }, {}


def shown(activity: Json) -> Json:
    """Return an activity as API 1 shows it: no sources, no level when none was given."""
    keys = ("created_at", "type", "channels", "attributes")
    view = {key: activity[key] for key in keys}
    if activity["level"] is not None:
        view["level"] = activity["level"]
    return view


def stored_activity(value: object, where: str) -> Json:
    """Return an activity from a state."""
    given = Fields(value, where, STORED_KEYS)
    attributes = Fields(given.raw("attributes", {}), f"{where}.attributes", ("text",))
    return {
        "created_at": given.text("created_at", datetime.now(UTC).strftime(TIME_FORMAT)),
        "type": given.text("type", "text"),
        "channels": given.texts("channels") or ["admin"],
        "level": given.optional_text("level"),
        "attributes": {"text": attributes.text("text")},
        "source_ids": given.texts("source_ids"),
    }


def _is_source(space: Space, id_: object) -> bool:
    return isinstance(id_, str) and (id_ in space.memberships or id_ in space.invoices)


def filtered(space: Space, query: Mapping[str, str]) -> list[Json]:
    """Return the activities that the query asks for.

    It may name `source_ids`, `from` and `to`, `types` and `last`.
    """
    wanted = space.activities
    if "source_ids" in query:
        sources = set(query["source_ids"].split(","))
        wanted = [activity for activity in wanted if sources & set(activity["source_ids"])]
    for name, is_inside in (("from", operator.ge), ("to", operator.le)):
        if name in query:
            edge = _edge(query[name], name)
            wanted = [activity for activity in wanted if is_inside(activity["created_at"], edge)]
    if "types" in query:
        wanted = [activity for activity in wanted if activity["type"] in query["types"].split(",")]
    if "last" in query:
        if not query["last"].isdecimal():
            refuse(422, "is not a number", "last")
        wanted = wanted[max(0, len(wanted) - int(query["last"])) :]
    return wanted


def _edge(text: str, name: str) -> str:
    try:
        return moment(text, name) or ""
    except WorldError:
        refuse(422, "is not a time", name)
