"""The same calls once more, by hand: one `requests.Session`, no database, no decisions."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import requests

Call = dict[str, Any]
FILE_NAME = re.compile(rb'"filename":\s*"([^"]+)"')
VOUCHER = re.compile(rb'"voucher":\s*\{[^{}]*?"id":\s*"?(\d+)"?|"id":\s*"?(\d+)"?')


def replay(calls: Sequence[Call]) -> list[float]:
    """Send the calls in their order and return the seconds each invoice took.

    An invoice ends with its tag. What the other side gives out anew (the name of the file, the
    id of the receipt) is put in place of what it gave out when the calls were written down.
    """
    seconds = []
    with requests.Session() as session:
        for invoice in _invoices(calls):
            began = time.perf_counter()
            _send_all(session, invoice)
            seconds.append(time.perf_counter() - began)
    return seconds


def _invoices(calls: Sequence[Call]) -> Iterator[list[Call]]:
    one: list[Call] = []
    for call in calls:
        one.append(call)
        if "/Tag/Factory/create" in call["url"]:
            yield one
            one = []


def _send_all(session: requests.Session, calls: Sequence[Call]) -> None:
    filename = voucher = b""
    for call in calls:
        body = base64.b64decode(call["body"])
        if "saveVoucher" in call["url"]:
            body = FILE_NAME.sub(b'"filename": "' + filename + b'"', body)
        if "/Tag/" in call["url"]:
            body = re.sub(rb'("id":\s*"?)\d+', rb"\g<1>" + voucher, body, count=1)
        headers = {k: v for k, v in call["headers"].items() if k != "Content-Length"}
        answer = session.request(
            call["method"], call["url"], data=body or None, headers=headers, timeout=30
        )
        assert answer.ok, f"{call['url']}: {answer.status_code} {answer.text[:300]}"
        if "uploadTempFile" in call["url"]:
            filename = answer.json()["objects"]["filename"].encode()
        if "saveVoucher" in call["url"]:
            voucher = str(answer.json()["objects"]["voucher"]["id"]).encode()
