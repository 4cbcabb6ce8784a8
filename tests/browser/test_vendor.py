"""What is vendored for the tests is what the lock says."""

from __future__ import annotations

import base64
import json
from hashlib import sha384
from pathlib import Path

VENDOR = Path(__file__).parent / "vendor"


def test_axe_is_the_file_of_the_lock() -> None:
    lock = json.loads((VENDOR / "vendor.lock").read_text())
    for file in lock["files"]:
        digest = sha384((VENDOR / file["path"]).read_bytes()).digest()
        assert base64.b64encode(digest).decode() == file["sha384"], file["path"]
    locked = {VENDOR / file["path"] for file in lock["files"]}
    assert locked == set(VENDOR.rglob("*.js"))
