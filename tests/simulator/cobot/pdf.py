"""The PDF of an invoice: small, real, and the same bytes for the same content."""

import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from datetime import UTC, datetime

from fpdf import FPDF

from tests.simulator.checks import Json

TOKEN_LIFE_SECONDS = 300
KEPT = 2000


class PdfPrinter:
    """Prints invoices, keeps what it printed, and signs the short-lived links to it."""

    def __init__(self) -> None:
        self._printed: OrderedDict[str, bytes] = OrderedDict()
        self._key = secrets.token_bytes(32)

    def print_invoice(self, sender: Json, invoice: Json, *, with_payment: bool = True) -> bytes:
        """Return the PDF; `with_payment` off leaves out everything about paying."""
        content = json.dumps([sender, invoice, with_payment], sort_keys=True)
        name = hashlib.sha256(content.encode()).hexdigest()
        if name not in self._printed:
            self._printed[name] = _draw(sender, invoice, with_payment=with_payment)
            if len(self._printed) > KEPT:
                self._printed.popitem(last=False)
        return self._printed[name]

    def link_token(self, invoice_id: str) -> str:
        """Return a token that opens this PDF without a login for some minutes."""
        ends_at = str(int(time.time()) + TOKEN_LIFE_SECONDS)
        return f"{ends_at}-{self._sign(invoice_id, ends_at)}"

    def is_link_token(self, invoice_id: str, token: str) -> bool:
        """Say whether the token opens this PDF now."""
        ends_at, _, signature = token.partition("-")
        is_signed = hmac.compare_digest(
            signature.encode(), self._sign(invoice_id, ends_at).encode()
        )
        return is_signed and int(ends_at) >= time.time()

    def _sign(self, invoice_id: str, ends_at: str) -> str:
        return hmac.new(self._key, f"{invoice_id} {ends_at}".encode(), hashlib.sha256).hexdigest()[
            :32
        ]


def _draw(sender: Json, invoice: Json, *, with_payment: bool) -> bytes:
    page = FPDF(format="A4")
    # A fixed time and no producer's clock: the same invoice gives the same bytes.
    page.set_creation_date(datetime.fromisoformat(invoice["invoiceDate"]).replace(tzinfo=UTC))
    page.set_title(_printable(f"Rechnung {invoice['number']}"))
    page.add_page()
    _write(page, f"{sender['company']}\n{sender['fullAddress']}", size=9)
    page.ln(10)
    recipient = invoice["recipientAddress"]
    _write(
        page,
        "\n".join(
            filter(None, (recipient["company"], recipient["name"], recipient["fullAddress"]))
        ),
    )
    page.ln(10)
    _write(page, f"Rechnung {invoice['number']}", size=16)
    _write(
        page, f"Datum {invoice['invoiceDate']}   Kundennummer {invoice['customerNumber'] or '-'}"
    )
    page.ln(5)
    for item in invoice["items"]:
        rates = ", ".join(f"{tax['rate']} %" for tax in item["totalAmount"]["taxes"]) or "0 %"
        _write(page, f"{item['quantity']} x {item['description']} ({rates})")
        _write(page, _sum_line(item["totalAmount"]))
    page.ln(5)
    total = invoice["totalAmount"]
    _write(page, f"Summe: {_sum_line(total)}", size=12)
    if with_payment:
        _write(page, f"Zahlbar bis {invoice['dueDate']}.")
    return bytes(page.output())


def _sum_line(price: Json) -> str:
    currency = price["currency"]
    return f"{price['net']} {currency} netto, {price['gross']} {currency} brutto"


def _write(page: FPDF, text: str, size: int = 10) -> None:
    page.set_font("Helvetica", size=size)
    page.multi_cell(0, size * 0.5, _printable(text), new_x="LMARGIN", new_y="NEXT")


def _printable(text: str) -> str:
    """Return the text in the letters the built-in font has."""
    return text.replace("–", "-").replace("€", "EUR").encode("latin-1", "replace").decode("latin-1")
