"""Faults: which calls they hit, what they do to them, and how many are left."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.simulator.calls import caller_mark
from tests.simulator.checks import Fields, Json
from tests.simulator.errors import WorldError

SIDES = ("cobot-www", "cobot-space", "cobot-api", "sevdesk", "webhook")
KEYS = ("side", "method", "path", "effect", "times", "after", "space", "token")
CALL_EFFECTS = frozenset(
    {
        "status",
        "reset_before",
        "reset_after_commit",
        "status_after_commit",
        "no_id_after_commit",
        "hang",
        "hang_after_commit",
        "slow_body",
        "garbage",
    }
)
DELIVERY_EFFECTS = frozenset({"drop_webhook", "duplicate_webhook", "reorder_webhooks", "hang"})
"""What happens to a webhook as a whole, once, before its first attempt."""
ATTEMPT_EFFECTS = frozenset(
    {
        "status",
        "reset_before",
        "reset_after_commit",
        "status_after_commit",
        "hang_after_commit",
    }
)
"""What happens to one attempt on its way; the receiver has it only with those after the commit."""
WEBHOOK_EFFECTS = DELIVERY_EFFECTS | ATTEMPT_EFFECTS
WITH_SECONDS = frozenset({"hang", "hang_after_commit", "slow_body", "search_lag"})
WITH_STATUS = frozenset({"status", "status_after_commit"})


@dataclass(frozen=True)
class Effect:
    """What happens to a call: `number` is seconds, a status or a count, after the kind."""

    kind: str
    number: float = 0
    retry_after: str | None = None


@dataclass
class Fault:
    """One fault. `times` 0 means until removed."""

    id: str
    side: str
    method: str | None
    path: str
    effect_text: str
    effect: Effect
    times: int
    after: int
    space: str | None
    token: str | None
    seen: int = 0
    hits: int = 0

    def matches(
        self, side: str, method: str, path: str, space_names: tuple[str, ...], token: str | None
    ) -> bool:
        """Say whether the fault is about this call; its token may be given whole or by its mark."""
        return (
            self.side == side
            and (self.method is None or self.method == method)
            and fnmatchcase(path, self.path)
            and (self.space is None or self.space in space_names)
            and (self.token is None or self.token in (token, caller_mark(token)))
        )

    def take(self) -> bool:
        """Count a matching call; says whether it is hit."""
        if self.seen < self.after:
            self.seen += 1
            return False
        if self.times and self.hits >= self.times:
            return False
        self.hits += 1
        return True

    def to_json(self) -> Json:
        """Return the fault as it was made, with `left`; null means until removed.

        Of its token only the mark is shown.
        """
        return {
            "id": self.id,
            "side": self.side,
            "method": self.method,
            "path": self.path,
            "effect": self.effect_text,
            "times": self.times,
            "after": self.after,
            "space": self.space,
            "token": caller_mark(self.token),
            "left": self.times - self.hits if self.times else None,
        }


class Faults:
    """All faults in the order of their making; the first that matches and is not used up wins."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._made = 0

    def add(self, body: object) -> Fault:
        """Make a fault; raises WorldError when its description is wrong."""
        given = Fields(body, "fault", KEYS)
        side = given.choice("side", SIDES, "")
        effect_text = given.text("effect")
        effect = read_effect(effect_text, side)
        counts = {}
        for key, default in (("times", 1), ("after", 0)):
            value = given.raw(key, default)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise given.fail(key, "a whole number from 0")
            counts[key] = value
        method = given.optional_text("method")
        self._made += 1
        fault = Fault(
            id=f"f-{self._made}",
            side=side,
            method=None if method in (None, "", "*", "any") else method.upper(),
            path=given.optional_text("path") or "*",
            effect_text=effect_text,
            effect=effect,
            times=counts["times"],
            after=counts["after"],
            space=given.optional_text("space"),
            token=given.optional_text("token"),
        )
        self._faults[fault.id] = fault
        return fault

    def hit(
        self, side: str, method: str, path: str, space_names: tuple[str, ...], token: str | None
    ) -> Fault | None:
        """Count this call on the faults it matches and return the one that hits it."""
        for fault in self._faults.values():
            if fault.matches(side, method, path, space_names, token) and fault.take():
                return fault
        return None

    def hit_webhook(
        self, event: str, space_names: tuple[str, ...], kinds: frozenset[str]
    ) -> Fault | None:
        """Do the same for a webhook, with the faults of these kinds alone."""
        for fault in self._faults.values():
            if (
                fault.effect.kind in kinds
                and fault.matches("webhook", "POST", event, space_names, None)
                and fault.take()
            ):
                return fault
        return None

    def listed(self) -> list[Json]:
        """Return all faults, those used up as well."""
        return [fault.to_json() for fault in self._faults.values()]

    def remove(self, id_: str) -> bool:
        """Remove one; says whether it was there."""
        return self._faults.pop(id_, None) is not None

    def clear(self) -> None:
        """Remove all."""
        self._faults.clear()


def read_effect(text: str, side: str) -> Effect:
    """Return the effect written as in the contract, e.g. `status:429:retry-after=3`."""
    kind, _, rest = text.partition(":")
    allowed = WEBHOOK_EFFECTS if side == "webhook" else CALL_EFFECTS
    if kind not in allowed and not (kind == "search_lag" and side == "sevdesk"):
        raise WorldError(f"fault.effect: {kind or 'nothing'} is no effect on {side}")
    if kind in WITH_STATUS:
        return _read_status(kind, rest)
    if kind in WITH_SECONDS:
        return Effect(kind, _number(rest, kind))
    if kind == "duplicate_webhook":
        count = _number(rest or "1", kind)
        if count != int(count):
            raise WorldError("fault.effect: duplicate_webhook needs a whole number")
        return Effect(kind, count)
    if rest:
        raise WorldError(f"fault.effect: {kind} takes no value")
    return Effect(kind)


def _read_status(kind: str, rest: str) -> Effect:
    code, _, option = rest.partition(":")
    name, _, seconds = option.partition("=")
    if not (code.isdecimal() and len(code) == 3 and "200" <= code <= "599"):
        raise WorldError(f"fault.effect: {kind} needs a status from 200 to 599")
    if option and (name != "retry-after" or not seconds):
        raise WorldError("fault.effect: only retry-after=<seconds> can follow the status")
    if option and not seconds.isdecimal():
        raise WorldError("fault.effect: retry-after needs whole seconds")
    return Effect(kind, int(code), seconds or None)


def _number(text: str, kind: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1e9:
        raise WorldError(f"fault.effect: {kind} needs a number")
    return number
