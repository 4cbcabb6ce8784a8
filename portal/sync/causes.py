"""Why something was not done: a code and its parameters, never a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cause:
    """A reason that people read about; the sentences stand in portal/sync/messages.py.

    `params` are texts as the remote sides wrote them: amounts and rates with a point, not yet in
    anybody's language.
    """

    code: str
    params: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", dict(self.params))

    def __hash__(self) -> int:
        return hash((self.code, frozenset(self.params.items())))

    def to_json(self) -> dict[str, object]:
        """Return the cause as it is kept in the database."""
        return {"code": self.code, "params": dict(self.params)}
