"""Budgets of calls: never more than the limit in any window, over all workers.

The times of the latest calls stand in the database, so that neither a lost Redis nor a restart
makes a budget full again. Nothing sleeps here: who gets no call is told when to come back.
Sources: Cobot counts 60 calls a minute per user and endpoint; sevdesk publishes no limit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, case, select, update

from portal.core import core
from portal.database import db, insert_or_update, table_of
from portal.errors import BudgetExhausted
from portal.models import Budget


@dataclass(frozen=True)
class Limit:
    """At most `calls` in any `window_seconds`; 0 calls means no limit."""

    calls: int
    window_seconds: float


MEMBER_LIST = "GET /api/memberships"
MEMBER_LIST_SHARE = 10
ON_THE_WAY_SECONDS = 1.0
"""Cobot counts a call when it arrives, we when it leaves: so much longer one may be on its way than
a later one without both standing in the same minute over there."""


_BUDGETS = table_of(Budget)
_LOOK = select(_BUDGETS.c.calls, _BUDGETS.c.blocked_until).where(
    _BUDGETS.c.key == bindparam("its_key")
)
_TAKE = _LOOK.with_for_update()
_KEEP = (
    update(_BUDGETS)
    .where(_BUDGETS.c.key == bindparam("its_key"))
    .values(calls=bindparam("recent", type_=_BUDGETS.c.calls.type))
)
"""Made once: each call asks."""


def cobot_limit(endpoint: str = "") -> Limit:
    """Return Cobot's limit per user and endpoint; the list of all members has a tenth of it.

    Source: https://dev.cobot.me/api-docs/memberships, 6 calls a minute instead of 60.
    """
    calls = core().config.cobot_calls_per_minute
    if calls and endpoint == MEMBER_LIST:
        calls = max(1, calls // MEMBER_LIST_SHARE)
    return Limit(calls, 60.0 + ON_THE_WAY_SECONDS)


def sevdesk_limit() -> Limit:
    """Return the limit per sevdesk token, in a window that holds two calls at the least.

    Two calls belong together (the next customer number and the contact that takes it), so a rate
    below two a second gets a longer window.
    """
    rate = core().config.sevdesk_calls_per_second
    if rate <= 0:
        return Limit(0, 1.0)
    calls = max(2, int(rate))
    # Never less than a second: half a call more a second must not become two more in one.
    return Limit(calls, max(1.0, calls / rate))


def take(key: str, limit: Limit) -> None:
    """Take one call out of the budget, in a transaction of its own.

    Raises BudgetExhausted with the seconds until there is one again.
    """
    if limit.calls == 0:
        return
    mine = {"its_key": key}
    with db.engine.begin() as connection:
        row = connection.execute(_TAKE, mine).one_or_none()
        if row is None:
            connection.execute(
                insert_or_update(Budget, {"key": key, "calls": []}, unique=("key",), change={})
            )
            row = connection.execute(_TAKE, mine).one()
        now = time.time()
        wait = _wait(row.calls, row.blocked_until, limit, now)
        if wait <= 0:
            recent = [at for at in row.calls if at > now - limit.window_seconds]
            connection.execute(_KEEP, {**mine, "recent": [*recent, now]})
    if wait > 0:
        raise BudgetExhausted("our own limit of calls", retry_after_seconds=wait)


def free_calls(key: str, calls: Sequence[float]) -> int | None:
    """Return how many calls a budget has left now, None where there is no limit."""
    side, _, rest = key.partition("|")
    limit = cobot_limit(rest.partition("|")[2]) if side == "cobot" else sevdesk_limit()
    now = time.time()
    recent = sum(now - limit.window_seconds < at < now + limit.window_seconds for at in calls)
    return max(0, limit.calls - recent) if limit.calls else None


def need(key: str, limit: Limit, calls: int) -> None:
    """Look whether so many calls are free, without taking one.

    Raises BudgetExhausted with the seconds until they are.
    """
    if limit.calls == 0:
        return
    with db.engine.begin() as connection:
        row = connection.execute(_LOOK, {"its_key": key}).one_or_none()
    if row is None:
        return
    less = Limit(limit.calls - calls + 1, limit.window_seconds)
    wait = _wait(row.calls, row.blocked_until, less, time.time())
    if wait > 0:
        raise BudgetExhausted("our own limit of calls", retry_after_seconds=wait)


def block(key: str, seconds: float) -> None:
    """Let nobody call with this key for a while: the remote side asked for it (Retry-After).

    Of two such wishes the longer one counts.
    """
    until = time.time() + seconds
    longer = case((Budget.blocked_until > until, Budget.blocked_until), else_=until)
    with db.engine.begin() as connection:
        connection.execute(
            insert_or_update(
                Budget,
                {"key": key, "calls": [], "blocked_until": until},
                unique=("key",),
                change={"blocked_until": longer},
            )
        )


def _wait(calls: Sequence[float], blocked_until: float | None, limit: Limit, now: float) -> float:
    """Return the seconds until the next call is allowed, 0 or less when it is allowed now.

    Calls that lie further ahead than a window were written by a clock that has been set back since.
    """
    wait = (blocked_until or 0.0) - now
    calls = [at for at in calls if at < now + limit.window_seconds]
    if len(calls) >= limit.calls:
        # The call that must have left the window before another one may begin.
        wait = max(wait, calls[-limit.calls] + limit.window_seconds - now)
    return wait
