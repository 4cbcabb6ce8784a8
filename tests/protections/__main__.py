"""Take each protection away and see its test fail: `make protections`.

Each is tried in a copy of the committed files; ROWS=text tries those whose items, file or test hold
the text. Ends with 1 when a test passes without what it protects, or fails with it.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.protections.document import written
from tests.protections.rows import ROWS, Row

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/security.md"


def main() -> int:
    if sys.argv[1:] == ["document"]:
        DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    wanted = os.environ.get("ROWS", "")
    rows = [row for row in ROWS if wanted in f"{row.items} {row.file} {row.test}"]
    if "TEST_DATABASE_URL" not in os.environ:
        print("without PostgreSQL its own rows are left out (make protections starts one)")
        rows = [row for row in rows if row.on == "sqlite"]
    with tempfile.TemporaryDirectory() as folder:
        copy = _copied(Path(folder))
        for on in sorted({row.on for row in rows}):
            if _run(copy, sorted({row.test for row in rows if row.on == on}), on) != 0:
                print(f"the tests fail on {on} as things are; nothing can be said")
                return 1
        held = [row for row in rows if not _is_seen(copy, row)]
    for row in held:
        print(f"NOT SEEN  {row.items}: {row.file}, {row.test}")
    print(f"{len(rows) - len(held)} of {len(rows)} protections are missed when taken away")
    return 1 if held else 0


def _copied(folder: Path) -> Path:
    packed = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def _is_seen(copy: Path, row: Row) -> bool:
    """Say whether the row's test fails without the protection."""
    path = copy / row.file
    whole = path.read_text(encoding="utf-8")
    assert whole.count(row.old) == 1, f"{row.file} has not exactly one {row.old!r}"
    path.write_text(whole.replace(row.old, row.new), encoding="utf-8")
    try:
        code = _run(copy, [row.test], row.on)
    finally:
        path.write_text(whole, encoding="utf-8")
    print(f"{'seen' if code == 1 else f'code {code}':<10}{row.items:<16}{row.test}", flush=True)
    return code == 1


def _run(copy: Path, tests: Sequence[str], on: str) -> int:
    """Return pytest's exit code: 0 passed, 1 failed, others say that nothing was tried."""
    env = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    if on == "sqlite":
        env.pop("TEST_DATABASE_URL", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    return subprocess.run([*command, *tests], cwd=copy, env=env, capture_output=True).returncode


if __name__ == "__main__":
    sys.exit(main())
