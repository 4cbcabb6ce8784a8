"""The product as real processes on either database, with spaces that are connected already."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from portal.stack import PYTHON
from portal.supervisor import Process
from tests.bench.run import SQLITE
from tests.browserless import Browserless
from tests.e2e.worlds import ADMIN, invoice, known, token_of, world_of
from tests.faults.outside import Database
from tests.stack import Json, Stack

LIFTED = {"COBOT_CALLS_PER_MINUTE": "0", "SEVDESK_CALLS_PER_SECOND": "0"}
"""No limit on our side: for rows that ask what the portal itself can do."""
WITHOUT_LIMITS = ("--cobot-per-minute", "0")
AT_ONCE = 6


class Place(Stack):
    """A stack on the database that is named, without drain workers unless asked for."""

    def __init__(
        self,
        folder: Path,
        database: str,
        *subdomains: str,
        settings: Mapping[str, str] | None = None,
        simulator: Sequence[str] = WITHOUT_LIMITS,
        drains: int = 0,
    ) -> None:
        self._kind = database
        self._outside: Database | None = None
        folder = folder / f"{database.lower()}-{time.monotonic_ns()}"
        folder.mkdir()
        super().__init__(
            folder,
            world=world_of(*subdomains),
            simulator=simulator,
            settings={**LIFTED, "UPKEEP_SECONDS": "5", **(settings or {})},
            drains=drains,
        )

    def _database_url(self) -> str:
        if self._kind == SQLITE:
            return f"sqlite:///{self.folder / 'portal.db'}"
        return super()._database_url()

    @property
    def database(self) -> Database:
        """The same database, read without the product."""
        if self._outside is None:
            self._outside = Database(self.env["DATABASE_URL"])
        return self._outside

    def connect(self, *subdomains: str) -> None:
        """Connect spaces through the pages, as their admin would."""

        def some(mine: Sequence[str]) -> None:
            person = self.person()
            for subdomain in mine:
                person.connect(subdomain, token_of(subdomain))
            person.http.close()

        # Some sign-ins and not one for each space: so many at once from one address are refused.
        with ThreadPoolExecutor(AT_ONCE) as people:
            parts = [subdomains[place::AT_ONCE] for place in range(AT_ONCE)]
            list(people.map(some, filter(None, parts)))
        self.wait_until(
            lambda: not self.database.rows("SELECT 1 FROM space WHERE caught_up_on IS NULL"),
            "the first comparison with Cobot",
            seconds=120,
        )
        for subdomain in subdomains:
            self._link(subdomain)

    def _link(self, subdomain: str) -> None:
        """Let the member who pays be a contact of ours, as an import of the members makes it."""
        self.database.change(
            "INSERT INTO member_sync (space_id, cobot_membership_id, state, contact_id,"
            " contact_number, number_written, was_adopted, contact_checked, address_done,"
            " email_done, note_posted, cause_params, attempts, looks, created_at)"
            " VALUES (:space, :member, 'synced', '501', '1005', '1005', :yes, :yes, :yes, :yes,"
            " :yes, '{}', 0, 0, :now)",
            space=self.space_id(subdomain),
            member=known(subdomain)["id"],
            now=self.database.moment(0),
            yes=True,
        )

    def person(self) -> Browserless:
        """The admin of all spaces, signed in anew."""
        person = Browserless(self.portal_url)
        person.sign_in(ADMIN)
        return person

    def issue(self, subdomain: str, count: int, prefix: str, **given: object) -> list[str]:
        """Create invoices in Cobot without telling the portal; return their ids."""
        return [
            str(
                self.create_invoice(
                    subdomain, invoice(subdomain, f"{prefix}-{place}", **given), webhook=False
                )["data"]["id"]
            )
            for place in range(1, count + 1)
        ]

    def announce(self, subdomain: str, ids: Sequence[str]) -> None:
        """Put webhooks into the inbox as they would stand there, without waking anybody."""
        space_id, now = self.space_id(subdomain), self.database.moment(0)
        self.database.change_many(
            "INSERT INTO inbox_event (space_id, event, remote_id, seen_count, first_seen_at,"
            " last_seen_at) VALUES (:space, 'created_invoice', :remote, 1, :now, :now)",
            [{"space": space_id, "remote": one, "now": now} for one in ids],
        )

    def space_id(self, subdomain: str) -> int:
        found = self.database.one("SELECT id FROM space WHERE subdomain = :name", name=subdomain)
        return int(found["id"])

    def wake(self, *subdomains: str) -> None:
        """Make spaces due now; upkeep puts them into the queue."""
        for one in subdomains:
            self.database.change(
                "UPDATE space SET wake_at = :now WHERE subdomain = :name",
                now=self.database.moment(0),
                name=one,
            )

    def start_drains(self, count: int) -> list[str]:
        """Start workers and return when all of them wait for work."""
        names = [f"bench-drain-{number}" for number in range(1, count + 1)]
        command = [PYTHON, "-m", "flask", "--app", "wsgi", "rq", "worker", "drain"]
        for name in names:
            self.run(Process(name, command, self.env))
        return names

    def run(self, process: Process) -> None:
        """Run one more process until the end of the place."""
        self._run(process)

    def end_drains(self, names: Sequence[str]) -> None:
        for name in names:
            self.kill(name)
            del self.processes[name]

    @staticmethod
    def answers(url: str) -> bool:
        """Say whether anybody answers a POST there."""
        try:
            return requests.post(url, timeout=5).status_code < 500
        except requests.RequestException:
            return False

    def finished(self, subdomain: str = "%") -> int:
        """Return how many invoices are done."""
        row = self.database.one(
            "SELECT count(*) AS n FROM invoice_sync i JOIN space s ON s.id = i.space_id"
            " WHERE s.subdomain LIKE :name AND i.state IN ('synced', 'mismatched')",
            name=subdomain,
        )
        return int(row["n"])

    def hook_address(self, subdomain: str) -> str:
        return next(
            str(one["callback_url"])
            for one in self.space(subdomain)["subscriptions"]
            if one["event"] == "created_invoice"
        )

    def hook_body(self, subdomain: str, invoice_id: str) -> Json:
        base = self.env["COBOT_SPACE_URL"].format(subdomain=subdomain)
        return {"url": f"{base}/api/invoices/{invoice_id}"}

    def send_hook(self, address: str, subdomain: str, invoice_id: str) -> None:
        answer = requests.post(address, json=self.hook_body(subdomain, invoice_id), timeout=30)
        assert answer.status_code == 202, answer.status_code


def server() -> str | None:
    """Return the address of PostgreSQL, None where there is none."""
    return os.environ.get("TEST_DATABASE_URL")
