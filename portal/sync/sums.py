"""Net or gross: how a voucher comes to Cobot's total to the cent.

sevdesk computes a voucher's sums itself and publishes no rule for it. What we assume stands in
`sevdesk_total` and nowhere else; after each write the real sum is compared with Cobot's.
Source: our decision, docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from portal.money import CENT, ZERO, to_cents
from portal.sevdesk.records import VoucherPosition


@dataclass(frozen=True)
class CentAdjustment:
    """Cents put on one position (its place, counted from 0) so that the total is right."""

    position: int
    amount: Decimal


@dataclass(frozen=True)
class Sums:
    """Positions that give the wanted total, all net or all gross."""

    positions: tuple[VoucherPosition, ...]
    is_net: bool
    cent_adjustments: tuple[CentAdjustment, ...] = ()


@dataclass(frozen=True)
class SumsDiffer:
    """Neither mode gives the wanted total; `nearest` is the closer one's."""

    nearest: Decimal


def sevdesk_total(positions: Sequence[VoucherPosition], is_net: bool) -> Decimal:
    """Return the gross sum that sevdesk is assumed to compute.

    Net: the tax of each position is rounded half up to cents, and all is added. Gross: the
    amounts are added; sevdesk takes the net out of each (gross x 100 / (100 + rate), rounded half
    up), which leaves the gross sum as it is.
    """
    if not is_net:
        return sum((position.amount for position in positions), ZERO)
    return sum(
        (p.amount + to_cents(p.amount * p.tax_rate / 100) for p in positions),
        ZERO,
    )


def settle_sums(
    net: Sequence[VoucherPosition],
    gross: Sequence[VoucherPosition] | None,
    total: Decimal,
    *,
    cent_difference: bool,
) -> Sums | SumsDiffer:
    """Return the positions in the mode that gives this total to the cent, net first.

    `gross` is None where gross amounts may not be used. With `cent_difference` (a setting of the
    space) a difference of at most one cent for each line with an amount goes on the biggest
    position, in the mode that needs fewer cents, net first.
    """
    modes = [Sums(tuple(net), is_net=True)]
    if gross is not None:
        modes.append(Sums(tuple(gross), is_net=False))
    for sums in modes:
        if sevdesk_total(sums.positions, sums.is_net) == total:
            return sums
    adjusted = [_adjust(sums, total) for sums in modes] if cent_difference else []
    usable = [sums for sums in adjusted if sums is not None]
    if usable:
        return min(usable, key=lambda sums: abs(sums.cent_adjustments[0].amount))
    totals = [sevdesk_total(sums.positions, sums.is_net) for sums in modes]
    return SumsDiffer(min(totals, key=lambda found: abs(found - total)))


def _adjust(sums: Sums, total: Decimal) -> Sums | None:
    """Return the sums with some cents on the biggest position, None if that does not settle it."""
    limit = sum(1 for position in sums.positions if position.amount)
    if not limit or abs(sevdesk_total(sums.positions, sums.is_net) - total) > limit * CENT:
        return None
    place = max(range(len(sums.positions)), key=lambda at: abs(sums.positions[at].amount))
    biggest = sums.positions[place]
    others = (*sums.positions[:place], *sums.positions[place + 1 :])
    wanted = total - sevdesk_total(others, sums.is_net)
    for cents in sorted(range(-limit, limit + 1), key=abs):
        changed = replace(biggest, amount=biggest.amount + cents * CENT)
        if sevdesk_total((changed,), sums.is_net) == wanted:
            positions = (*sums.positions[:place], changed, *sums.positions[place + 1 :])
            return Sums(positions, sums.is_net, (CentAdjustment(place, cents * CENT),))
    return None
