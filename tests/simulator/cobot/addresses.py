"""Addresses as API 1 and API 2 write them, and the way from one to the other."""

from tests.simulator.checks import Fields, Json

MEMBER_ADDRESS_KEYS = (
    "company",
    "name",
    "full_address",
    "address",
    "post_code",
    "city",
    "state",
    "country",
)
INVOICE_ADDRESS_KEYS = (
    "name",
    "company",
    "fullAddress",
    "street",
    "postCode",
    "city",
    "state",
    "countryCode",
)
CONTACT_ADDRESS_KEYS = ("name", "company", "fullAddress")
COUNTRY_CODES = {
    "germany": "DE",
    "deutschland": "DE",
    "austria": "AT",
    "österreich": "AT",
    "switzerland": "CH",
    "schweiz": "CH",
    "france": "FR",
    "frankreich": "FR",
    "netherlands": "NL",
    "niederlande": "NL",
    "poland": "PL",
    "polen": "PL",
    "italy": "IT",
    "italien": "IT",
    "spain": "ES",
    "spanien": "ES",
    "united states": "US",
    "united kingdom": "GB",
}


def member_address(value: object, where: str) -> Json:
    """Return an API 1 address with every key; `full_address` is put together when left out."""
    given = Fields(value, where, MEMBER_ADDRESS_KEYS)
    address: Json = {key: given.optional_text(key) for key in MEMBER_ADDRESS_KEYS}
    if not given.has("full_address"):
        place = " ".join(filter(None, (address["post_code"], address["city"])))
        address["full_address"] = "\n".join(filter(None, (address["address"], place))) or None
    return address


def invoice_address(value: object, where: str) -> Json:
    """Return an API 2 invoice address with every key.

    `fullAddress` is put together when it is left out.
    """
    given = Fields(value, where, INVOICE_ADDRESS_KEYS)
    address: Json = {key: given.optional_text(key) for key in INVOICE_ADDRESS_KEYS}
    if address["fullAddress"] is None:
        place = " ".join(filter(None, (address["postCode"], address["city"])))
        address["fullAddress"] = "\n".join(filter(None, (address["street"], place)))
    return address


def contact_address(value: object, where: str) -> Json:
    """Return a contact's address, which has only one field for street and place."""
    given = Fields(value, where, CONTACT_ADDRESS_KEYS)
    return {
        "name": given.optional_text("name"),
        "company": given.optional_text("company"),
        "fullAddress": given.optional_text("fullAddress") or "",
    }


def for_invoice(member: Json) -> Json:
    """Return a member's address as it goes onto an invoice."""
    address = member["address"]
    return {
        "name": address["name"] or member["name"],
        "company": address["company"],
        "fullAddress": address["full_address"] or "",
        "street": address["address"],
        "postCode": address["post_code"],
        "city": address["city"],
        "state": address["state"],
        "countryCode": country_code(address["country"]),
    }


def country_code(country: str | None) -> str | None:
    """Return the two-letter code of a country's name, or None when the name is not known."""
    if country is None:
        return None
    if len(country) == 2 and country.isalpha():
        return country.upper()
    return COUNTRY_CODES.get(country.strip().casefold())
