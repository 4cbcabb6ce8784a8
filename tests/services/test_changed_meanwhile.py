"""What was read, uploaded or sent before the invoice, or the space's sevdesk, changed."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import update

from portal.database import db, utcnow
from portal.models import InvoiceSync, Space, State
from portal.services import clients, connection
from portal.services.connection import SevdeskSettings
from tests.services.conftest import (
    BETA_TOKEN,
    TOKEN,
    Remote,
    admin_named,
    announce,
    id_of,
    line,
    row_of,
    sync,
    work,
)
from tests.stack import Json

XYZ = {"type": "memberships", "id": "mem-xyz"}
SAVE = "/Voucher/Factory/saveVoucher"


def let_go_on(space: Space) -> None:
    db.session.execute(
        update(InvoiceSync)
        .where(InvoiceSync.space_id == space.id, InvoiceSync.next_try_at.is_not(None))
        .values(next_try_at=utcnow())
    )
    db.session.commit()
    work(space)


def uploaded(remote: Remote, space: Space) -> Json:
    """An invoice whose PDF sevdesk took, and whose receipt it did not."""
    remote.fault("sevdesk", "status:503", path=SAVE, times=1)
    made = sync(remote, space, debitor=XYZ)
    assert row_of(made).state == State.WAITING
    return made


@pytest.fixture
def settings() -> dict[str, object]:
    return {"retry_first_seconds": 600}  # whatever waits, waits until a test lets it go on


def test_a_receipt_has_the_pdf_of_its_figures_and_not_the_one_before_the_edit(
    remote: Remote, alpha: Space
) -> None:
    made = uploaded(remote, alpha)
    remote.control(
        "PATCH",
        f"/cobot/spaces/alpha/invoices/{id_of(made)}?webhook=0",
        {"items": [line(net="77.0")]},
    )
    announce(alpha, "updated_invoice", id_of(made))
    work(alpha)
    row = row_of(made)
    pdf = clients.cobot_of(alpha).invoice_pdf(id_of(made))
    [voucher] = remote.sevdesk()["vouchers"]
    assert row.state == State.SYNCED
    assert voucher["file"]["sha256"] == row.pdf_sha256 == hashlib.sha256(pdf).hexdigest()


def test_a_pdf_that_another_sevdesk_has_is_uploaded_again(remote: Remote, alpha: Space) -> None:
    made = uploaded(remote, alpha)
    connection.save_settings(
        alpha, SevdeskSettings(BETA_TOKEN, None, 30), admin=admin_named("owner"), user_token=None
    )
    let_go_on(alpha)
    assert row_of(made).state == State.MISMATCHED
    assert len(remote.sevdesk(BETA_TOKEN)["vouchers"]) == 1
    assert remote.sevdesk(TOKEN)["vouchers"] == []
