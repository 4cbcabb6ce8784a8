"""Calls per minute at Cobot and per second at sevdesk, counted over a sliding window."""

import math
import time
from collections import defaultdict, deque

MEMBER_LIST_SHARE = 10


class Limits:
    """How often each caller may still call. 0 allows everything."""

    def __init__(self, cobot_per_minute: int, sevdesk_per_second: int) -> None:
        self._cobot_per_minute = cobot_per_minute
        self._sevdesk_per_second = sevdesk_per_second
        self._calls: defaultdict[tuple[str, ...], deque[float]] = defaultdict(deque)

    def cobot_wait_seconds(
        self, user_id: str, method: str, endpoint: str, *, is_member_list: bool
    ) -> int:
        """Count a call of this user on this endpoint; returns 0 or the seconds to wait.

        The list of memberships has a tenth of the usual share: 6 instead of 60.
        """
        share = self._cobot_per_minute
        if is_member_list and share:
            share = max(1, share // MEMBER_LIST_SHARE)
        return self._wait_seconds(("cobot", user_id, method, endpoint), share, 60.0)

    def sevdesk_wait_seconds(self, token: str) -> int:
        """Count a call with this sevdesk token; returns 0 or the seconds to wait."""
        return self._wait_seconds(("sevdesk", token), self._sevdesk_per_second, 1.0)

    def forget(self) -> None:
        """Start counting anew."""
        self._calls.clear()

    def _wait_seconds(self, key: tuple[str, ...], share: int, window_seconds: float) -> int:
        if share <= 0:
            return 0
        now = time.monotonic()
        calls = self._calls[key]
        while calls and calls[0] <= now - window_seconds:
            calls.popleft()
        if len(calls) < share:
            calls.append(now)
            return 0
        return max(1, math.ceil(calls[0] + window_seconds - now))
