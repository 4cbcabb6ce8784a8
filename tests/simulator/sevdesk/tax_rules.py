"""The tax rules of sevdesk 2.0 that a voucher may name.

Source: sevdesk API description, section "sevdesk-Update 2.0", and the answers of /ReceiptGuidance.
"""

from __future__ import annotations

from dataclasses import dataclass

RATE_WORDS = {0: "ZERO", 7: "SEVEN", 19: "NINETEEN"}


@dataclass(frozen=True)
class TaxRule:
    """One rule: its id, its code in ReceiptGuidance, its meaning, the rates it knows."""

    id: str
    code: str
    description: str
    rates: tuple[int, ...] = (0,)


_ALL_RATES = (0, 7, 19)
_RULES = (
    TaxRule("1", "USTPFL_UMS_EINN", "Umsatzsteuerpflichtige Umsätze", _ALL_RATES),
    TaxRule("2", "AUSFUHREN", "Ausfuhren"),
    TaxRule("3", "INNERGEM_LIEF", "Innergemeinschaftliche Lieferungen", _ALL_RATES),
    TaxRule("4", "STFREIE_UMS_P4", "Steuerfreie Umsätze § 4 UStG"),
    TaxRule("5", "REV_CHARGE_13B_1", "Reverse Charge gem. § 13b UStG"),
    TaxRule("8", "INNERGEM_ERWERB", "Innergemeinschaftliche Erwerbe", _ALL_RATES),
    TaxRule("9", "VORST_ABZUGSF_AUFW", "Vorsteuerabziehbare Aufwendungen", _ALL_RATES),
    TaxRule("10", "NICHT_VORST_ABZUGSF_AUFW", "Nicht vorsteuerabziehbare Aufwendungen"),
    TaxRule("11", "KLEINUNTERNEHMER_P19", "Steuer nicht erhoben nach § 19 UStG"),
    TaxRule("12", "REV_CHARGE_13B_2", "Reverse Charge gem. § 13b Abs. 2 UStG mit Vorsteuerabzug"),
    TaxRule("13", "REV_CHARGE_13B_EU", "Reverse Charge gem. § 13b UStG ohne Vorsteuerabzug"),
    TaxRule("14", "REV_CHARGE_13B_EU_1", "Reverse Charge gem. § 13b Abs. 1 EU-Umsätze"),
    TaxRule("16", "NICHT_VORST_AUFW_P19", "Aufwendungen eines Kleinunternehmers"),
    TaxRule("17", "NICHT_IM_INLAND_STEUERBAR", "Nicht im Inland steuerbare Leistung"),
    TaxRule("22", "NICHT_STEUERBAR", "Nicht steuerbare Einnahmen"),
)
VOUCHER_RULES = {rule.id: rule for rule in _RULES}

# One-Stop-Shop and § 18b exist for invoices; a voucher with one of them is refused.
NOT_FOR_VOUCHERS = {"18", "19", "20", "21"}
