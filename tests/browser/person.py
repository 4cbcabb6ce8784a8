"""A person at the portal with a real browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.watch import Watch, let_settle

WIDE, PHONE = (1280, 900), (360, 740)
LOCALES = {"de": "de-DE", "en": "en-GB"}
WORDS = {
    "de": {
        "sign in": "Mit Cobot anmelden",
        "denied": "Du hast den Zugriff nicht erlaubt",
        "token": "API-Token",
        "days": "Belege fällig nach (Tagen)",
        "cost centre": "Kostenstellen-Nummer (optional)",
        "where": "Wo finde ich den API-Token?",
        "retry": "Erneut versuchen",
        "find contact": "Kontakt jetzt suchen",
        "synced": "Übertragen",
        "mismatched": "Ohne Kontakt übertragen",
        "failed": "Nicht übertragen",
        "pause": "Aktualisierung anhalten",
        "refused": "sevdesk lehnt den API-Token ab",
        "missing": "In sevdesk gibt es kein Buchungskonto „Telefonkabine“.",
        "to do": "Zu erledigen",
        "all": "Alle",
        "read only": "nur lesen",
        "valid": "Token gültig",
        "reason": "Grund",
        "open to read": "Zum Lesen öffnen",
        "to log": "Zum Protokoll",
        "switch on": "Einschalten",
        "off": "Die Übertragung ist noch nicht eingeschaltet",
        "waiting": "Wartet",
        "assign": "Fest zuordnen",
        "by hand": "fest zugeordnet",
        "blank": "nur ein Leerzeichen anders",
    },
    "en": {
        "sign in": "Sign in with Cobot",
        "denied": "You did not allow the access",
        "token": "API token",
        "days": "Receipts due after (days)",
        "cost centre": "Cost centre number (optional)",
        "where": "Where do I find the API token?",
        "retry": "Retry",
        "find contact": "Look for the contact now",
        "synced": "Synced",
        "mismatched": "Synced without contact",
        "failed": "Not synced",
        "pause": "Pause the updates",
        "refused": "sevdesk refuses the API token",
        "missing": "sevdesk has no booking account “Telefonkabine”.",
        "to do": "To do",
        "all": "All",
        "read only": "read only",
        "valid": "Token valid",
        "reason": "Reason",
        "open to read": "Open to read",
        "to log": "To the log",
        "switch on": "Switch on",
        "off": "Sync is not switched on yet",
        "waiting": "Waiting",
        "assign": "Assign by hand",
        "by hand": "assigned by hand",
        "blank": "only a blank differs",
    },
}


class Person:
    """One browser context with one page; everything it says is watched."""

    def __init__(
        self,
        browser: Browser,
        portal_url: str,
        *,
        language: str = "de",
        size: tuple[int, int] = WIDE,
        scheme: str = "light",
        scripts: bool = True,
        cookies: Mapping[str, str] | None = None,
    ) -> None:
        self.context: BrowserContext = browser.new_context(
            base_url=portal_url,
            locale=LOCALES[language],
            timezone_id="Europe/Berlin",
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(10_000)
        self.watch = Watch(self.context, portal_url)
        self.portal_url = portal_url
        self.words = WORDS[language]
        self.has_scripts = scripts
        for name, value in (cookies or {}).items():
            self.context.add_cookies([{"name": name, "value": value, "url": portal_url}])
        self.page: Page = self.context.new_page()

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def faults(self) -> list[str]:
        """Return what the browser complained about so far."""
        for page in self.context.pages:
            let_settle(page)
        return self.watch.faults

    def open(self, path: str, *, status: int = 200) -> Page:
        with self.watch.allowing(*({status} - {200})):
            answer = self.page.goto(path) or self.page.reload()
            assert answer is not None
            assert answer.status == status, (path, answer.status)
            let_settle(self.page)
        return self.page

    @contextmanager
    def refused(self, status: int = 422) -> Iterator[None]:
        """Expect that something sent in this block is answered so."""
        with self.watch.allowing(status):
            yield
            let_settle(self.page)

    def sign_in(self, name: str) -> None:
        """Press the portal's button, then choose a person on Cobot's page."""
        self.page.get_by_role("link", name=self.words["sign in"]).click()
        self.page.get_by_role("button", name=name).click()
        self.page.wait_for_url(f"{self.portal_url}/**")

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Cut the connection in this block; what the browser says of that is expected."""
        with self.watch.allowing_all():
            self.context.set_offline(True)
            yield
            self.context.set_offline(False)

    def later(self, seconds: float) -> None:
        """Let the page's clock jump: what it does by the time, it does now."""
        self.page.clock.fast_forward(int(seconds * 1000))

    def button(self, word: str) -> Locator:
        return self.page.get_by_role("button", name=self.words[word])

    def row(self, number: str) -> Locator:
        """Return the row of an invoice in the log, or the head of its page."""
        return self.page.locator(f'[data-invoice-number="{number}"]')

    def expect_state(self, number: str, state: str, *, seconds: float = 30) -> None:
        """Wait until the page shows the invoice so; without scripts it is loaded anew."""
        row = self.row(number)
        if self.has_scripts:
            expect(row).to_have_attribute("data-state", state, timeout=seconds * 1000)
        else:
            shown = self.page.locator(f'[data-invoice-number="{number}"][data-state="{state}"]')
            self.reload_until(lambda: shown.count() == 1, seconds=seconds)
        if state in self.words:
            expect(row).to_contain_text(self.words[state])

    def reload_until(self, is_so, *, seconds: float = 30) -> None:  # type: ignore[no-untyped-def]
        """Load the page anew until it is so. A form that was just sent comes to its end first."""
        self.page.wait_for_load_state("networkidle")
        for _ in range(int(seconds * 4)):
            if is_so():
                return
            self.page.wait_for_timeout(250)
            self.page.reload()
        raise AssertionError(f"{self.page.url} does not show it after {seconds} s")
