"""What a first visit costs: few requests, little weight, and every file whole."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from portal.models import State
from portal.services.cause_bar import MOST_FOLDED
from portal.views.bundles import BUNDLES
from tests.conftest import ROOT
from tests.web.conftest import Cast

MOST_REQUESTS = 6
LARGEST_KB = 60
PAGES = ("/login", "/spaces", "/overview", "/spaces/alpha/log", "/spaces/alpha/sevdesk", "/help")
STATIC = ROOT / "static"


def files_of(html: str) -> list[str]:
    tags = re.findall(r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"([^\"]+)\"", html)
    return [address.replace("&amp;", "&") for address in tags]


@pytest.mark.parametrize("path", PAGES)
def test_page_is_light_and_asks_for_few_files(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int], path: str
) -> None:
    for number in range(60):
        add_invoice(cast.alpha, State.SYNCED, number=f"R-{number}")
    html = owner.get(path).data
    files = files_of(html.decode())
    assert 1 + len(files) <= MOST_REQUESTS, files
    weight = len(gzip.compress(html, 6))
    for address in files:
        answer = owner.get(address, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, address
        is_packed = answer.headers.get("Content-Encoding") == "gzip"
        weight += len(answer.data if is_packed else gzip.compress(answer.data, 6))
        answer.close()
    assert weight <= LARGEST_KB * 1000


@pytest.mark.parametrize("name", BUNDLES)
def test_bundle_holds_every_file_packed_or_not(client: FlaskClient, name: str) -> None:
    plain = client.get(f"/static/{name}")
    packed = client.get(f"/static/{name}", headers={"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(packed.data) == plain.data
    for part in BUNDLES[name]:
        assert (STATIC / part).read_bytes() in plain.data
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert plain.headers["Cache-Control"] == "public, max-age=31536000"
    again = client.get(f"/static/{name}", headers={"If-None-Match": plain.headers["ETag"]})
    assert again.status_code == 304


def test_every_style_sheet_and_script_is_in_a_bundle() -> None:
    ours = {path.name for kind in ("css", "js") for path in STATIC.glob(f"*.{kind}")}
    assert ours <= {part for parts in BUNDLES.values() for part in parts}


def test_log_stays_light_however_many_causes_there_are(
    owner: FlaskClient, cast: Cast, add_invoice: Callable[..., int]
) -> None:
    for number in range(100):
        add_invoice(
            cast.alpha,
            State.MISMATCHED,
            cause_code="contact_missing",
            cause_params={"number": f"K{number}"},
        )
    html = owner.get("/spaces/alpha/log").text
    assert html.count('data-group="contact_missing"') == MOST_FOLDED
    assert f"{100 - MOST_FOLDED} weitere Ursachen" in html
