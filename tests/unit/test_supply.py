"""What is not ours: locked by hash, listed with its licence, and the file that was looked at."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from hashlib import sha384
from pathlib import Path

import pytest

from tests.conftest import ROOT

LOCKS = sorted(ROOT.glob("requirements*.txt"))
VENDORED = [ROOT / "static/vendor", ROOT / "tests/browser/vendor"]
PIN = re.compile(r"^[A-Za-z0-9][^\s\\]*", re.MULTILINE)
NOT_IN_THE_PRODUCT = re.compile(r"\bA?GPL|SSPL|unknown", re.IGNORECASE)


def say(what: str) -> str:
    done = subprocess.run(
        [sys.executable, "tools/packages.py", what], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_a_version_and_hashes(lock: Path) -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    packages = [block for block in blocks if not block.startswith("#")]
    assert packages
    for block in packages:
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,]+\])?==\S+", block), block[:60]
        assert "--hash=sha256:" in block, block[:60]


@pytest.mark.parametrize("folder", VENDORED, ids=lambda path: str(path.relative_to(ROOT)))
def test_vendored_files_are_those_of_the_lock(folder: Path) -> None:
    files = json.loads((folder / "vendor.lock").read_text(encoding="utf-8"))["files"]
    for file in files:
        digest = sha384((folder / file["path"]).read_bytes()).digest()
        assert base64.b64encode(digest).decode() == file["sha384"], file["path"]
        assert (folder / file["path"]).parent.joinpath("LICENSE").exists()
    locked = {folder / file["path"] for file in files}
    others = {path for path in folder.rglob("*") if path.is_file()} - locked
    assert {path.name for path in others} <= {"LICENSE", "vendor.lock"}


def test_the_list_of_licences_is_the_locks() -> None:
    written = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    assert say("licences") == written, "make licences"
    rows = re.findall(r"^\| (\S+) \| ([^|]+) \| ([^|]+) \|$", written, flags=re.MULTILINE)
    assert len(rows) > 60
    product = {name: licence for name, licence, used_for in rows if "product" in used_for}
    assert [name for name, licence in product.items() if NOT_IN_THE_PRODUCT.search(licence)] == []


def test_the_bill_of_materials_names_all_that_runs() -> None:
    text = say("sbom")
    assert text == say("sbom"), "the same product, the same bill"
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bill["serialNumber"])
    parts = {part["bom-ref"]: part for part in bill["components"]}
    assert len(parts) == len(bill["components"])
    assert set(bill["dependencies"][0]["dependsOn"]) == set(parts)
    names = {part["name"] for part in parts.values()}
    assert {"flask", "sqlalchemy", "cryptography", "rq", "htmx.org"} <= names
    assert names.isdisjoint({"pytest", "ruff", "axe-core", "pip-audit"})
    assert all(part["licenses"] for part in parts.values())


def test_ci_audits_the_packages_and_says_when_it_cannot() -> None:
    assert "make audit" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    script = (ROOT / "tools/audit.sh").read_text(encoding="utf-8")
    assert "--require-hashes" in script
    assert "could not be read" in script
