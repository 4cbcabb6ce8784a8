"""What is told of each call to a remote side: to the budget, the counters, and the history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from portal.answers import parse_json
from portal.exchange import Answer, Files, NoAnswer, one_line, what_it_says
from portal.masking import masked

LONGEST_KEPT = 16_384
"""A longer answer is a list or a file: nobody reads it in a history."""


@dataclass(frozen=True)
class Call:
    """One call as counters and budgets see it; `endpoint` is method and path template."""

    remote: str
    endpoint: str
    method: str


@dataclass(frozen=True)
class Exchanged:
    """One call with what was said, as it may be kept: masked, without path and headers."""

    call: Call
    status: int | None
    seconds: float
    request_id: str | None
    sent: Any
    received: Any


@dataclass(frozen=True)
class Hooks:
    """What is told about each call.

    `before` may raise BudgetExhausted: then nothing is sent and `after` is not called. It is asked
    again before a read is repeated: the remote side counts that too. `after` gets the status, None
    when there was no answer, and the seconds taken.
    """

    before: Callable[[Call], None] | None = None
    after: Callable[[Call, int | None, float], None] | None = None
    seen: Callable[[Exchanged], None] | None = None


def kept_of(
    call: Call,
    answer: Answer | NoAnswer,
    seconds: float,
    sent: Any,
    files: Files | None,
    *,
    hidden: Sequence[str],
) -> Exchanged:
    """Return what may be kept of a call: no secrets, and of files only their size."""
    if files is not None:
        sent = {name: {"bytes": len(content)} for name, (_, content, _) in files.items()}
    status = request_id = None
    if isinstance(answer, NoAnswer):
        received: Any = {"message": answer.reason}
    else:
        status, received = answer.status, _of_an_answer(answer.body, hidden)
        request_id = what_it_says(answer.body)[2] if status >= 400 else None
        request_id = request_id or answer.headers.get("X-Request-Id")
    shown_id = one_line(request_id, hidden) if request_id else None
    return Exchanged(call, status, seconds, shown_id, masked(sent, hidden), received)


def _of_an_answer(body: bytes, hidden: Sequence[str]) -> Any:
    """Return what of an answer may be kept; of a file and of a long list only the size."""
    if len(body) > LONGEST_KEPT:
        return {"bytes": len(body)}
    try:
        return masked(parse_json(body), hidden)
    except ValueError:
        return {"bytes": len(body)}
