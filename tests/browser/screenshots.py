"""Pictures of every page in every state: `make screenshots` writes them to var/screenshots/."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from html import escape
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import launch
from tests.browser.person import PHONE, WIDE, Person
from tests.browser.planted import Planted, plant
from tests.browser.running import running
from tests.browser.screens import Screen, screens
from tests.browser.world import OWNER
from tests.browserless import Browserless
from tests.stack import Stack

TARGET = Path("var/screenshots")
# How each screen is looked at: language, light or dark, size.
WAYS = {
    "de-light": ("de", "light", WIDE),
    "de-dark": ("de", "dark", WIDE),
    "de-phone": ("de", "light", PHONE),
    "de-phone-dark": ("de", "dark", PHONE),
    "en-light": ("en", "light", WIDE),
    "en-phone": ("en", "light", PHONE),
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Screenshots</title>
<style>body{{font:16px system-ui;margin:2rem;background:#888}}h2{{margin:2rem 0 .5rem}}
div{{display:flex;gap:1rem;overflow-x:auto;align-items:flex-start}}figure{{margin:0}}
img{{height:420px;border:1px solid #444}}</style>
<h1>{count} screenshots</h1>{rows}"""


def main() -> int:
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    folder = Path(tempfile.mkdtemp(prefix="screenshots-"))
    try:
        with running(folder) as stack, sync_playwright() as playwright:
            taken = _take_all(stack, launch(playwright))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _write_index(taken)
    print(f"{sum(map(len, taken.values()))} screenshots: {TARGET / 'index.html'}")
    return 0


def _take_all(stack: Stack, browser: Browser) -> dict[str, list[str]]:
    people = {None: Browserless(stack.portal_url)}
    people[OWNER] = Browserless(stack.portal_url)
    people[OWNER].sign_in(OWNER)
    planted = plant(stack, people[OWNER])
    taken: dict[str, list[str]] = {}
    for screen in screens(planted):
        if screen.user not in people:
            people[screen.user] = Browserless(stack.portal_url)
            people[screen.user].sign_in(str(screen.user))
    for way in WAYS:
        for name, file in _take(stack, browser, planted, people, way):
            taken.setdefault(name, []).append(file)
    return taken


def _take(
    stack: Stack,
    browser: Browser,
    planted: Planted,
    people: dict[str | None, Browserless],
    way: str,
) -> list[tuple[str, str]]:
    language, scheme, size = WAYS[way]
    open_people: dict[str | None, Person] = {}
    files = []
    for screen in screens(planted):
        if screen.user not in open_people:
            cookies = dict(people[screen.user].http.cookies)
            open_people[screen.user] = Person(
                browser, stack.portal_url, language=language, size=size, scheme=scheme,
                cookies=cookies,
            )  # fmt: skip
        files.append((screen.name, _picture(open_people[screen.user], screen, way)))
    for one in open_people.values():
        one.context.close()
    return files


def _picture(person: Person, screen: Screen, way: str) -> str:
    file = f"{re.sub('[^a-z0-9]+', '-', screen.name)}.{way}.png"
    screen.show(person).screenshot(path=TARGET / file, full_page=True, animations="disabled")
    return file


def _write_index(taken: dict[str, list[str]]) -> None:
    rows = "".join(
        f"<h2>{escape(name)}</h2><div>"
        + "".join(
            f'<figure><a href="{file}"><img src="{file}" alt="" loading="lazy"></a>'
            f"<figcaption>{file.split('.')[1]}</figcaption></figure>"
            for file in files
        )
        + "</div>"
        for name, files in taken.items()
    )
    count = sum(map(len, taken.values()))
    (TARGET / "index.html").write_text(PAGE.format(count=count, rows=rows), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
