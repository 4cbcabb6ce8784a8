"""What can go wrong, cut by what the caller does next."""

from __future__ import annotations


class PortalError(Exception):
    """Base of all errors we raise on purpose."""


class RemoteError(PortalError):
    """A call to Cobot or sevdesk did not give what was asked for.

    `remote` is "cobot" or "sevdesk"; `endpoint` is the method and the path template, never the
    path itself (paths may hold tokens); `message` is what the remote side said, for support.
    """

    def __init__(
        self,
        message: str = "",
        *,
        remote: str = "",
        endpoint: str = "",
        status_code: int | None = None,
        remote_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remote = remote
        self.endpoint = endpoint
        self.status_code = status_code
        self.remote_code = remote_code
        self.request_id = request_id

    def __str__(self) -> str:
        status = f" answered {self.status_code}" if self.status_code else ""
        return f"{self.remote} {self.endpoint}{status}: {self.message}".strip()


class TemporaryError(RemoteError):
    """Nothing was done over there; try again later: refused connection, 429, 503, any failed GET.

    `retry_after_seconds` is what the remote side asked for, None when it asked for nothing.
    """

    def __init__(
        self, message: str = "", *, retry_after_seconds: float | None = None, **facts: object
    ) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]
        self.retry_after_seconds = retry_after_seconds


class BudgetExhausted(TemporaryError):
    """Our own limit of calls is used up; nothing was sent. `retry_after_seconds` is always set."""


class OutcomeUnknown(RemoteError):
    """A write was sent and the answer is missing: time-out, reset, 5xx, 2xx without id.

    Never repeat it; look first.
    """


class PermanentError(RemoteError):
    """Trying again changes nothing until a person acts: refused token, rejected voucher."""


class TokenRefused(PermanentError):
    """401: the token is unknown, revoked or of another system."""


class SpaceSuspended(PermanentError):
    """402: Cobot has suspended the space."""


class Forbidden(PermanentError):
    """403: the token is good, the right or the plan is missing."""


class NotFound(PermanentError):
    """The thing asked for is not (or no longer) there: 404, and 400 on sevdesk's GET by id."""


class Rejected(PermanentError):
    """400, 409 or 422: the remote side understood and refuses; certainly nothing was written."""


class UnusableAnswer(PermanentError):
    """A read was answered with something we cannot use: not JSON, fields missing, too large."""


class OutsideSpace(PortalError):
    """A statement would have touched rows of a space that was not entered; it was not run."""


class BadHook(PortalError):
    """A webhook names an address that is not this space's own; nothing was fetched.

    `reason_code` says which check failed, without a part of the address.
    """

    def __init__(self, reason_code: str) -> None:
        super().__init__(reason_code)
        self.reason_code = reason_code
