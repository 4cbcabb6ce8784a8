"""Tags and what they hang on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulator.sevdesk.fields import moment, now, number_id, reference


@dataclass
class Tag:
    """A tag of a client; no two have the same name."""

    id: str
    name: str
    created: datetime = field(default_factory=now)

    def to_world(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name}

    def to_json(self, sev_client: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "objectName": "Tag",
            "create": moment(self.created),
            "name": self.name,
            "sevClient": reference(sev_client, "SevClient"),
        }


@dataclass
class TagRelation:
    """One tag on one voucher."""

    id: str
    tag: str
    voucher: str
    created: datetime = field(default_factory=now)

    def to_json(self, sev_client: str) -> dict[str, Any]:
        """Return the relation as read: the description declares the tagged object's id as
        integer."""
        return {
            "id": self.id,
            "objectName": "TagRelation",
            "create": moment(self.created),
            "tag": reference(self.tag, "Tag"),
            "object": {"id": number_id(self.voucher), "objectName": "Voucher"},
            "sevClient": reference(sev_client, "SevClient"),
        }
