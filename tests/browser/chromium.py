"""Debian's Chromium, or whichever CHROMIUM names, started for tests."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox: containers often forbid what it needs, and only pages of our own are opened.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def chromium() -> str | None:
    """Return the path of the browser, None when there is none."""
    named = os.environ.get("CHROMIUM")
    found = (shutil.which(name) for name in ((named,) if named else NAMES))
    return next((path for path in found if path), None)


def launch(playwright: Playwright) -> Browser:
    """Start the browser without a window. Raises RuntimeError when there is none."""
    path = chromium()
    if path is None:
        raise RuntimeError("no Chromium found: install one, or name it with CHROMIUM=<path>")
    return playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
