"""A whole world from four numbers."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

from faker import Faker

from tests.simulator.generator.charts import REGULAR, SMALL_BUSINESS, Chart
from tests.simulator.generator.invoices import Maker, make_invoices
from tests.simulator.generator.kinds import REGULAR_KINDS, SMALL_BUSINESS_KINDS
from tests.simulator.generator.people import ascii_slug, people_of_space

_NAMES = ("Kontor", "Werkraum", "Schreibstube", "Halle", "Atelier", "Loft", "Fabrik", "Gründerhaus")


def generate_world(*, spaces: int, members: int, invoices: int, seed: int) -> dict[str, Any]:
    """Return a world of so many spaces, each with so many members and invoices; equal for equal
    seeds.

    The second of every four spaces is a small business. The entry of "sevdesk" at the place of a
    space is that space's client. Each space has a user of its own, and one user is admin of all.
    """
    world: dict[str, Any] = {"users": [], "spaces": [], "sevdesk": []}
    for index in range(spaces):
        # Each space has its own source of chance, so that it does not change when others come.
        rng = random.Random(f"{seed}/{index}")
        fake = Faker("de_DE")
        fake.seed_instance(rng.randrange(2**32))
        _add_space(world, fake, rng, index, members, invoices, seed)
    everything = [space["id"] for space in world["spaces"]]
    admin = {
        "id": "usr-all",
        "email": "alle@example.org",
        "name": "Admin aller Räume",
        "admin_of": everything,
    }
    world["users"].insert(0, admin)
    return world


def _add_space(
    world: dict[str, Any],
    fake: Faker,
    rng: random.Random,
    index: int,
    members: int,
    invoices: int,
    seed: int,
) -> None:
    is_small_business = index % 4 == 1
    chart = SMALL_BUSINESS if is_small_business else REGULAR
    kinds = SMALL_BUSINESS_KINDS if is_small_business else REGULAR_KINDS
    city = fake.city_name()
    name = f"{rng.choice(_NAMES)} {city}"
    space_id = f"spc-{index}"
    people = people_of_space(fake, rng, index, members)
    maker = Maker(fake, rng, chart, people)
    world["spaces"].append(
        {
            "id": space_id,
            "subdomain": f"{ascii_slug(name)[:40].rstrip('-')}-{index}",
            "name": name,
            "locale": "de-DE",
            "countryCode": "DE",
            "timeZone": "Europe/Berlin",
            "accounting_codes": _accounting_codes(chart),
            "memberships": people.memberships,
            "teams": people.teams,
            "contacts": people.guests,
            "invoices": make_invoices(maker, index, invoices, kinds),
        }
    )
    world["users"].append(
        {
            "id": f"usr-{index}",
            "email": f"admin.{index}@example.org",
            "name": f"{fake.first_name()} {fake.last_name()}",
            "admin_of": [space_id],
        }
    )
    world["sevdesk"].append(
        {
            "token": sha256(f"{seed}/{index}".encode()).hexdigest()[:32],
            "client_id": str(200_001 + index),
            "version": "2.0",
            "next_customer_number": 10_000,
            "accounts": [dict(account) for account in chart.accounts],
            "cost_centres": [{"id": "9", "number": "100", "name": name}],
            "contacts": people.contacts,
        }
    )


def _accounting_codes(chart: Chart) -> list[dict[str, Any]]:
    """Return Cobot's list: the names of what is sold, and one code that sevdesk does not know."""
    rates = {product.account: product.rate for product in chart.products}
    codes: list[dict[str, Any]] = [
        {"name": chart.name_of(number), "tax_rate": f"{rate}.0"} for number, rate in rates.items()
    ]
    return [*codes, {"name": "Parkplätze", "tax_rate": None}]
