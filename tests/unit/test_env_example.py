""".env.example, docs/operations.md and the settings themselves name the same things."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from portal.config import Config, load_config
from portal.crypto import new_key
from portal.stack import ROOT
from tests.stack import default_settings

EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
SETTINGS = {name.upper() for name in Config.model_fields}


def example() -> dict[str, str]:
    """Return what stands there, a line that is commented out as well: it shows a default, too."""
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE))


def test_the_example_names_every_setting_and_no_other() -> None:
    assert set(example()) == SETTINGS


def test_the_example_shows_the_defaults() -> None:
    shown = {name: value for name, value in example().items() if value}
    assert shown == {name: value for name, value in default_settings().items() if value}


def test_every_setting_has_a_comment_before_it() -> None:
    lines = EXAMPLE.splitlines()
    bare = [
        line
        for before, line in pairwise(lines)
        if re.match(r"#?[A-Z_]+=", line) and not before.startswith("# ")
    ]
    assert bare == []


def test_the_handbook_lists_every_setting() -> None:
    handbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert {name for name in SETTINGS if f"| `{name}` |" not in handbook} == set()


def test_the_filled_in_example_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "SECRET_KEY": new_key(),
        "TOKEN_KEYS": f"{new_key()},{new_key()}",
        "DATABASE_URL": "sqlite:////tmp/portal.db",
        "REDIS_URL": "redis://127.0.0.1/0",
        "PUBLIC_URL": "https://portal.example",
        "COBOT_CLIENT_ID": "id",
        "COBOT_CLIENT_SECRET": "secret",
    }
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    filled = re.sub(
        r"^([A-Z_]+)=$",
        lambda hit: f"{hit[1]}={given.get(hit[1], '')}",
        EXAMPLE,
        flags=re.MULTILINE,
    )
    (tmp_path / ".env").write_text(filled, encoding="utf-8")
    monkeypatch.setitem(Config.model_config, "env_file", tmp_path / ".env")
    config = load_config()
    assert config.public_url == given["PUBLIC_URL"]
    assert len(config.token_keys) == 2
