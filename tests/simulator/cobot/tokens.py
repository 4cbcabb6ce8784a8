"""Tokens and login codes of Cobot: made, found, revoked."""

import secrets
import time
from dataclasses import dataclass, field

CODE_LIFE_SECONDS = 120


@dataclass(frozen=True)
class Token:
    """A bearer token; with `space_id` it belongs to that space, and `user_id` is who made it."""

    value: str
    user_id: str
    client_id: str
    scopes: tuple[str, ...]
    space_id: str | None = None


@dataclass(frozen=True)
class LoginCode:
    """What a login promised to one app at one redirect URI, good for a single exchange."""

    value: str
    user_id: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None
    made_at: float


@dataclass
class TokenStore:
    """All tokens that are valid and all codes not yet exchanged."""

    _tokens: dict[str, Token] = field(default_factory=dict)
    _codes: dict[str, LoginCode] = field(default_factory=dict)

    def make_code(
        self,
        *,
        user_id: str,
        client_id: str,
        redirect_uri: str,
        scopes: tuple[str, ...],
        challenge: str | None,
    ) -> LoginCode:
        """Return a fresh login code."""
        code = LoginCode(
            value=secrets.token_hex(16),
            user_id=user_id,
            client_id=client_id,
            redirect_uri=redirect_uri,
            scopes=scopes,
            challenge=challenge,
            made_at=time.monotonic(),
        )
        self._codes[code.value] = code
        return code

    def take_code(self, value: str) -> LoginCode | None:
        """Return the code and forget it; None when it is unknown, used or too old."""
        code = self._codes.pop(value, None)
        if code is None or time.monotonic() - code.made_at > CODE_LIFE_SECONDS:
            return None
        return code

    def make_token(
        self, *, user_id: str, client_id: str, scopes: tuple[str, ...], space_id: str | None = None
    ) -> Token:
        """Return a fresh token; it never expires by time."""
        token = Token(secrets.token_hex(32), user_id, client_id, scopes, space_id)
        self._tokens[token.value] = token
        return token

    def find(self, value: str) -> Token | None:
        """Return the valid token with this value."""
        return self._tokens.get(value)

    def revoke(self, value: str) -> None:
        """Make one token worthless."""
        self._tokens.pop(value, None)

    def revoke_space(self, space_id: str) -> int:
        """Make all tokens of a space worthless; returns how many."""
        return self._revoke([t for t in self._tokens.values() if t.space_id == space_id])

    def revoke_user(self, user_id: str) -> int:
        """Make a person's own tokens worthless, not those of a space; returns how many."""
        return self._revoke(
            [t for t in self._tokens.values() if t.user_id == user_id and t.space_id is None]
        )

    def _revoke(self, doomed: list[Token]) -> int:
        for token in doomed:
            del self._tokens[token.value]
        return len(doomed)
