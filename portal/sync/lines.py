"""What is kept of an invoice's lines for its page: figures, codes and accounts. Pure."""

from __future__ import annotations

from typing import Any

from portal.cobot.records import Invoice, Line
from portal.sync.accounts import AccountIndex, AccountMatch, written_code
from portal.sync.taxes import line_rate


def line_facts(invoice: Invoice, accounts: AccountIndex) -> list[dict[str, Any]]:
    """Return the lines as JSON, with the booking account of each or why it has none.

    Their texts are left out: Cobot's may name a member.
    """
    return [_facts(line, accounts) for line in invoice.lines]


def _facts(line: Line, accounts: AccountIndex) -> dict[str, Any]:
    match = accounts.match(line)
    facts: dict[str, Any] = {
        "code": written_code(line),
        "net": str(line.net),
        "gross": str(line.gross),
        "rate": str(line_rate(line)),
        "quantity": str(line.quantity),
    }
    if isinstance(match, AccountMatch):
        account = match.account
        return facts | {"number": account.number, "name": account.name, "how": match.how}
    return facts | {"cause": match.code, "params": dict(match.params)}
