"""What the product is made of: a bill of materials, and the licences.

Usage: python tools/packages.py sbom      the product's packages and vendored files, CycloneDX 1.6
       python tools/packages.py licences  docs/licences.md: every locked package with its licence

Reads the lock files and what is installed in this environment; needs no network. The same input
gives the same bytes. Ends with 1 where the environment is not what the lock says.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
import uuid
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LICENCES = ROOT / "docs/licences.md"
LINE = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(\s*;[^\\]*)?", re.MULTILINE)
USED_FOR = (
    ("requirements.txt", "the product"),
    ("requirements-dev.txt", "tests and checks"),
    ("requirements-browser.txt", "tests in a browser"),
)
VENDORED = (ROOT / "static/vendor", ROOT / "tests/browser/vendor")
# What classifiers and free texts say, in the identifiers of SPDX.
SPDX = {
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "Python Software Foundation License": "PSF-2.0",
}


class NotAsLocked(Exception):
    """The environment is another one than the lock's."""


@dataclass(frozen=True)
class Locked:
    name: str
    version: str
    is_conditional: bool
    """Only for some systems or versions of Python."""


def locked(file: str) -> list[Locked]:
    """Return what a lock file pins, by name."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return [Locked(name, version, bool(mark)) for name, version, mark in LINE.findall(text)]


def installed(package: Locked) -> Distribution | None:
    """Return the installed package; None when this system does not need it.

    Raises NotAsLocked when it is missing or of another version.
    """
    try:
        found = distribution(package.name)
    except PackageNotFoundError:
        found = None
    if found is not None and found.version == package.version:
        return found
    if package.is_conditional:
        return None
    have = found.version if found else "nothing"
    raise NotAsLocked(f"{package.name}: the lock says {package.version}, here is {have}")


def licence_of(package: Distribution) -> str:
    """Return the licence as the package states it, as an identifier of SPDX where it has one."""
    about = package.metadata
    if stated := about.get("License-Expression"):
        return str(stated)
    classified = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::") and line != "License :: OSI Approved"
    ]
    texts = classified or [line for line in (about.get("License") or "").splitlines() if line][:1]
    return " OR ".join(SPDX.get(text.strip(), text.strip()) for text in texts) or "unknown"


def vendored(folder: Path) -> list[dict[str, str]]:
    files: list[dict[str, str]] = json.loads((folder / "vendor.lock").read_text())["files"]
    return files


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def sbom() -> str:
    """Return the bill of materials of what runs: packages of the product and vendored scripts."""
    about = project()
    components = [*_packages(), *_scripts()]
    content = json.dumps(components, sort_keys=True).encode()
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of the content, not of the day: the same product has the same bill.
        "serialNumber": uuid.UUID(hashlib.sha256(content).hexdigest()[:32], version=4).urn,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": about["name"],
                "name": about["name"],
                "version": about["version"],
                "licenses": [{"expression": about["license"]}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": about["name"], "dependsOn": [part["bom-ref"] for part in components]}
        ],
    }
    return json.dumps(bill, indent=2, ensure_ascii=False) + "\n"


def _packages() -> Iterator[dict[str, Any]]:
    for package in locked("requirements.txt"):
        found = installed(package)
        if found is None:
            continue
        purl = f"pkg:pypi/{package.name.lower().replace('_', '-')}@{package.version}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": package.name,
            "version": package.version,
            "purl": purl,
            "scope": "required",
            "licenses": _licences(licence_of(found)),
        }


def _scripts() -> Iterator[dict[str, Any]]:
    for file in vendored(VENDORED[0]):
        purl = f"pkg:npm/{file['name']}@{file['version']}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": file["name"],
            "version": file["version"],
            "purl": purl,
            "scope": "required",
            "hashes": [{"alg": "SHA-384", "content": b64decode(file["sha384"]).hex()}],
            "licenses": _licences(file["licence"]),
        }


def _licences(text: str) -> list[dict[str, Any]]:
    is_expression = re.fullmatch(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*", text)
    return [{"expression": text}] if is_expression else [{"license": {"name": text}}]


def licences() -> str:
    """Return docs/licences.md; of what this system does not need, the file says what it said."""
    before = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", _written(), flags=re.MULTILINE))
    rows: dict[str, tuple[str, str]] = {}
    for file, used_for in USED_FOR:
        for package in locked(file):
            try:
                found = installed(package)
            except NotAsLocked:
                if file == USED_FOR[0][0]:
                    raise
                found = None  # the browser's packages come later
            licence = licence_of(found) if found else before.get(package.name, "unknown")
            rows.setdefault(package.name, (licence, used_for))
    for folder, used_for in zip(VENDORED, ("the product", "tests in a browser"), strict=True):
        for script in vendored(folder):
            rows[script["name"]] = (script["licence"], f"{used_for} (vendored)")
    lines = [
        f"| {name} | {licence} | {used_for} |"
        for name, (licence, used_for) in sorted(rows.items(), key=lambda row: row[0].lower())
    ]
    return HEAD + "\n".join(lines) + "\n"


HEAD = """# Licences

Written by `make licences` from the lock files and what the packages state themselves. The portal
itself is MIT. Only what stands as "the product" is in the image; the licences of tools concern nobody
but developers.

| package | licence | used for |
|---|---|---|
"""


def _written() -> str:
    return LICENCES.read_text(encoding="utf-8") if LICENCES.exists() else ""


def main(words: list[str]) -> int:
    if words not in (["sbom"], ["licences"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(sbom() if words == ["sbom"] else licences(), end="")
    except NotAsLocked as err:
        print(err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
