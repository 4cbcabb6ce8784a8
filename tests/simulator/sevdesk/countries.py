"""The countries of /StaticCountry; Germany is 1, codes are in lower case."""

from __future__ import annotations

from typing import Any

# "gb" stands three times in the real list; whoever looks it up has to choose by name.
_ROWS = (
    ("1", "de", "Deutschland", "Germany"),
    ("2", "ch", "Schweiz", "Switzerland"),
    ("3", "at", "Österreich", "Austria"),
    ("4", "be", "Belgien", "Belgium"),
    ("5", "bg", "Bulgarien", "Bulgaria"),
    ("6", "hr", "Kroatien", "Croatia"),
    ("7", "cy", "Zypern", "Cyprus"),
    ("8", "cz", "Tschechien", "Czech Republic"),
    ("9", "dk", "Dänemark", "Denmark"),
    ("10", "ee", "Estland", "Estonia"),
    ("11", "fi", "Finnland", "Finland"),
    ("12", "fr", "Frankreich", "France"),
    ("13", "gr", "Griechenland", "Greece"),
    ("14", "hu", "Ungarn", "Hungary"),
    ("15", "ie", "Irland", "Ireland"),
    ("16", "it", "Italien", "Italy"),
    ("17", "lv", "Lettland", "Latvia"),
    ("18", "lt", "Litauen", "Lithuania"),
    ("19", "lu", "Luxemburg", "Luxembourg"),
    ("20", "mt", "Malta", "Malta"),
    ("21", "nl", "Niederlande", "Netherlands"),
    ("22", "pl", "Polen", "Poland"),
    ("23", "pt", "Portugal", "Portugal"),
    ("24", "ro", "Rumänien", "Romania"),
    ("25", "sk", "Slowakei", "Slovakia"),
    ("26", "si", "Slowenien", "Slovenia"),
    ("27", "es", "Spanien", "Spain"),
    ("28", "se", "Schweden", "Sweden"),
    ("29", "gb", "England", "England"),
    ("30", "gb", "Vereinigtes Königreich", "United Kingdom"),
    ("31", "gb", "Schottland", "Scotland"),
    ("32", "no", "Norwegen", "Norway"),
    ("33", "li", "Liechtenstein", "Liechtenstein"),
    ("34", "us", "USA", "United States"),
    ("35", "ca", "Kanada", "Canada"),
    ("36", "tr", "Türkei", "Turkey"),
    ("37", "ua", "Ukraine", "Ukraine"),
    ("38", "au", "Australien", "Australia"),
    ("39", "in", "Indien", "India"),
    ("40", "jp", "Japan", "Japan"),
    ("41", "is", "Island", "Iceland"),
    ("42", "br", "Brasilien", "Brazil"),
)
KNOWN_IDS = frozenset(row[0] for row in _ROWS)


def rows() -> list[dict[str, Any]]:
    """Return every country as sevdesk lists it."""
    return [
        {
            "id": row_id,
            "objectName": "StaticCountry",
            "code": code,
            "name": name,
            "nameEn": name_en,
            "translationCode": f"COUNTRY_{name_en.upper().replace(' ', '_')}",
            "locale": f"{code}_{code.upper()}",
            "priority": "1" if code in ("de", "at", "ch") else "0",
        }
        for row_id, code, name, name_en in _ROWS
    ]
