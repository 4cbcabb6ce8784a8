"""Documents that were uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from tests.simulator.errors import WorldError
from tests.simulator.sevdesk.fields import decimal_in, fields_of, text_in


@dataclass
class StoredFile:
    """A document's bytes, or what is left of them in a world: name, size and SHA-256."""

    name: str
    size: int
    sha256: str
    content: bytes | None = None

    @classmethod
    def of(cls, name: str, content: bytes) -> StoredFile:
        return cls(name, len(content), sha256(content).hexdigest(), content)

    @classmethod
    def from_world(cls, value: object, where: str) -> StoredFile:
        fields = fields_of(value, where, ("name", "size", "sha256"))
        name, digest = text_in(fields, "name", where), text_in(fields, "sha256", where)
        size = decimal_in(fields, "size", where)
        if not name or not digest or size is None:
            raise WorldError(f"{where}: name, size and sha256 are expected")
        return cls(name, int(size), digest)

    def to_world(self) -> dict[str, Any]:
        return {"name": self.name, "size": self.size, "sha256": self.sha256}
