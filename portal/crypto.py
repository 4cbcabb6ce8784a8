"""Secrets at rest: AES-256-GCM, each ciphertext bound to the row and the field it belongs to.

A sealed value copied to another space or another field does not open (security: associated data).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.errors import PortalError
from portal.redaction import remember_secret

NONCE_BYTES = 12
KEY_ID_BYTES = 4


class SealBroken(PortalError):
    """The sealed value does not open: key missing, value changed, or of another row or field."""


class Sealer:
    """Seals with the first key, opens with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        raw = [base64.b64decode(key) for key in keys]
        self._first = self._key_id(raw[0])
        self._ciphers = {self._key_id(key): AESGCM(key) for key in raw}

    def __repr__(self) -> str:
        return f"Sealer(keys={len(self._ciphers)})"

    @staticmethod
    def _key_id(key: bytes) -> bytes:
        return hashlib.sha256(b"key id|" + key).digest()[:KEY_ID_BYTES]

    def seal(self, text: str, *, context: str) -> bytes:
        """Return the sealed text; `context` names row and field: "space|s-1|sevdesk_token"."""
        remember_secret(text)
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, text.encode(), context.encode())
        return self._first + nonce + sealed

    def is_newest(self, sealed: bytes) -> bool:
        """Say whether the first key sealed this; it may still not open."""
        return sealed[:KEY_ID_BYTES] == self._first

    def open(self, sealed: bytes, *, context: str) -> str:
        """Return the text again. Raises SealBroken when key, context or value do not fit."""
        key_id, rest = sealed[:KEY_ID_BYTES], sealed[KEY_ID_BYTES:]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken(f"no key opens {context}")
        try:
            opened = cipher.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as err:
            raise SealBroken(f"{context} does not open") from err
        text = opened.decode()
        remember_secret(text)
        return text


def new_key() -> str:
    """Return a new key for TOKEN_KEYS: 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def digest(secret: str) -> str:
    """Return the SHA-256 of a random secret in hex: to find its row without keeping the secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
