"""Watches what a browser says while a person uses the portal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

# Runs in the page before anything else; a violation becomes an error in the console.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""
# Chromium says the first, htmx the second.
STATUS = re.compile(r"(?:responded with a status of|Response Status Error Code) (\d+)")


class Watch:
    """Collects errors of the console and the pages, refusals of the policy, and all addresses."""

    def __init__(self, context: BrowserContext, portal_url: str) -> None:
        self._portal_url = portal_url
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._allowed: set[int] = set()
        self._is_deaf = False
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.faults.append(f"error in a page: {error.error}"))
        context.on("request", self._on_request)

    def hosts(self) -> set[str]:
        return {urlsplit(url).netloc for url in self.requests}

    @contextmanager
    def allowing(self, *statuses: int) -> Iterator[None]:
        """Expect answers with these statuses, which Chromium logs as errors, in this block."""
        before = self._allowed
        self._allowed = before | set(statuses)
        yield
        self._allowed = before

    @contextmanager
    def allowing_all(self) -> Iterator[None]:
        self._is_deaf = True
        yield
        self._is_deaf = False

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"} or self._is_deaf:
            return
        where = message.location.get("url", "")
        if where and not where.startswith(self._portal_url):
            return  # Cobot's page is not ours
        status = STATUS.search(message.text)
        if status and int(status.group(1)) in self._allowed:
            return
        self.faults.append(f"{message.type}: {message.text} ({where})")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)


def let_settle(page: Page) -> None:
    """Give the browser's messages the time to arrive: a round trip through the page."""
    if not page.is_closed():
        page.wait_for_load_state()
        page.title()
