"""What spaces sell and the booking accounts that their bookkeeping has for it."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Product:
    """Something on an invoice line: its account, its tax rate, its net price in cents from and
    to."""

    description: str
    account: str
    rate: int
    cents: tuple[int, int]


@dataclass(frozen=True)
class Chart:
    """A kind of client: accounts, what is sold on them, and the account numbers with a special
    part."""

    accounts: tuple[dict[str, Any], ...]
    products: tuple[Product, ...]
    untaxed: tuple[Product, ...]
    """Sold at 0 % where nothing else stands on the invoice."""
    narrow: Product
    """Sold at a rate or under a rule that its account does not allow."""
    twin_name: str
    """The name that two accounts share."""

    def name_of(self, number: str) -> str:
        return str(next(each["name"] for each in self.accounts if each["number"] == number))


def _account(row_id: int, number: str, name: str, rules: dict[str, list[int]]) -> dict[str, Any]:
    return {"id": str(row_id), "number": number, "name": name, "types": ["REVENUE"], "rules": rules}


_FREE: dict[str, list[int]] = {"4": [0], "5": [0], "17": [0]}
_RENT = {
    "id": "3690",
    "number": "6310",
    "name": "Miete",
    "types": ["EXPENSE"],
    "rules": {"9": [0, 7, 19]},
}

REGULAR = Chart(
    accounts=(
        _account(3631, "4400", "Mitgliedschaften", {"1": [0, 7, 19], **_FREE}),
        _account(3632, "4401", "Besprechungsräume", {"1": [0, 7, 19], **_FREE}),
        _account(3633, "4402", "Tagestickets & Pässe", {"1": [0, 19], **_FREE}),
        _account(3634, "4403", "Büros große Straße", {"1": [0, 7, 19], **_FREE}),
        _account(3640, "4300", "Getränke", {"1": [7, 19]}),
        _account(3641, "4301", "Bücher", {"1": [7]}),
        _account(3650, "4100", "Steuerfreie Vermietung", _FREE),
        _account(3660, "4830", "Sonstige Erlöse", {"1": [0, 7, 19], **_FREE}),
        _account(3661, "4839", "sonstige  Erlöse", {"1": [0, 7, 19], **_FREE}),
        _RENT,
    ),
    products=(
        Product("Flex Desk", "4400", 19, (9900, 19900)),
        Product("Fix Desk", "4400", 19, (20000, 34900)),
        Product("Team-Büro", "4403", 19, (59000, 240000)),
        Product("Besprechungsraum Alster, Stunde", "4401", 19, (1500, 4500)),
        Product("Tagesticket", "4402", 19, (1500, 2900)),
        Product("Schließfach", "4402", 19, (500, 1500)),
        Product("Kaffee-Flatrate", "4300", 7, (900, 2900)),
        Product("Fachbuch Gründung", "4301", 7, (1200, 3990)),
    ),
    untaxed=(
        Product("Flex Desk (Ausland)", "4400", 0, (9900, 19900)),
        Product("Besprechungsraum Fleet, Stunde", "4401", 0, (1500, 4500)),
        Product("Büro, steuerfrei vermietet", "4100", 0, (40000, 90000)),
    ),
    narrow=Product("Bildband", "4301", 19, (1900, 4900)),
    twin_name="Sonstige Erlöse",
)

SMALL_BUSINESS = Chart(
    accounts=(
        _account(3801, "4185", "Mitgliedschaften", {"11": [0]}),
        _account(3802, "4186", "Raummiete", {"11": [0]}),
        _account(3803, "4187", "Kurse & Vorträge", {"11": [0]}),
        _account(3804, "4188", "Übernachtungen", {"4": [0]}),
        _account(3805, "4830", "Sonstige Erlöse", {"11": [0]}),
        _account(3806, "4839", "SONSTIGE ERLÖSE", {"11": [0]}),
        _RENT,
    ),
    products=(
        Product("Schreibtisch im Atelier", "4185", 0, (8000, 16000)),
        Product("Atelierraum, Tag", "4186", 0, (4500, 12000)),
        Product("Keramikkurs", "4187", 0, (2500, 9900)),
    ),
    untaxed=(Product("Schreibtisch im Atelier", "4185", 0, (8000, 16000)),),
    narrow=Product("Gästezimmer", "4188", 0, (5900, 8900)),
    twin_name="Sonstige Erlöse",
)


def written(rng: random.Random, number: str, name: str) -> str:
    """Return an accounting code that means the account, in one of the ways people write it."""
    ways = (
        (50, name),
        (20, number),
        (6, name.upper()),
        (4, name.lower()),
        (5, f" {name.replace(' ', '  ')} "),
        # A no-break space and letters taken apart look the same and are the same under NFKC.
        (5, unicodedata.normalize("NFD", name).replace(" ", "\N{NO-BREAK SPACE}")),
        (6, f"{number} {name}"),
        (4, f"{number} - {name}"),
    )
    return rng.choices([text for _, text in ways], [weight for weight, _ in ways])[0]
