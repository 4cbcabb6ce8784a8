"""What stands above the log: the causes of open invoices, those that are repaired first."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from portal.models import Batch, Space, State
from portal.money import ZERO
from portal.services import batches, charts, heal
from portal.services.groups import until_a_change
from portal.services.heal import CauseGroup

MANY = 3
"""A cause of so many invoices stands in sight at once; one that is repaired does so at any rate."""
MOST_IN_SIGHT = 4
MOST_FOLDED = 20
"""Of each kind; what is repaired in the order of its money leads there soon enough."""


@dataclass(frozen=True)
class CauseBar:
    """The groups of a space, and the batch that runs.

    `in_sight` and `folded` are what was not booked; `without_contact` was, and may be mended.
    """

    in_sight: Sequence[CauseGroup]
    folded: Sequence[CauseGroup]
    without_contact: Sequence[CauseGroup]
    checked_at: datetime | None
    """When sevdesk's booking accounts were read last; None where they are to be read anew."""
    batch: Batch | None
    most: int = MOST_FOLDED
    """So many of each fold are shown."""

    @property
    def _groups(self) -> Sequence[CauseGroup]:
        return (*self.in_sight, *self.folded, *self.without_contact)

    @property
    def causes(self) -> list[tuple[str, int]]:
        """Return each cause with its invoices, the most frequent first."""
        counts: Counter[str] = Counter()
        for group in self._groups:
            counts[group.cause] += group.count
        return counts.most_common()

    @property
    def receipts(self) -> int:
        """Return how many receipts have no contact."""
        return sum(group.count for group in self.without_contact)

    @property
    def receipts_gross(self) -> Decimal:
        return sum((group.gross for group in self.without_contact), ZERO)

    @property
    def mark(self) -> str:
        """Return what tells this bar from another: a page that shows it is not sent it again."""
        said = [f"{one.key}:{one.count}:{one.gross}:{one.is_gone}" for one in self._groups]
        said.append(str(self.batch.id if self.batch else ""))
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]


def bar_of(space: Space, *, anew: bool = False) -> CauseBar:
    """Return the bar of a space. `anew` asks sevdesk whether the causes are still there.

    Raises RemoteError only with `anew`.
    """
    counted = until_a_change(space, lambda: heal.groups_of([space.id]).get(space.id, []))
    found = heal.groups(space, anew=anew, counted=counted)
    failed = [group for group in found if group.state == State.FAILED]
    # What one press heals comes first; within that the most money, as heal sorts.
    failed.sort(key=lambda group: group.is_gone is not True)
    in_sight = [group for group in failed if group.is_gone or group.count >= MANY][:MOST_IN_SIGHT]
    return CauseBar(
        in_sight=in_sight,
        folded=[group for group in failed if group not in in_sight],
        without_contact=[group for group in found if group.state == State.MISMATCHED],
        checked_at=charts.read_at(space),
        batch=batches.open_batch(space),
    )
