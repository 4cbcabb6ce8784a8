"""Both languages are complete, and vendored files are what they say."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from flask.testing import FlaskClient

from portal.models import State
from portal.services import wording
from portal.sync.messages import CATALOGUE, RETRY_KINDS
from tests.web.conftest import Cast

ROOT = Path(__file__).resolve().parents[2]
TRANSLATIONS = ROOT / "portal" / "translations"
STATIC = ROOT / "static"
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
LONG = 40
"""Signs; the same by chance is no text of more."""


@pytest.fixture(scope="module")
def german() -> Catalog:
    with (TRANSLATIONS / "de/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale="de")


@pytest.fixture(scope="module")
def extracted() -> set[str | tuple[str, ...]]:
    """Every message of code and templates, as pybabel extract finds them."""
    with (TRANSLATIONS / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(
        ROOT,
        methods,
        options,
        keywords=DEFAULT_KEYWORDS,
        directory_filter=lambda folder: (
            Path(folder).name in {"portal", "jobs", "templates"} | _inner_folders()
        ),
    )
    return {message for _, _, message, _, _ in found}


def _inner_folders() -> set[str]:
    return {
        folder.name
        for top in ("portal", "jobs", "templates")
        for folder in (ROOT / top).rglob("*")
        if folder.is_dir()
    }


def test_no_german_text_holds_an_english_one(german: Catalog) -> None:
    """As happens where two entries are taken for one."""
    english = [one.id for one in german if isinstance(one.id, str) and len(one.id) > LONG]
    mixed = [one.string for one in german if any(text in str(one.string) for text in english)]
    assert mixed == []


def test_every_message_has_a_german_one(
    german: Catalog, extracted: set[str | tuple[str, ...]]
) -> None:
    assert len(extracted) > 250
    missing = []
    for message in extracted:
        entry = german.get(message if isinstance(message, str) else message[0])
        texts = entry.string if entry is not None else ""
        if not all([texts] if isinstance(texts, str) else texts):
            missing.append(message)
    assert missing == []


def test_no_message_is_fuzzy_or_no_longer_used(
    german: Catalog, extracted: set[str | tuple[str, ...]]
) -> None:
    used = {message if isinstance(message, str) else message[0] for message in extracted}
    for entry in german:
        if not entry.id:
            continue
        assert not entry.fuzzy, entry.id
        assert (entry.id if isinstance(entry.id, str) else entry.id[0]) in used
    assert not german.obsolete


def test_german_keeps_the_placeholders(german: Catalog) -> None:
    for entry in german:
        if not entry.id or isinstance(entry.id, tuple):
            continue
        assert isinstance(entry.string, str)
        assert set(PLACEHOLDER.findall(entry.id)) == set(PLACEHOLDER.findall(entry.string))


def test_german_says_du(german: Catalog) -> None:
    for entry in german:
        texts = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        for text in texts:
            assert not re.search(r"\b(Ihr|Ihre|Ihnen|Ihren)\b", str(text)), text


def test_sevdesk_is_spelled_as_it_spells_itself(german: Catalog) -> None:
    """One page alone has a name of its own, that of the help page's picture."""
    texts = [str(text) for entry in german for text in (entry.id, entry.string)]
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        prose = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        texts.append(prose)
    wrong = [
        text[max(0, found.start() - 20) : found.end() + 20]
        for text in (one.replace("Deine SevDesk Daten", "") for one in texts)
        for found in re.finditer("sevdesk", text, re.IGNORECASE)
        if found[0] != "sevdesk"
    ]
    assert wrong == []


def test_every_state_and_every_way_on_has_words() -> None:
    assert set(wording.STATES) == set(wording.STATE_ICONS) == set(wording.STATE_MEANINGS)
    assert set(wording.STATES) == set(State)
    silent = {"none", "optional"}
    assert {entry.retry for entry in CATALOGUE.values()} <= set(RETRY_KINDS)
    assert set(wording.NEXT_STEPS) == set(RETRY_KINDS) - silent


def test_every_step_the_services_write_has_words() -> None:
    pattern = re.compile(
        r"(?:note|note_row)\(\s*[\w.]+,\s*\"(\w+)\"|\bstep=\"(\w+)\"", re.MULTILINE
    )
    for path in (ROOT / "portal" / "services").glob("*.py"):
        for groups in pattern.findall(path.read_text()):
            step = next(name for name in groups if name)
            assert step in wording.STEPS, f"{path.name} writes the step {step}"


def test_every_reason_to_turn_a_hook_away_has_words() -> None:
    for path in (ROOT / "portal").rglob("*.py"):
        for code in re.findall(r"BadHook\(\"(\w+)\"\)", path.read_text()):
            assert code in wording.HOOK_REASONS


def test_vendored_files_are_those_of_the_lock() -> None:
    lock = json.loads((STATIC / "vendor/vendor.lock").read_text())
    listed = set()
    for file in lock["files"]:
        path = STATIC / "vendor" / file["path"]
        digest = hashlib.sha384(path.read_bytes()).digest()
        assert base64.b64encode(digest).decode() == file["sha384"]
        listed.add(path)
    scripts = set((STATIC / "vendor").rglob("*.js"))
    assert scripts == listed


def test_a_page_weighs_less_than_60_kb_with_everything_it_loads(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for _ in range(50):
        add_invoice(cast.alpha, State.FAILED, cause_code="account_missing", member="Anna Muster")
    page = owner.get("/spaces/alpha/log").text
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(addresses) == 4
    parts = [page.encode()]
    for address in addresses:
        with owner.get(address) as answer:
            parts.append(answer.data)
    assert sum(len(gzip.compress(part)) for part in parts) < 60_000


def test_each_reads_a_spaces_menu_in_their_own_language(
    cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    """What is imported by a template is made once a process: no word may stand there."""
    words = {"de": "Einstellungen", "en": "Settings"}
    for language in ("de", "en", "de"):
        page = sign_in(cast.owner, language=language).get("/spaces/alpha/log").text
        menu = page.partition('class="space-head"')[2].partition("</div>")[0]
        assert words[language] in menu
        assert words["en" if language == "de" else "de"] not in menu
