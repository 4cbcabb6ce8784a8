"""Members, teams and guests of a space, and the contacts its sevdesk has of them."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from faker import Faker

SHARED_NUMBER_MEMBER = 1
"""The member whose customer number two contacts have."""


@dataclass
class People:
    """Everybody of one space, and the contacts of its sevdesk client."""

    memberships: list[dict[str, Any]] = field(default_factory=list)
    teams: list[dict[str, Any]] = field(default_factory=list)
    guests: list[dict[str, Any]] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)


def people_of_space(fake: Faker, rng: random.Random, space: int, members: int) -> People:
    """Make up the people. Seven of ten members are contacts already; one number is there twice."""
    people = People()
    people.memberships = [_membership(fake, rng, space, index) for index in range(members)]
    for index, member in enumerate(people.memberships):
        if index % 10 < 7:
            people.contacts.append(_contact_of_member(member, len(people.contacts)))
        if index == SHARED_NUMBER_MEMBER:
            twin = {"name": fake.company(), "customerNumber": member["customer_number"]}
            people.contacts.append({"id": str(501 + len(people.contacts)), **twin})
    for index in range(-(-members // 12)):
        team = _team(fake, rng, space, index, people.memberships)
        people.teams.append(team)
        if index % 2 == 0:
            contact = {"name": team["name"], "customerNumber": team["customerNumber"]}
            people.contacts.append({"id": str(501 + len(people.contacts)), **contact})
    people.guests = [_guest(fake, rng, space, index) for index in range(-(-members // 8))]
    return people


def invoice_address(fake: Faker, rng: random.Random) -> dict[str, Any]:
    """Return the address of somebody whom Cobot knows from an invoice only."""
    place = _place(fake)
    company = fake.company() if rng.random() < 0.5 else None
    return {
        "name": f"{fake.first_name()} {fake.last_name()}",
        "company": company,
        "street": place["street"],
        "postCode": place["post_code"],
        "city": place["city"],
        "countryCode": "DE",
    }


def ascii_slug(text: str) -> str:
    """Return the text in small letters, digits and single dashes, umlauts spelled out."""
    spelled = text.lower().translate({0xE4: "ae", 0xF6: "oe", 0xFC: "ue", 0xDF: "ss"})
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _membership(fake: Faker, rng: random.Random, space: int, index: int) -> dict[str, Any]:
    first, last = fake.first_name(), fake.last_name()
    place = _place(fake)
    joined = date(2025, 1, 1) + timedelta(days=rng.randrange(365))
    email = f"{ascii_slug(first)}.{ascii_slug(last)}.{space}-{index}@example.org"
    return {
        "id": f"mem-{space}-{index}",
        "name": f"{first} {last}",
        "email": email,
        "phone": fake.phone_number() if rng.random() < 0.5 else None,
        "address": {
            "company": fake.company() if rng.random() < 0.4 else None,
            "name": f"{first} {last}",
            "address": place["street"],
            "post_code": place["post_code"],
            "city": place["city"],
            "country": "Germany",
        },
        "billing_emails": [email],
        "customer_number": str(1001 + index),
        "plan": {
            "name": "Flex",
            "currency": "EUR",
            "cycle_duration": 1,
            "total_price_per_cycle": "149.0",
            "accounting_code": "Mitgliedschaften",
        },
        "confirmed_at": f"{joined:%Y/%m/%d} 09:00:00 +0000",
        "starts_at": f"{joined:%Y/%m/%d}",
    }


def _contact_of_member(member: dict[str, Any], index: int) -> dict[str, Any]:
    contact = {
        "id": str(501 + index),
        "customerNumber": member["customer_number"],
        "email": member["email"],
    }
    if member["address"]["company"]:
        return contact | {"name": member["address"]["company"]}
    first, _, last = member["name"].rpartition(" ")
    return contact | {"surename": first, "familyname": last}


def _team(
    fake: Faker, rng: random.Random, space: int, index: int, memberships: list[dict[str, Any]]
) -> dict[str, Any]:
    company, place = fake.company(), _place(fake)
    paid = rng.sample(memberships, min(3, len(memberships)))
    roles = ["paying", *(["paid"] * (len(paid) - 1))]
    return {
        "id": f"team-{space}-{index}",
        "name": company,
        "billingAddress": {
            "company": company,
            "street": place["street"],
            "postCode": place["post_code"],
            "city": place["city"],
            "countryCode": "DE",
        },
        "billingEmails": [f"buchhaltung.{space}-{index}@example.org"],
        "customerNumber": f"t-{1001 + index}",
        "members": [
            {"id": member["id"], "role": role} for member, role in zip(paid, roles, strict=True)
        ],
    }


def _guest(fake: Faker, rng: random.Random, space: int, index: int) -> dict[str, Any]:
    place = _place(fake)
    name = f"{fake.first_name()} {fake.last_name()}"
    return {
        "id": f"con-{space}-{index}",
        "email": f"gast.{space}-{index}@example.org",
        "address": {
            "name": name,
            "company": fake.company() if rng.random() < 0.3 else None,
            "fullAddress": f"{place['street']}\n{place['post_code']} {place['city']}",
        },
    }


def _place(fake: Faker) -> dict[str, str]:
    return {
        "street": fake.street_address(),
        "post_code": fake.postcode(),
        "city": fake.city_name() if hasattr(fake, "city_name") else fake.city(),
    }
