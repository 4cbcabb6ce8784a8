"""What the forty faults found, each held here in the small; the faults stand in tests/faults."""

from __future__ import annotations

import base64

from portal.models import Space, State
from tests.services.conftest import (
    Remote,
    announce,
    id_of,
    line,
    row_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}
ANOTHER_KEY = base64.b64encode(b"another key of thirty-two bytes.").decode()


def test_an_invoice_repaired_in_cobot_right_after_it_failed_is_read_anew(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Parkplatz")])
    assert row_of(made).state == State.FAILED
    path = f"/cobot/spaces/alpha/invoices/{id_of(made)}?webhook=0"
    remote.control("PATCH", path, {"items": [line()]})
    announce(alpha, "updated_invoice", id_of(made))
    work(alpha)
    assert row_of(made).state == State.SYNCED
