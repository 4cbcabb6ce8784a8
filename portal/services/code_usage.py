"""Where accounting codes are used: in Cobot's list, on lines of invoices, in plans of members."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import structlog

from portal.cobot.records import AccountingCode, Invoice
from portal.database import db
from portal.errors import Forbidden, TemporaryError, UnusableAnswer
from portal.money import to_cents
from portal.services import clients, plan_lists
from portal.services.plan_lists import Plans
from portal.services.task_looks import Look
from portal.sync.accounts import fold_name, written_code
from portal.sync.taxes import line_rate, percent

log = structlog.get_logger(__name__)


def read_plans(look: Look) -> None:
    """Read the plans' codes unless Cobot has given its list of members out too often just now.

    They only add to the check: without them it goes on with those that were read before.
    """
    try:
        plans = look.once("plans", lambda: plan_lists.counted(look.remotes.cobot.memberships()[0]))
    except TemporaryError as err:
        clients.slow_down(look.space, err)
    except (Forbidden, UnusableAnswer):
        log.warning("the plans cannot be read", space=look.space.id)
    else:
        plan_lists.keep(look.space.id, plans)
        db.session.commit()


def add_plans(facts_of: dict[str, dict[str, Any]], known: Plans) -> None:
    """Add the codes that only plans carry: no invoice has used them yet."""
    for folded, plans in known.by_code().items():
        facts_of.setdefault(folded, facts_of_code(plans[0].code or "", in_list=False))


def usage_of(
    codes: tuple[AccountingCode, ...], invoices: list[Invoice]
) -> tuple[dict[str, dict[str, Any]], int]:
    """Return each code by its folded form, with count, net sum and rates of its lines."""
    seen: dict[str, dict[str, Any]] = {}

    def facts_of(code: str, *, in_list: bool) -> dict[str, Any]:
        facts = seen.setdefault(fold_name(code), facts_of_code(code, in_list=in_list))
        facts["in_list"] = facts["in_list"] or in_list
        return facts

    for code in codes:
        facts = facts_of(code.name, in_list=True)
        if code.tax_rate is not None and percent(code.tax_rate) not in facts["rates"]:
            facts["rates"].append(percent(code.tax_rate))
    without_code = 0
    for line in (line for invoice in invoices for line in invoice.lines):
        written = written_code(line)
        if written is None:
            without_code += 1
            continue
        facts = facts_of(written, in_list=False)
        facts["lines"] += 1
        facts["net"] = str(Decimal(facts["net"]) + to_cents(line.net))
        if (rate := percent(line_rate(line))) not in facts["rates"]:
            facts["rates"].append(rate)
    return seen, without_code


def facts_of_code(code: str, *, in_list: bool) -> dict[str, Any]:
    """Return what is known of a code before anything was counted."""
    return {"code": code, "in_list": in_list, "lines": 0, "net": "0.00", "rates": []}
