"""How an invoice is booked: by what is at hand, or by accounts and cost centre read anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portal.cobot.records import Invoice
from portal.database import db
from portal.models import InvoiceSync
from portal.services import activities, charts
from portal.services.debtors import Known
from portal.services.edges import Edge
from portal.services.rows import fail, skip
from portal.services.settings_of import voucher_settings
from portal.services.work import Work
from portal.sync.causes import Cause
from portal.sync.lines import line_facts
from portal.sync.plans import NotBookable, Skip, VoucherPlan
from portal.sync.vouchers import plan_voucher


@dataclass(frozen=True)
class Planned:
    """How an invoice is booked, and its positions as the log shows them."""

    plan: VoucherPlan
    lines: list[Any]


def at_hand(work: Work, invoice: Invoice, known: Known) -> Planned | None:
    """Decide how the invoice is booked where all that takes is at hand, as in all but a few.

    None where something must be asked or said first: then `decide` does it.
    """
    chart = charts.at_hand(work.space, known.chart)
    if chart is None or not chart.has_cost_centre:
        return None
    plan = plan_voucher(invoice, chart.index, voucher_settings(work.space))
    if not isinstance(plan, VoucherPlan):
        return None
    return Planned(plan, line_facts(invoice, chart.index))


def decide(work: Work, row: InvoiceSync, invoice: Invoice) -> Planned | None:
    """Decide how the invoice is booked; None when it is not, and that is committed."""
    space = work.space
    index = charts.index_of(space, work.remotes)
    plan = plan_voucher(invoice, index, voucher_settings(space))
    if isinstance(plan, NotBookable) and charts.may_heal(space, plan.cause.code):
        # The account may have been made a moment ago: do not call it missing by an old chart.
        index = charts.index_of(space, work.remotes, younger_than=charts.READ_ANEW_AFTER)
        plan = plan_voucher(invoice, index, voucher_settings(space))
    if isinstance(plan, VoucherPlan):
        if cause := _cost_centre_missing(work):
            plan = NotBookable((cause,))
        else:
            # Made again in sevdesk it has another id by now, and the receipt gets that one.
            plan = plan_voucher(invoice, index, voucher_settings(space))
    row.lines = line_facts(invoice, index)
    if isinstance(plan, VoucherPlan):
        row.due_date = plan.due_date
        return Planned(plan, row.lines)
    if isinstance(plan, Skip):
        skip(row, plan.cause)
        work.commit(Edge.SKIPPED)
        return None
    fail(row, plan.cause, step="planned", causes=plan.causes)
    work.commit(Edge.FAILED)
    activities.tell(work, row)
    return None


def why_refused(work: Work, invoice: Invoice) -> Cause | None:
    """Return why the invoice cannot be booked by accounts and cost centre as they are now, None if
    it can."""
    charts.doubt(work.space)
    db.session.commit()
    index = charts.index_of(work.space, work.remotes)
    plan = plan_voucher(invoice, index, voucher_settings(work.space))
    return plan.cause if isinstance(plan, NotBookable) else _cost_centre_missing(work)


def _cost_centre_missing(work: Work) -> Cause | None:
    if charts.has_cost_centre(work.space, work.remotes):
        return None
    return Cause("cost_centre_missing", {"number": work.space.cost_centre_number or ""})
