"""What of a log line or an error report may be written: no secret, no line break, no control sign.

A secret is known by its value (settings, and everything that was sealed or opened in this process),
by the name of its field, or by its shape.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MASK = "…"
SHORTEST = 8
"""A shorter value is no secret of ours, and its letters may be any word's."""
MOST_REMEMBERED = 1000
"""The latest ones; those of the settings are kept beside."""
DEEPEST = 8

HIDDEN_NAMES = frozenset(
    [
        "authorization",
        "authorization_code",
        "code_verifier",
        "cookie",
        "csrf_token",
        "hook_secret",
        "password",
        "proxy_authorization",
        "secret",
        "set_cookie",
        "token",
        "x_csrf_token",
        "x_csrftoken",
    ]
)
ID_NAMES = frozenset(["remote_id", "request_id"])
"""Fields of ids that were checked where they came in. Cobot's are 32 hex digits, as tokens of
sevdesk are, and support looks for them: only known secrets are blotted out of them. Source: the
examples in https://dev.cobot.me/api-docs/invoices"""
HIDDEN_ENDS = ("_token", "_secret", "_password", "_keys", "_dsn")
SHAPES = re.compile(
    r"(/hooks/cobot/|/access_tokens/)[^/\s?\"']+"  # the two addresses that hold a secret
    r"|(\b(?:Bearer|Basic)\s+)[^\s\"',;]+"
    r"|(://)[^/\s@:]*:[^/\s@]*(?=@)"
    r"|(?<![\w-])[\w-]{43}(?![\w-])"  # 256 bits as we write them
    r"|\b[0-9A-Fa-f]{32,}\b",
)

_of_settings: set[str] = set()
_remembered: OrderedDict[str, None] = OrderedDict()
_begins: Counter[str] = Counter()
"""How many of both begin with these letters."""
_lock = threading.Lock()
_known = 0
"""Counts up with each new secret: what was looked through before may hold it."""
SHORT = 80
"""Texts up to this length are remembered once they are clean: names and words of every line."""


def never_write(*secrets: str) -> None:
    """Blot these values out of everything that is written from now on: secrets of the settings."""
    with _lock:
        for secret in secrets:
            if len(secret) >= SHORTEST and secret not in _of_settings:
                _of_settings.add(secret)
                _begin(secret)


def remember_secret(secret: str) -> None:
    """Blot out a secret that was just used; the oldest of many is forgotten."""
    if len(secret) < SHORTEST:
        return
    with _lock:
        if secret not in _remembered:
            _begin(secret)
        _remembered[secret] = None
        _remembered.move_to_end(secret)
        if len(_remembered) > MOST_REMEMBERED:
            forgotten, _ = _remembered.popitem(last=False)
            begin = forgotten[:SHORTEST]
            _begins[begin] -= 1
            if not _begins[begin]:
                del _begins[begin]


def _begin(secret: str) -> None:
    global _known
    _begins[secret[:SHORTEST]] += 1
    _known += 1


def clean(value: Any, name: str = "") -> Any:
    """Return a value that may be written: the same shape, texts on one line and without secrets.

    `name` is that of its field.
    """
    return _clean(value, name, DEEPEST)


def clean_text(text: str) -> str:
    """Return the text without secrets; control signs and line breaks are written as escapes."""
    if len(text) > SHORT:
        return one_line(without_secrets(text))
    return _clean_short(text, _known)


@lru_cache(maxsize=2000)
def _clean_short(text: str, _known: int) -> str:
    return one_line(without_secrets(text))


def without_secrets(text: str) -> str:
    """Return the text with known secrets and what looks like one blotted out."""
    return SHAPES.sub(
        lambda hit: next((kept for kept in hit.groups() if kept), "") + MASK, _without_known(text)
    )


def _without_known(text: str) -> str:
    if _may_hold_one(text):
        with _lock:
            known = [*_of_settings, *_remembered]
        for secret in known:
            if secret in text:
                text = text.replace(secret, MASK)
    return text


def _may_hold_one(text: str) -> bool:
    """Say whether a known secret begins anywhere in the text.

    A worker knows hundreds, and hardly a line holds one: to ask for each beginning is a few looks
    into a dictionary, to search for each secret is a thousand searches.
    """
    last = len(text) - SHORTEST + 1
    return not _begins.keys().isdisjoint([text[at : at + SHORTEST] for at in range(last)])


def one_line(text: str) -> str:
    """Write signs that move the cursor, end a line or turn its direction as escapes."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


@lru_cache(maxsize=1000)
def is_hidden(name: str) -> bool:
    """Say whether a field of this name holds a secret."""
    folded = name.lower().replace("-", "_")
    return folded in HIDDEN_NAMES or folded.endswith(HIDDEN_ENDS)


def _clean(value: Any, name: str, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {
            clean_text(str(key)): MASK if is_hidden(str(key)) else _clean(part, str(key), depth - 1)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(part, name, depth - 1) for part in value]
    if name in ID_NAMES:
        return one_line(_without_known(str(value)))
    return clean_text(str(value))
