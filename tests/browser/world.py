"""A world for people with a browser: many spaces, each with its own sevdesk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from tests.calendar_day import today
from tests.e2e.worlds import member, token_of
from tests.stack import Json, Stack

OWNER, NEWCOMER, STRANGER, SUPPORT = "usr-owner", "usr-newcomer", "usr-stranger", "usr-support"
COST_CENTRE = "100"
CODE, NEW_CODE = "Mitgliedschaft", "Telefonkabine"

# Each story takes a space of its own from here, so that none meets another's invoices.
SPACES = {
    "hafenkontor": "Hafenkontor",
    "alte-weberei": "Alte Weberei",
    "bergloft": "Bergloft",
    "coworking-am-wall": "Coworking am Wall",
    "dachgarten": "Dachgarten",
    "elbwerk": "Elbwerk",
    "fabrik-sieben": "Fabrik Sieben",
    "gleisdreieck": "Gleisdreieck",
    "hinterhof": "Hinterhof",
    "inselhaus": "Inselhaus",
    "kaffeemuehle": "Kaffeemühle",
    "lagerhaus": "Lagerhaus Süd",
    "muehlenhof": "Mühlenhof",
    "nordlicht": "Nordlicht",
    "ostwerk": "Ostwerk",
    "papierfabrik": "Papierfabrik",
    "quartier": "Quartier",
    "remise": "Remise",
    "speicherstadt": "Gemeinschaftsbüro Speicherstadt am Sandtorkai",
    "turmzimmer": "Turmzimmer",
    "uferhalle": "Uferhalle",
    "viktoria": "Viktoria",
    "werkbank": "Werkbank",
    "alsterhof": "Alsterhof",
    "bootshaus": "Bootshaus",
    "drehscheibe": "Drehscheibe",
    "eiswerk": "Eiswerk",
    "fundbuero": "Fundbüro",
    "gasometer": "Gasometer",
    "heuboden": "Heuboden",
    "industriehof": "Industriehof",
    "jugendstil": "Jugendstil",
    "kranhaus": "Kranhaus",
    "lokschuppen": "Lokschuppen",
    "markthalle": "Markthalle",
    "nachtigall": "Nachtigall",
    "obstgarten": "Obstgarten",
    "pumpwerk": "Pumpwerk",
    "ringbahn": "Ringbahn",
    "seilerei": "Seilerei",
    "tabakspeicher": "Tabakspeicher",
    "umspannwerk": "Umspannwerk",
    "vorwerk": "Vorwerk",
    "weberhaus": "Weberhaus",
    "zollhaus": "Zollhaus",
    "ankerplatz": "Ankerplatz",
    "bahnhof-nord": "Bahnhof Nord",
    "campus-west": "Campus West",
    "dockland": "Dockland",
    "ecke-sieben": "Ecke Sieben",
    "forum-ost": "Forum Ost",
    "ziegelei": "Ziegelei",
}
NEULAND = "neuland"

KNOWN = (
    ("1005", "Xenia Yılmaz", "XYZ Design"),
    ("1006", "Mia Neumann", None),
    ("1007", "Jonas Weiß", "Weiß & Söhne Steuerberatungsgesellschaft mbH"),
    ("1008", "Kateřina Dvořák", None),
)
UNKNOWN = ("4711", "Lars Petersen", None)


NUMBERS = count(1)


@dataclass(frozen=True)
class Place:
    """A space of the world, and what happens there on Cobot's and sevdesk's side."""

    stack: Stack
    subdomain: str
    name: str

    @property
    def token(self) -> str:
        return token_of(self.subdomain)

    @property
    def path(self) -> str:
        return f"/spaces/{self.subdomain}"

    def invoice_path(self, invoice: Json) -> str:
        return f"{self.path}/invoices/{invoice['data']['id']}"

    def issue(
        self,
        number: str,
        *lines: Json,
        debtor: int | None = 0,
        told: bool = True,
        **given: object,
    ) -> Json:
        """Let Cobot issue an invoice; `debtor` is a place in KNOWN, None the unknown member.

        One that is not `told` fires no webhook.
        """
        who = UNKNOWN[0] if debtor is None else KNOWN[debtor][0]
        body = {
            "number": number,
            "invoiceDate": today().isoformat(),
            "debitor": {"type": "memberships", "id": f"mem-{who}-{self.subdomain}"},
            "items": list(lines) or [line()],
            **given,
        }
        return self.stack.create_invoice(self.subdomain, body, webhook=told)

    def issue_one_more(self) -> Json:
        """Let Cobot issue an invoice with a number that was not used yet."""
        return self.issue(f"2026-9{next(NUMBERS):03}")

    def add_account(self, name: str = NEW_CODE, place: int = 0) -> None:
        """Create the booking account in sevdesk, as a person there would."""
        account = {
            "id": str(3700 + place),
            "number": str(4500 + place),
            "name": name,
            "types": ["REVENUE"],
            "rules": {"1": [0, 7, 19]},
        }
        self.stack.control("POST", f"/sevdesk/{self.token}/accounts", account)

    def add_contact(self) -> None:
        """Give the unknown member's number to a contact."""
        contact = {"id": "777", "customerNumber": UNKNOWN[0], "name": UNKNOWN[1]}
        self.stack.control("POST", f"/sevdesk/{self.token}/contacts", contact)

    def fault(self, side: str, path: str, effect: str, *, times: int = 1, method: str = "") -> str:
        """Plant a fault of one of the remote sides for this space alone; returns its id."""
        where = {"token": self.token} if side == "sevdesk" else {"space": self.subdomain}
        body = {"side": side, "path": path, "effect": effect, "times": times, **where}
        made = self.stack.control("POST", "/faults", body | ({"method": method} if method else {}))
        return str(made["id"])


def line(
    code: str | None = CODE,
    net: str = "220.0",
    rate: str = "19.0",
    text: str = "Flex Desk, monatlich",
) -> Json:
    taxes = [{"name": "USt", "rate": rate}] if rate != "0" else []
    amount = {"net": net, "currency": "EUR", "taxes": taxes}
    return {"description": text, "accountingCode": code, "amount": amount}


def world() -> Json:
    names = {**SPACES, NEULAND: "Neuland"}
    owned = [f"spc-{subdomain}" for subdomain in SPACES]
    return {
        "users": [
            _user(OWNER, "Ada Lorenz", "ada@example.org", owned),
            _user(NEWCOMER, "Nils Anders", "nils@example.org", [f"spc-{NEULAND}"]),
            _user(STRANGER, "Fritz Fremd", "fritz@example.org", []),
            _user(SUPPORT, "Sina Hilfreich", "support@example.org", []),
        ],
        "spaces": [_space(subdomain, name) for subdomain, name in names.items()],
        "sevdesk": [_client(subdomain, place) for place, subdomain in enumerate(names)],
    }


PLAN = {"name": "Flex Desk, zehn Tage im Monat", "accounting_code": CODE}


def _user(user_id: str, name: str, email: str, admin_of: list[str]) -> Json:
    return {"id": user_id, "email": email, "name": name, "admin_of": admin_of}


def _space(subdomain: str, name: str) -> Json:
    return {
        "id": f"spc-{subdomain}",
        "subdomain": subdomain,
        "name": name,
        "locale": "de-DE",
        "accounting_codes": [
            {"name": CODE, "tax_rate": "19.0"},
            {"name": "Getränke", "tax_rate": "7.0"},
        ],
        "memberships": [
            member(f"mem-{number}-{subdomain}", who, number, company) | {"plan": PLAN}
            for number, who, company in (*KNOWN, UNKNOWN)
        ],
    }


def _client(subdomain: str, place: int) -> Json:
    rules = {"1": [0, 7, 19], "4": [0], "5": [0], "17": [0]}
    accounts = (
        ("3631", "4400", CODE),
        ("3632", "4401", "Meetingräume"),
        ("3633", "4300", "Getränke"),
    )
    return {
        "token": token_of(subdomain),
        "client_id": str(7100 + place),
        "next_customer_number": 1100,
        "accounts": [
            {"id": id_, "number": number, "name": name, "types": ["REVENUE"], "rules": rules}
            for id_, number, name in accounts
        ],
        "cost_centres": [
            {"id": "9", "number": COST_CENTRE, "name": "Haus"},
            {"id": "10", "number": "200", "name": "Veranstaltungen"},
        ],
        "contacts": [
            {"id": str(500 + place), "customerNumber": number, "name": company or who}
            for place, (number, who, company) in enumerate(KNOWN)
        ],
    }
