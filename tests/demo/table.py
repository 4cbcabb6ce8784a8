"""The table that grows while the story is told."""

from __future__ import annotations

from dataclasses import dataclass

from tests.stack import Json, Stack

WIDTHS = (15, 11, 9, 7)


@dataclass(frozen=True)
class Outcome:
    """How one invoice (or member) ended, as the portal shows it and the simulator knows it."""

    what: str
    state: str
    receipt: str
    milliseconds: int | None
    remark: str


def head() -> str:
    columns = zip(("Invoice", "State", "Receipt", "ms"), WIDTHS, strict=True)
    return "  ".join(name.ljust(width) for name, width in columns) + "  What happened"


def line(outcome: Outcome) -> str:
    took = "" if outcome.milliseconds is None else str(outcome.milliseconds)
    cells = (outcome.what, outcome.state, outcome.receipt or "-", took.rjust(5))
    columns = zip(cells, WIDTHS, strict=True)
    return "  ".join(text.ljust(width) for text, width in columns) + f"  {outcome.remark}"


def milliseconds(stack: Stack, after: int, side: str, method: str, path_end: str) -> int | None:
    """Return the time from the first webhook after call `after` to the end of the last such call.

    None when there was no such call.
    """
    calls = stack.calls(after)
    hooks = [call for call in calls if call["side"] == "webhook"]
    done = [call for call in calls if _is(call, side, method, path_end)]
    if not hooks or not done:
        return None
    return round((done[-1]["at"] - hooks[0]["at"]) * 1000 + done[-1]["ms"])


def _is(call: Json, side: str, method: str, path_end: str) -> bool:
    return bool(
        call["side"] == side and call["method"] == method and call["path"].endswith(path_end)
    )
