"""What becomes of a row of an invoice or a member: its cause, its wait, its line of history."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

from portal.core import core
from portal.database import utcnow
from portal.errors import RemoteError
from portal.models import InvoiceSync, MemberSync, State, Step
from portal.services import record
from portal.sync.causes import Cause


def reference(row: InvoiceSync | MemberSync) -> str:
    """Return what a person tells support, and support finds the row by."""
    return f"{'I' if isinstance(row, InvoiceSync) else 'M'}-{row.space_id}-{row.id}"


def fail(
    row: InvoiceSync | MemberSync,
    cause: Cause,
    *,
    step: str,
    error: RemoteError | None = None,
    causes: tuple[Cause, ...] = (),
) -> None:
    """Leave a row to a person, with its cause. The caller commits.

    An invoice becomes due once more at once: for the message on the Cobot invoice.
    """
    row.cause_code, row.cause_params = cause.code, dict(cause.params)
    row.failing_since = None
    if isinstance(row, InvoiceSync):
        record.set_state(row, State.FAILED)
        row.finished_at = utcnow()
        row.filename = None
        row.next_try_at = utcnow() if row.told_cause != told_key(cause) else None
        row.tell_attempts = 0
    else:
        row.state = State.FAILED
        row.next_try_at = None
    note_row(
        row,
        step,
        "failed",
        error=error,
        cause=cause.code,
        params=dict(cause.params),
        causes=[one.to_json() for one in causes] or None,
    )


def skip(row: InvoiceSync, cause: Cause) -> None:
    """Leave an invoice out on purpose: nothing more is to be done for it. The caller commits."""
    row.cause_code, row.cause_params = cause.code, dict(cause.params)
    row.next_try_at = None
    row.finished_at = utcnow()
    record.set_state(row, State.SKIPPED)
    note_row(row, "skipped", "done", cause=cause.code)


def leave_untagged(row: InvoiceSync, *, step: str, error: RemoteError | None = None) -> None:
    """End an invoice whose receipt is there without its tags: it is never called "not synced". The
    caller commits."""
    row.cause_code, row.cause_params = "tag_missing", {}
    row.next_try_at = None
    row.finished_at = utcnow()
    record.set_state(row, State.MISMATCHED if row.is_mismatch else State.SYNCED)
    note_row(row, step, "failed", error=error, cause="tag_missing")


def is_settled(row: InvoiceSync | MemberSync) -> bool:
    """Say whether the matter itself is decided and at most a message about it is outstanding."""
    return row.state in (State.FAILED, State.SYNCED, State.MISMATCHED, State.SKIPPED)


def told_key(cause: Cause) -> str:
    """Return what tells one failure episode from another."""
    params = ",".join(f"{name}={value}" for name, value in sorted(cause.params.items()))
    return f"{cause.code}:{params}"[:200]


def forget_cause(row: InvoiceSync | MemberSync) -> None:
    row.cause_code = None
    row.cause_params = {}
    row.failing_since = None


def backoff_seconds(attempts: int) -> float:
    """Return how long to wait after this many tries: exponential, with full jitter.

    The step doubles from RETRY_FIRST_SECONDS to RETRY_MAX_SECONDS, and any moment within it may be
    the next try. What keeps a fault from being met by a storm of calls is that the whole space
    waits after FAILURES_IN_A_ROW.
    """
    config = core().config
    step = min(config.retry_first_seconds * 2 ** min(attempts - 1, 30), config.retry_max_seconds)
    return random.uniform(0, step)  # noqa: S311 - spreads load, guards nothing


def note_row(
    row: InvoiceSync | MemberSync,
    step: str,
    outcome: str,
    *,
    error: RemoteError | None = None,
    next_try_at: datetime | None = None,
    **facts: Any,
) -> None:
    """Add a line to the row's history, with what the remote side said."""
    if error is not None:
        facts |= {
            "remote": error.remote,
            "endpoint": error.endpoint,
            "status": error.status_code,
            "message": error.message or None,
            "request_id": error.request_id,
        }
    if next_try_at is not None:
        facts["next_try_at"] = next_try_at.isoformat(timespec="seconds")
    record.note(
        row.space_id,
        step,
        outcome,
        invoice=row if isinstance(row, InvoiceSync) else None,
        member=row if isinstance(row, MemberSync) else None,
        attempt=row.attempts + 1,
        **facts,
    )


def wait_again(row: InvoiceSync | MemberSync) -> None:
    """Put a row that was being written back to waiting: the write was certainly not carried out.

    An unknown outcome stays unknown until a look has settled it.
    """
    if isinstance(row, InvoiceSync):
        row.is_urgent = False
        if row.state == State.SENDING:
            if row.sevdesk_voucher_id is None:  # else the receipt is there, only its tags are not
                row.step = Step.UPLOADED
            record.set_state(row, State.WAITING)
        else:
            record.touch(row)
    elif row.state == State.SENDING:
        row.state = State.WAITING


def say(row: InvoiceSync | MemberSync, cause: Cause) -> None:
    if is_settled(row):
        return  # only its message is still to be posted: the cause stays the invoice's own
    row.cause_code = cause.code
    row.cause_params = dict(cause.params)
