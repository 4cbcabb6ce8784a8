"""A person without a browser: signs in, reads pages, fills in forms, all over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import requests

TIMEOUT_SECONDS = 30
REHEARSAL_SECONDS = 10


class PageFault(AssertionError):
    """A page is not what a person would need next; the message says which and why."""


@dataclass(frozen=True)
class Form:
    """A form with what it would send: hidden fields, values filled in, the first choices."""

    action: str
    method: str
    fields: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class LogRow:
    """An invoice in the log, by its data attributes and the link to its page."""

    number: str
    state: str
    cause: str
    path: str
    text: str


class Page:
    """One answer, parsed as a browser would when something is looked for in it."""

    def __init__(self, answer: requests.Response) -> None:
        self.url = answer.url
        self.status = answer.status_code
        self.html = answer.text

    @cached_property
    def root(self) -> Element:
        parsed: Element = html5lib.parse(self.html, namespaceHTMLElements=False)
        return parsed

    @property
    def has_rows(self) -> bool:
        """Whether there is any invoice: for who asks again and again, and parses nothing."""
        return "data-invoice-number=" in self.html

    @property
    def text(self) -> str:
        return _text(self.root)

    def forms(self) -> list[Form]:
        return [self._form(form) for form in self.root.iter("form")]

    def form(self, path: str) -> Form:
        """Return the form that posts to this path. Raises PageFault when there is none."""
        for form in self.forms():
            if form.method == "post" and urlsplit(form.action).path == path:
                return form
        raise PageFault(f"{self.url} has no form to {path}: {self.text[:800]}")

    def links(self) -> list[tuple[str, str]]:
        """Return address and text of each link."""
        return [
            (urljoin(self.url, link.attrib["href"]), _text(link))
            for link in self.root.iter("a")
            if "href" in link.attrib
        ]

    def rows(self) -> list[LogRow]:
        """Return what carries an invoice number: rows of the log, or the head of an invoice."""
        return [
            LogRow(
                number=found.attrib["data-invoice-number"],
                state=found.attrib.get("data-state", ""),
                cause=found.attrib.get("data-cause", ""),
                path=next(self._invoice_links(found), ""),
                text=_text(found),
            )
            for found in self.root.iter()
            if "data-invoice-number" in found.attrib
        ]

    def _invoice_links(self, row: Element) -> Iterator[str]:
        for link in row.iter("a"):
            path = urlsplit(link.attrib.get("href", "")).path
            if "/invoices/" in path:
                yield path

    def _form(self, form: Element) -> Form:
        fields: dict[str, str] = {}
        for control in form.iter():
            name = control.attrib.get("name")
            if not name or control.tag not in {"input", "select", "textarea"}:
                continue
            kind = control.attrib.get("type", "text")
            if kind in {"radio", "checkbox"} and "checked" not in control.attrib:
                continue
            if kind == "submit":
                continue
            if control.tag == "select":
                options = list(control.iter("option"))
                chosen = [option for option in options if "selected" in option.attrib] or options
                fields[name] = chosen[0].attrib.get("value", "") if chosen else ""
            else:
                fields[name] = control.attrib.get("value", control.text or "")
        return Form(
            action=urljoin(self.url, form.attrib.get("action") or self.url),
            method=form.attrib.get("method", "get").lower(),
            fields=fields,
            text=_text(form),
        )


class Browserless:
    """One person at the portal; cookies stay from page to page."""

    def __init__(self, portal_url: str) -> None:
        self.portal_url = portal_url
        self.http = requests.Session()
        self.http.headers["Accept-Language"] = "de"

    def get(self, path: str, *, expect: int = 200) -> Page:
        return self._page(self.http.get(self._url(path), timeout=TIMEOUT_SECONDS), expect)

    def submit(self, form: Form, *, expect: int = 200, **values: str) -> Page:
        """Send the form as a browser does, with Origin and Referer."""
        parts = urlsplit(form.action)
        origin = f"{parts.scheme}://{parts.netloc}"
        answer = self.http.post(
            form.action,
            data={**form.fields, **values},
            headers={"Origin": origin, "Referer": form.action},
            timeout=TIMEOUT_SECONDS,
        )
        return self._page(answer, expect)

    def sign_in(self, user_id: str, *, start: str = "/login") -> Page:
        """Go from the portal's page over Cobot's login back; returns where one ends up."""
        page = self.get(start)
        if urlsplit(page.url).netloc == urlsplit(self.portal_url).netloc:
            page = self._towards_cobot(page)
        for form in page.forms():
            if form.fields.get("user_id") == user_id:
                back = self.submit(form)
                if urlsplit(back.url).netloc != urlsplit(self.portal_url).netloc:
                    raise PageFault(f"the login did not lead back but to {back.url}")
                return back
        raise PageFault(f"Cobot's login page does not offer {user_id}: {page.text[:500]}")

    def connect(
        self,
        subdomain: str,
        token: str,
        *,
        due_after_days: int = 30,
        cost_centre: str = "",
        check_first: bool = False,
        expect: int = 200,
    ) -> Page:
        """Enter "Deine SevDesk Daten" of a space; returns when the rehearsal that follows is done,
        or takes longer than a person would look at it."""
        path = f"/spaces/{subdomain}/sevdesk"
        page = self.submit(
            self.get(path).form(path),
            expect=expect,
            api_token=token,
            cost_centre_number=cost_centre,
            due_after_days=str(due_after_days),
            **({"check_first": "1"} if check_first else {}),
        )
        until = time.monotonic() + REHEARSAL_SECONDS
        while 'data-task="look-running"' in page.html and time.monotonic() < until:
            time.sleep(0.1)
            page = self.get(f"/spaces/{subdomain}/rehearsal")
        return page

    def log_rows(self, subdomain: str, query: str = "") -> list[LogRow]:
        """Return the rows of all pages of the log."""
        page = self.get(f"/spaces/{subdomain}/log{query}")
        rows, seen = page.rows(), {page.url}
        while True:
            older = [url for url, _ in page.links() if "after=" in url and url not in seen]
            if not older:
                return rows
            seen.add(older[-1])
            page = self.get(older[-1])
            known = {row.number for row in rows}
            rows += [row for row in page.rows() if row.number not in known]

    def log_row(self, subdomain: str, number: str) -> LogRow | None:
        """Return the row of one invoice, found by searching for its number."""
        found = self.get(f"/spaces/{subdomain}/log?q={number}").rows()
        return next((row for row in found if row.number == number), None)

    def retry(self, subdomain: str, cobot_invoice_id: str) -> Page:
        """Press "Erneut versuchen" on an invoice's page."""
        path = f"/spaces/{subdomain}/invoices/{cobot_invoice_id}"
        return self.submit(self.get(path).form(f"{path}/retry"))

    def _towards_cobot(self, page: Page) -> Page:
        for form in page.forms():
            if "Cobot" in form.text and form.method == "post":
                return self.submit(form)
        for url, text in page.links():
            if text in {"Mit Cobot anmelden", "Sign in with Cobot"}:
                return self._page(self.http.get(url, timeout=TIMEOUT_SECONDS), 200)
        raise PageFault(f"{page.url} has no button to sign in with Cobot: {page.text[:500]}")

    def _page(self, answer: requests.Response, expect: int) -> Page:
        page = Page(answer)
        if page.status != expect:
            raise PageFault(f"{page.url} answered {page.status}, not {expect}: {page.text[:800]}")
        return page

    def _url(self, path: str) -> str:
        return urljoin(self.portal_url + "/", path)


def _text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())
