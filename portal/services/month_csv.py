"""The comparison of a month as rows of a CSV file."""

from __future__ import annotations

from portal.services.month_report import MonthReport

CSV_HEAD = (
    "what",
    "number",
    "date",
    "gross",
    "cause",
    "field",
    "before",
    "now",
    "receipt",
    "cobot_id",
)


def csv_rows(report: MonthReport) -> list[tuple[str, ...]]:
    """Return the report as rows of a CSV file, under CSV_HEAD: figures, slices, entries, gaps."""
    rows = [
        _csv(what, now=figure.count, gross=figure.gross)
        for what, figure in (
            ("cobot", report.cobot),
            ("booked", report.booked),
            ("without_contact", report.without_contact),
            ("not_booked", report.not_booked),
            ("skipped", report.skipped),
        )
    ]
    rows.append(_csv("difference", gross=report.difference))
    rows.append(_csv("equal", now="yes" if report.is_equal else "no"))
    rows += [
        _csv("account", number=one.account, field=one.name, now=f"{one.rate} %", gross=one.gross)
        if one.rate
        else _csv("accounts_not_read", gross=one.gross)
        for one in report.slices
    ]
    for entry in report.entries:
        plain: dict[str, object] = {
            "number": entry.number,
            "date": entry.day,
            "gross": entry.gross,
            "cause": entry.cause,
            "receipt": entry.voucher_id,
            "cobot_id": entry.cobot_invoice_id,
        }
        for edit in entry.details or ({},):
            rows.append(_csv(entry.what, **plain, **edit))
    rows += [_csv("gap", number=number) for number in report.gaps]
    return rows


def _csv(what: str, **cells: object) -> tuple[str, ...]:
    known = {"what": what, **cells}
    return tuple("" if known.get(name) is None else str(known[name]) for name in CSV_HEAD)
