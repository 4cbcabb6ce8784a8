"""Bring the German catalogue up to date: what is new is listed, what is gone is removed.

`python tools/messages.py` extracts all messages and rewrites the .po file; texts for new messages
can be given as a JSON file {"English": "German"}. Exits with 1 while any message has no German.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "portal/translations/de/LC_MESSAGES/messages.po"
FOLDERS = ("portal", "jobs", "templates")


def main(given: dict[str, str]) -> int:
    """Rewrite the catalogue; return how many messages still have no German."""
    with (ROOT / "portal/translations/babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    with PO.open("rb") as file:
        old = read_po(file, locale="de")
    new = Catalog(locale="de", header_comment=old.header_comment, fuzzy=False)
    new.mime_headers = old.mime_headers
    for message, context in _found(methods, options):
        key = message[0] if isinstance(message, tuple) else message
        before = old.get(key, context)
        german = given.get(key) or (before.string if before else "")
        new.add(message, german, context=context)
    missing = [one.id for one in new if one.id and not _is_complete(one.string)]
    out = io.BytesIO()
    write_po(out, new, sort_output=True, no_location=True, omit_header=False, width=100)
    PO.write_bytes(out.getvalue())
    for one in missing:
        print(one)
    return len(missing)


def _is_complete(german: str | list[str] | tuple[str, ...]) -> bool:
    return bool(german) and all([german] if isinstance(german, str) else german)


def _found(
    methods: list[tuple[str, str]], options: dict[str, dict[str, str]]
) -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    """Yield every message of code and templates, with its context."""
    inside = {
        folder.name
        for top in FOLDERS
        for folder in (ROOT / top, *(ROOT / top).rglob("*"))
        if folder.is_dir()
    }
    for _path, _line, message, _comments, context in extract_from_dir(
        ROOT,
        methods,
        options,
        keywords=DEFAULT_KEYWORDS,
        directory_filter=lambda folder: Path(folder).name in inside,
    ):
        yield message, context


if __name__ == "__main__":
    texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")) if sys.argv[1:] else {}
    sys.exit(1 if main(texts) else 0)
