"""From Cobot's webhook to the receipt, between real processes."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from hashlib import sha256

import pytest
import requests

from tests.browserless import Browserless
from tests.e2e.worlds import ACCOUNT, COST_CENTRE, invoice, line, member, token_of, unknown
from tests.faults.outside import Database
from tests.receipts import differences, pdf_sha256, receipts_of, the_receipt
from tests.stack import Json, Stack, one

Connect = Callable[[str], str]
EndsAs = Callable[..., None]
QUIET_SECONDS = 0.5
CHART = ("sevdesk", "GET /ReceiptGuidance/forRevenue")


def test_the_invoice_of_the_help_page(
    stack: Stack, admin: Browserless, connected: Connect, ends_as: EndsAs
) -> None:
    token, number = connected("hilfeseite"), "2531-Ljnk-278"
    given = invoice("hilfeseite", number, invoiceDate="2025-02-28", items=[line(net="220.0")])
    shown = stack.create_invoice("hilfeseite", given)
    ends_as("hilfeseite", number, "synced")
    found = the_receipt(stack.sevdesk(token), number)
    assert differences(
        found,
        date="2025-02-28",
        delivered="2025-02-28",
        due="2025-03-30",
        gross=Decimal("261.80"),
        status="100",
        contact="501",
        cost_centre=COST_CENTRE,
        accounts=(ACCOUNT,),
        tags=frozenset({"Import"}),
        pdf_sha256=pdf_sha256(shown),
    ) == []  # fmt: skip
    head = one([vars(row) for row in admin.get(_page("hilfeseite", shown)).rows()], number=number)
    assert head["state"] == "synced"
    assert "261,80" in admin.get(_page("hilfeseite", shown)).text


def test_a_new_member_becomes_a_contact_with_one_number_on_both_sides(
    stack: Stack, connected: Connect
) -> None:
    token = connected("hilfeseite")
    made = _confirm(stack, "hilfeseite", member("mem-new-1", "Mia Neumann", None))
    number = _written_number(stack, "hilfeseite", made["id"])
    contact = one(stack.sevdesk(token)["contacts"], customerNumber=number)
    assert (contact["surename"], contact["familyname"]) == ("Mia", "Neumann")


def test_calls_of_a_fresh_invoice_a_mismatch_and_a_blocked_one(
    stack: Stack, connected: Connect, ends_as: EndsAs
) -> None:
    connected("zaehlung")
    made = _confirm(stack, "zaehlung", member("mem-new-2", "Mia Neumann", None))
    _written_number(stack, "zaehlung", made["id"])
    debtor = {"debitor": {"type": "memberships", "id": made["id"]}}
    stack.create_invoice("zaehlung", invoice("zaehlung", "WARM-1", **debtor))
    ends_as("zaehlung", "WARM-1", "synced")
    _caught_up(stack, "zaehlung")

    fresh = _calls_for(stack, ends_as, "zaehlung", invoice("zaehlung", "NEU-1", **debtor), "synced")
    assert [short for side, short in fresh if side == "cobot-api"] == [
        "GET /invoices/ID",
        "GET /invoices/ID.pdf",
    ]
    assert [short for side, short in fresh if side == "sevdesk"] == [
        "GET /Voucher",
        "POST /Voucher/Factory/uploadTempFile",
        "POST /Voucher/Factory/saveVoucher",
        "POST /Tag/Factory/create",
    ]
    assert len(fresh) == 6

    nobody = invoice("zaehlung", "OHNE-1", debitor=unknown("zaehlung"))
    mismatch = _calls_for(stack, ends_as, "zaehlung", nobody, "mismatched")
    assert sorted(set(mismatch) - set(fresh)) == [("sevdesk", "GET /Contact")]
    assert len(mismatch) <= 8

    first = _calls_for(
        stack, ends_as, "zaehlung", invoice("zaehlung", "ZU-1", items=[line("Parkplatz")]), "failed"
    )
    second = _calls_for(
        stack, ends_as, "zaehlung", invoice("zaehlung", "ZU-2", items=[line("Telefon")]), "failed"
    )
    for blocked in (first, second):
        assert [call for call in blocked if call != CHART] == [
            ("cobot-api", "GET /invoices/ID"),
            ("cobot-space", "POST /api/activities"),
        ]
    # Once per space and 30 s, however many are blocked.
    assert len(first) + len(second) <= 5


def test_fifty_equal_webhooks_at_once_in_two_processes_make_one_receipt(
    stack: Stack, connected: Connect, ends_as: EndsAs, second_web: str
) -> None:
    """Two web servers take them in, and two workers drain."""
    token = connected("fuenfzig")
    shown = stack.create_invoice("fuenfzig", invoice("fuenfzig", "EINMAL-1"), webhook=False)
    hook = _hook(stack, "fuenfzig", "created_invoice")
    url = stack.env["COBOT_SPACE_URL"].format(subdomain="fuenfzig")
    body = {"url": f"{url}/api/invoices/{shown['data']['id']}"}
    after = stack.last_call()
    hooks = [hook, hook.replace(stack.portal_url, second_web)] * 25
    with ThreadPoolExecutor(max_workers=50) as pool:
        answers = list(pool.map(lambda one: requests.post(one, json=body, timeout=30), hooks))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {202}, stack.log_of("web")[-3000:]
    ends_as("fuenfzig", "EINMAL-1", "synced")
    _quiet(stack)
    assert len(receipts_of(stack.sevdesk(token))["EINMAL-1"]) == 1
    saved = [call for call in stack.calls(after) if call["path"].endswith("/saveVoucher")]
    assert len(saved) == 1


def test_an_unknown_hook_secret_is_not_found(stack: Stack, connected: Connect) -> None:
    connected("fuenfzig")
    hook = _hook(stack, "fuenfzig", "created_invoice")
    wrong = re.sub(r"/hooks/cobot/[^/]+/", "/hooks/cobot/" + 43 * "x" + "/", hook)
    assert wrong != hook
    assert requests.post(wrong, json={"url": "https://x.example"}, timeout=30).status_code == 404
    answer = requests.post(hook, json={"url": "https://x.example/api/invoices/1"}, timeout=30)
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health(stack: Stack, path: str) -> None:
    assert requests.get(stack.portal_url + path, timeout=30).status_code == 200


# --- how -------------------------------------------------------------------------------------


def _page(subdomain: str, shown: Json) -> str:
    return f"/spaces/{subdomain}/invoices/{shown['data']['id']}"


def _confirm(stack: Stack, subdomain: str, body: Json) -> Json:
    given = {key: value for key, value in body.items() if key != "customer_number"}
    made: Json = stack.control("POST", f"/cobot/spaces/{subdomain}/memberships", given)
    return made


def _written_number(stack: Stack, subdomain: str, member_id: str) -> str:
    """Return the member's number in Cobot once it is that of a contact."""
    place = [space["subdomain"] for space in stack.state()["spaces"]].index(subdomain)
    found = ""

    def is_written() -> bool:
        nonlocal found
        state = stack.state()
        found = one(state["spaces"][place]["memberships"], id=member_id)["customer_number"]
        contacts = state["sevdesk"][place]["contacts"]
        return found in {row["customerNumber"] for row in contacts}

    stack.wait_until(is_written, "the number to be written back")
    return found


def _hook(stack: Stack, subdomain: str, event: str) -> str:
    hook: str = one(stack.space(subdomain)["subscriptions"], event=event)["callback_url"]
    return hook


def _calls_for(
    stack: Stack, ends_as: EndsAs, subdomain: str, body: Json, state: str
) -> list[tuple[str, str]]:
    """Return side, method and path of each call that this invoice took, ids left out."""
    _quiet(stack)
    after = stack.last_call()
    shown = stack.create_invoice(subdomain, body)
    ends_as(subdomain, body["number"], state)
    _quiet(stack)
    return [
        (call["side"], f"{call['method']} {call['path'].replace(shown['data']['id'], 'ID')}")
        for call in stack.calls(after)
        if _belongs_to(subdomain, call)
    ]


def _belongs_to(subdomain: str, call: Json) -> bool:
    """Tell whether the product made this call for this space."""
    if call["side"] == "sevdesk":
        return bool(call["caller"] == sha256(token_of(subdomain).encode()).hexdigest()[:12])
    return bool(call["side"] != "webhook" and call["space"] == subdomain)


def _caught_up(stack: Stack, subdomain: str) -> None:
    """Wait for the end of the catch-up that follows a new connection: its calls belong to no
    invoice."""
    database = Database(stack.env["DATABASE_URL"])
    is_over = "SELECT 1 FROM space WHERE subdomain = :name AND caught_up_on IS NOT NULL"
    stack.wait_until(lambda: database.rows(is_over, name=subdomain), "the catch-up", seconds=60)


def _quiet(stack: Stack) -> None:
    """Wait until nothing has been called for a moment."""
    calls = stack.calls(max(0, stack.last_call() - 1))
    seen = calls[-1]["at"] if calls else 0.0

    def is_quiet() -> bool:
        nonlocal seen
        newest = stack.calls(max(0, stack.last_call() - 1))
        last = newest[-1]["at"] if newest else 0.0
        was, seen = seen, last
        return was == last

    stack.wait_until(is_quiet, "quiet", every=QUIET_SECONDS)
