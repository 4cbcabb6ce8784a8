"""What must hold whatever happened: both remote sides against the portal's rows, from outside.

The numbers I1 to I9 are those of docs/reliability.md; I10 is a time, measured where it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.faults.outside import Database, Row

Json = dict[str, Any]
BOOKED = {"synced", "mismatched"}
FINAL = {*BOOKED, "failed", "skipped"}
SILENT = timedelta(minutes=15)
FIRST_HASH = hashlib.sha256(b"").hexdigest()
IDS_IN_PATH = re.compile(r"/(invoices|memberships|spaces|Contact|Voucher)/[^/.]+")
MARK_LENGTH = 12
TOKEN_LENGTH = 32


@dataclass
class Outside:
    """Everything that can be seen without the product's help."""

    state: Json
    calls: list[Json]
    database: Database
    subdomains: Collection[str]
    texts: Iterable[tuple[str, bytes]] = ()
    """Logs, queue files: name and content, to look for tokens in."""
    secrets: Collection[str] = ()


@dataclass
class Expected:
    """What a test did that the rules have to know of."""

    is_settled: bool = True
    """Nothing is in work any more."""
    without: Collection[str] = ()
    """Invariants that the fault itself breaks, such as I1 after a backup was restored."""
    kills: int = 0
    """How many workers died: any message may then have been posted once more, as after a lost
    answer."""
    planted: Collection[str] = ()
    """Numbers of receipts that a person made in sevdesk."""
    cobot_per_minute: int = 0
    """Calls a minute and endpoint that Cobot allows all spaces of this world together."""
    unannounced: Collection[str] = ()
    """Numbers of invoices that nobody told the portal of."""


@dataclass
class _Check:
    seen: Outside
    expected: Expected
    found: list[str] = field(default_factory=list)

    def say(self, invariant: str, space: str, what: str) -> None:
        if invariant not in self.expected.without:
            self.found.append(f"{invariant} {space}: {what}")


def broken(seen: Outside, expected: Expected | None = None) -> list[str]:
    """Return in words every invariant that does not hold."""
    check = _Check(seen, expected or Expected())
    for space in seen.state["spaces"]:
        if space["subdomain"] in seen.subdomains:
            _check_space(check, space)
    _no_token_in_the_clear(check)
    _within_the_limit(check)
    return check.found


def _check_space(check: _Check, space: Json) -> None:
    database, name = check.seen.database, space["subdomain"]
    row = database.one("SELECT * FROM space WHERE subdomain = :name", name=name)
    invoices = database.rows("SELECT * FROM invoice_sync WHERE space_id = :id", id=row["id"])
    lines = database.rows(
        "SELECT * FROM history_line WHERE space_id = :id ORDER BY chain, number", id=row["id"]
    )
    client = next(
        (one for one in check.seen.state["sevdesk"] if one["client_id"] == row["sevdesk_client"]),
        {"vouchers": [], "accounts": [], "contacts": []},
    )
    _every_hook_has_a_row(check, space, row)
    _one_receipt_each(check, name, space, client, invoices)
    _nothing_silent(check, space, invoices)
    _as_mapped(check, space, client, invoices)
    _history_is_whole(check, name, invoices, lines)
    _no_space_in_another(check, space, client)
    _one_message_per_episode(check, space, invoices, lines)


def _every_hook_has_a_row(check: _Check, space: Json, row: Row) -> None:
    kept = {
        (event["event"], event["remote_id"])
        for event in check.seen.database.rows(
            "SELECT event, remote_id FROM inbox_event WHERE space_id = :id", id=row["id"]
        )
    }
    for delivery in space["deliveries"]:
        was_taken = any(200 <= one["status"] < 300 for one in delivery["attempts"])
        wanted = (delivery["event"], delivery["url"].rpartition("/")[2])
        if was_taken and wanted not in kept:
            check.say("I1", space["subdomain"], f"{wanted} was taken and is not in the inbox")


def _one_receipt_each(
    check: _Check, name: str, space: Json, client: Json, invoices: list[Row]
) -> None:
    numbers = {one["number"] for one in space["invoices"]} | {one["number"] for one in invoices}
    counts = Counter(one["description"] for one in client["vouchers"])
    for number, count in counts.items():
        if count > 1 and number in numbers and number not in check.expected.planted:
            check.say("I2", name, f"{count} receipts of {number}")
    owned = Counter(one["sevdesk_voucher_id"] for one in invoices if one["sevdesk_voucher_id"])
    for voucher, count in owned.items():
        if count > 1:
            check.say("I2", name, f"receipt {voucher} belongs to {count} invoices")
    listed = Counter(one["cobot_invoice_id"] for one in invoices)
    for cobot_id, count in listed.items():
        if count > 1:
            check.say("I2", name, f"{count} rows of {cobot_id}")


def _nothing_silent(check: _Check, space: Json, invoices: list[Row]) -> None:
    name, now = space["subdomain"], datetime.now(UTC)
    known = {one["cobot_invoice_id"] for one in invoices}
    if not check.expected.is_settled:
        known |= {
            one["remote_id"]
            for one in check.seen.database.rows(
                "SELECT remote_id FROM inbox_event e JOIN space s ON s.id = e.space_id"
                " WHERE s.subdomain = :name AND handled_at IS NULL",
                name=name,
            )
        }
    for one in space["invoices"]:
        if one["id"] not in known and one["number"] not in check.expected.unannounced:
            check.say("I3", name, f"{one['number']} has no row")
    for one in invoices:
        what = f"{one['number'] or one['cobot_invoice_id']} is {one['state']}"
        if one["state"] in FINAL:
            if one["state"] in {"failed", "skipped"} and not one["cause_code"]:
                check.say("I3", name, f"{what} without a cause")
        elif check.expected.is_settled:
            check.say("I3", name, f"{what} ({one['cause_code']}), next {one['next_try_at']}")
        elif one["next_try_at"] is None:
            check.say("I3", name, f"{what} and will never be tried again")
        elif one["next_try_at"] < now - SILENT:
            check.say("I3", name, f"{what} and was due at {one['next_try_at']}")


def _as_mapped(check: _Check, space: Json, client: Json, invoices: list[Row]) -> None:
    vouchers = {one["id"]: one for one in client["vouchers"]}
    ours = {one["sevdesk_voucher_id"] for one in invoices}
    cobot = {one["id"]: one for one in space["invoices"]}
    for one in invoices:
        voucher = vouchers.get(one["sevdesk_voucher_id"])
        if one["state"] in BOOKED:
            for what in _differences(one, voucher, cobot.get(one["cobot_invoice_id"]), client):
                check.say("I4", space["subdomain"], f"{one['number']}: {what}")
        elif one["state"] in {"failed", "skipped"} and one["number"]:
            left = [
                found["id"]
                for found in client["vouchers"]
                if found["description"] == one["number"] and found["id"] not in ours
            ]
            if left and one["number"] not in check.expected.planted:
                check.say("I4", space["subdomain"], f"{one['number']} is {one['state']}, {left}")


def _differences(
    row: Row, voucher: Json | None, invoice: Json | None, client: Json
) -> Iterator[str]:
    if voucher is None:
        yield f"receipt {row['sevdesk_voucher_id']} is not in sevdesk"
        return
    is_mismatch = row["state"] == "mismatched"
    wanted_tags = {"Import", "mismatch"} if is_mismatch else {"Import"}
    # Refused again and again, a tag is left to a person: then the row says so.
    is_told = row["cause_code"] == "tag_missing" and set(voucher["tags"]) < wanted_tags
    if set(voucher["tags"]) != wanted_tags and not is_told:
        yield f"tags are {voucher['tags']}"
    if is_mismatch == (voucher["supplier"] is not None):
        yield f"it is {row['state']} and its contact is {voucher['supplier']}"
    if voucher["description"] != row["number"]:
        yield f"its receipt is of {voucher['description']}"
    positions = voucher["positions"]
    if sum((Decimal(one["sumGross"]) for one in positions), Decimal(0)) != Decimal(
        voucher["sumGross"]
    ):
        yield "the positions do not add up"
    if not row["was_adopted"] and (voucher["file"] or {}).get("sha256") != row["pdf_sha256"]:
        yield "the file is another one"
    if invoice is None or row["changed_in_cobot"]:
        return  # deleted or edited after booking: edits are not synced
    if Decimal(voucher["sumGross"]) != Decimal(invoice["totalAmount"]["gross"]):
        yield f"gross is {voucher['sumGross']}, not {invoice['totalAmount']['gross']}"
    if voucher["voucherDate"][:10] != invoice["invoiceDate"]:
        yield f"it is dated {voucher['voucherDate'][:10]}, not {invoice['invoiceDate']}"
    accounts = {one["name"]: one["number"] for one in client["accounts"]}
    wanted = [
        (
            accounts.get(item["accountingCode"], item["accountingCode"]),
            Decimal(item["totalAmount"]["net"]),
        )
        for item in invoice["items"]
    ]
    booked = [(one.get("accountNumber"), Decimal(one["sumNet"])) for one in positions]
    if None in dict(booked):  # an account that was deleted since has no number any more
        wanted = [(None, net) for _, net in wanted]
        booked = [(None, net) for _, net in booked]
    if sorted(wanted, key=str) != sorted(booked, key=str):
        yield f"positions are {booked}, not {wanted}"


def _history_is_whole(check: _Check, name: str, invoices: list[Row], lines: list[Row]) -> None:
    chain, number, before = "", 0, FIRST_HASH
    steps: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for line in lines:
        if line["chain"] != chain:
            chain, number, before = line["chain"], 0, FIRST_HASH
        is_next = (line["number"], line["previous_hash"]) == (number + 1, before)
        if not is_next or line["hash"] != _hash_of(line):
            check.say("I5", name, f"line {line['number']} of {chain} does not fit")
        number, before = line["number"], line["hash"]
        if line["invoice_id"]:
            steps[line["invoice_id"]].add((line["step"], line["outcome"]))
    for one in invoices:
        said = steps[one["id"]]
        failed = any(outcome == "failed" for _, outcome in said)
        booked = failed if one["cause_code"] == "tag_missing" else ("tagged", "done") in said
        explained = {
            "synced": booked,
            "mismatched": booked,
            "skipped": ("skipped", "done") in said,
            "failed": failed,
        }
        if not said or not explained.get(one["state"], True):
            check.say("I5", name, f"the history of {one['number']} does not say {one['state']}")


def _hash_of(line: Row) -> str:
    said = [
        line["chain"],
        line["number"],
        line["previous_hash"],
        line["at"].astimezone(UTC).isoformat(timespec="microseconds"),
        line["actor"],
        line["step"],
        line["outcome"],
        line["facts"],
    ]
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _no_space_in_another(check: _Check, space: Json, client: Json) -> None:
    others = {
        invoice["number"]
        for other in check.seen.state["spaces"]
        if other["subdomain"] != space["subdomain"]
        for invoice in other["invoices"]
    } - {invoice["number"] for invoice in space["invoices"]}
    for voucher in client["vouchers"]:
        if voucher["description"] in others:
            check.say("I6", space["subdomain"], f"has the receipt of {voucher['description']}")


def _one_message_per_episode(
    check: _Check, space: Json, invoices: list[Row], lines: list[Row]
) -> None:
    errors = Counter(
        source
        for activity in space["activities"]
        if activity["level"] == "ERROR"
        for source in activity["source_ids"]
    )
    allowed: Counter[int] = Counter()
    episodes: Counter[int] = Counter()
    for line in lines:
        if not line["invoice_id"]:
            continue
        if line["outcome"] == "failed" and line["step"] != "told":
            allowed[line["invoice_id"]] += 1
            episodes[line["invoice_id"]] += 1
        elif (line["step"], line["outcome"]) == ("told", "unknown"):
            allowed[line["invoice_id"]] += 1
    for one in invoices:
        count = errors[one["cobot_invoice_id"]]
        if count > (2 * episodes[one["id"]] if check.expected.kills else allowed[one["id"]]):
            check.say("I8", space["subdomain"], f"{count} messages on {one['number']}")


def _no_token_in_the_clear(check: _Check) -> None:
    known = {secret.encode() for secret in check.seen.secrets}
    marks = {call["caller"] for call in check.seen.calls if call["caller"]}
    for name, content in (*check.seen.database.dump(), *check.seen.texts):
        if any(secret in content for secret in known):
            check.say("I7", name, "holds a secret")
        for word in set(
            re.findall(rb"(?<![0-9a-f])[0-9a-f]{%d}(?![0-9a-f])" % TOKEN_LENGTH, content)
        ):
            if hashlib.sha256(word).hexdigest()[:MARK_LENGTH] in marks:
                check.say("I7", name, "holds a token that was used")


def _within_the_limit(check: _Check) -> None:
    limit = check.expected.cobot_per_minute
    if not limit:
        return
    moments: dict[str, list[float]] = defaultdict(list)
    for call in check.seen.calls:
        if call["side"] == "cobot-api":
            path = IDS_IN_PATH.sub(r"/\1/ID", call["path"])
            moments[f"{call['method']} {path}"].append(call["at"])
    for endpoint, times in moments.items():
        if (most := most_within(60, times)) > limit:
            check.say("I9", endpoint, f"{most} calls within a minute")


def most_within(seconds: float, moments: Iterable[float]) -> int:
    """Return how many of the moments fall into the fullest window of this length."""
    times = sorted(moments)
    return max(
        (bisect_left(times, at + seconds) - place for place, at in enumerate(times)), default=0
    )
