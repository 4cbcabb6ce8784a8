"""Style sheets and scripts, each kind as one answer: a first visit asks for few files.

The files stay apart where they are written; here they are joined once a process, and compressed
once. Nothing of a person is in them, so compressing gives nothing away.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, current_app, request

SHEETS = (
    *("portal", "frame", "forms", "boxes", "cards", "menus", "filters", "tables"),
    *("facts", "checks", "chart", "narrow", "print"),
)
"""In this order: where two say something of the same, the later one holds."""
BUNDLES = {
    "all.css": tuple(f"{name}.css" for name in SHEETS),
    "all.js": ("vendor/htmx.org@2.0.11/htmx.min.js", "live.js", "portal.js"),
}
FOR_PAPER = "print.css"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class Bundle:
    """Files in one; `version` changes with any of them."""

    body: bytes
    packed: bytes
    version: str


@lru_cache
def bundle(folder: Path, name: str) -> Bundle:
    """Return a bundle by its name."""
    # A script that does not end with a semicolon must not run into the next one.
    between = b"\n;\n" if name.endswith(".js") else b"\n"
    body = between.join(_read(folder, part) for part in BUNDLES[name])
    return Bundle(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:12])


def _read(folder: Path, part: str) -> bytes:
    body = (folder / part).read_bytes()
    return b"@media print {\n%b}\n" % body if part == FOR_PAPER else body


def register_bundles(app: Flask) -> None:
    """Let the address of static files answer for bundles, too."""
    send_file = app.view_functions["static"]

    def send(filename: str) -> Response:
        if filename not in BUNDLES:
            return send_file(filename=filename)  # type: ignore[return-value]
        return _send(filename)

    app.view_functions["static"] = send


def _send(name: str) -> Response:
    found = bundle(Path(str(current_app.static_folder)), name)
    is_packed = bool(request.accept_encodings["gzip"])
    answer = Response(
        found.packed if is_packed else found.body, content_type=TYPES[Path(name).suffix]
    )
    if is_packed:
        answer.content_encoding = "gzip"
    answer.vary.add("Accept-Encoding")
    answer.cache_control.public = True
    answer.cache_control.max_age = current_app.get_send_file_max_age(name)
    answer.set_etag(f"{found.version}{'-gzip' if is_packed else ''}")
    answer.make_conditional(request)
    return answer
