"""Who may do what: bearer tokens, scopes, admin rights, suspended spaces, calls per minute."""

from collections.abc import Callable
from typing import NoReturn

from flask import request

from tests.simulator.cobot.state import CobotSide, Space, User
from tests.simulator.cobot.tokens import Token
from tests.simulator.limits import Limits


class Refusal(Exception):
    """An answer that is not a success; each API writes it in its own shape."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str = "base",
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = {field: detail}
        self.retry_after_seconds = retry_after_seconds


class Access:
    """The checks in front of every call on Cobot, in the order 401, 429, 403, 404, 402."""

    def __init__(self, get_side: Callable[[], CobotSide], limits: Limits) -> None:
        self._get_side = get_side
        self._limits = limits

    def caller(self, *scopes: str) -> Token:
        """Return the token of this call: valid, with all the scopes and some calls left."""
        token = self._token()
        user = self.person_of(token)
        name = user.id if user else token.user_id
        wait = self._limits.cobot_wait_seconds(
            name, request.method, _endpoint(), is_member_list=_is_member_list()
        )
        if wait:
            raise Refusal(429, "rate limit exceeded", retry_after_seconds=wait)
        missing = [scope for scope in scopes if scope not in token.scopes]
        if missing:
            refuse(403, f"the scope {missing[0]} is missing")
        return token

    def person_of(self, token: Token) -> User | None:
        """Return the user in whose name the token acts.

        A space's token is its maker's while that person is an admin of the space, then its owner's.
        """
        side = self._get_side()
        user = side.users.get(token.user_id)
        if token.space_id is None or (user and token.space_id in user.admin_of):
            return user
        space = side.spaces.get(token.space_id)
        return next(side.admins(space), None) if space else None

    def enter(self, token: Token, space: Space | None, *, own_space_only: bool = True) -> Space:
        """Return the space when the token's person is an admin of it and it is not suspended.

        With `own_space_only` a space's token opens no other space, even one of the same person.
        """
        if space is None:
            refuse(404, "not found")
        person = self.person_of(token)
        if person is None or space.id not in person.admin_of:
            refuse(403, "you are not an admin of this space")
        if own_space_only and token.space_id not in (None, space.id):
            refuse(403, "this token belongs to another space")
        if space.suspended:
            refuse(402, "this space is suspended")
        return space

    def _token(self) -> Token:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        token = self._get_side().tokens.find(value.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            refuse(401, "the access token is missing or was revoked")
        return token


def refuse(status: int, detail: str, field: str = "base") -> NoReturn:
    """End the call with this answer."""
    raise Refusal(status, detail, field=field)


def bearer_value(authorization: str) -> str | None:
    """Return what stands behind "Bearer" in the header, or None."""
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _endpoint() -> str:
    return request.url_rule.rule if request.url_rule else request.path


def _is_member_list() -> bool:
    return request.method == "GET" and _endpoint().endswith("/api/memberships")
