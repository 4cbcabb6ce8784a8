"""Rows 21, 23, 34 to 36 and 39: outages, names, clocks, disks, bursts and backups."""

from __future__ import annotations

import resource
import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text
from sqlalchemy.engine import make_url

from portal.services.edges import Edge
from tests.calendar_day import today
from tests.faults.ground import QUICK, Ground, wait_for

SAVE = "/Voucher/Factory/saveVoucher"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_f21_sevdesk_is_down_with_a_thousand_invoices(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """sevdesk answers 503 to everything while 1,000 invoices come in; time is scaled: first retry
    after 1 s, an outage of 60 s instead of 6 h.

    Held: few calls meanwhile, afterwards everything is booked, nearly in order, nothing twice.
    """
    settings = {**QUICK, "RETRY_FIRST_SECONDS": "1", "RETRY_MAX_SECONDS": "8"}
    with Ground(tmp_path_factory.mktemp("f21"), "f21", settings=settings) as ground:
        ground.connect("f21")
        after = ground.last_call()
        fault = ground.sevdesk_fault("status:503", "*", "f21", times=0)
        begun = time.monotonic()
        numbers = ground.invoices("f21", 1000, "F21")
        ground.wait_until(lambda: time.monotonic() - begun > 60, "the outage", seconds=90)
        tried = [one for one in ground.calls(after) if one["status"] == 503]
        assert len(tried) <= 3 * 3 * 60, len(tried)
        assert {one["state"] for one in ground.rows("f21")} == {"waiting"}
        ground.control("DELETE", f"/faults/{fault}")
        ground.ends("f21", numbers, seconds=500, meanwhile=ground.a_minute_passes)
        ground.check("f21")
        # In the order in which they were announced, which is not quite that of their numbers.
        booked = sorted(ground.rows("f21"), key=lambda one: int(one["sevdesk_voucher_id"]))
        late = sum(after["id"] < before["id"] for before, after in pairwise(booked))
        assert late <= 60, "those that were tried in vain come a little later, the rest in order"


def test_f23_no_such_name_and_a_wrong_certificate(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """sevdesk's name does not resolve; then its certificate is of nobody we trust.

    Held: nothing is sent, it is tried again, and booked once the side is the right one.
    """
    with (
        Ground(tmp_path_factory.mktemp("f23"), "f23", drains=1) as ground,
        _liar(tmp_path_factory.mktemp("tls")) as (port, heard),
    ):
        ground.connect("f23")
        good = ground.env["SEVDESK_API_URL"]
        for wrong in ("https://sevdesk.invalid/api/v1", f"https://localhost:{port}/api/v1"):
            ground.set_env(SEVDESK_API_URL=wrong)
            ground.restart("drain-1", "interactive", "backfill")
            tries = sum(one["attempts"] for one in ground.rows("f23"))
            number = f"F23-{len(ground.rows('f23'))}"
            ground.invoice("f23", number)
            ground.wait_until(
                lambda tries=tries: sum(one["attempts"] for one in ground.rows("f23")) > tries,
                "a try",
            )
            assert {one["cause_code"] for one in ground.rows("f23")} <= {"upstream_down", None}
        assert heard == []
        ground.set_env(SEVDESK_API_URL=good)
        ground.restart("drain-1", "interactive", "backfill")
        ground.ends("f23", ["F23-0", "F23-1"], meanwhile=ground.a_minute_passes)
        ground.check("f23")


@contextmanager
def _liar(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Run a TLS server with a certificate of its own making; yield its port and what it heard."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)

        def do_POST(self) -> None:
            heard.append(self.path)

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], heard
    finally:
        server.shutdown()
        server.server_close()


def test_f34_the_year_ends(ground: Ground, space: str) -> None:
    """Invoices of 31 December, of the last Sunday in March and in October, due after 30 days.

    Held: the dates are right to the day.
    """
    wanted = {
        "2026-12-31": "2027-01-30",
        "2027-03-28": "2027-04-27",
        "2026-10-25": "2026-11-24",
        "2027-01-30": "2027-03-01",
    }
    for day in wanted:
        ground.invoice(space, f"F34-{day}", invoiceDate=day)
    ground.ends(space, [f"F34-{day}" for day in wanted])
    for day, due in wanted.items():
        [receipt] = ground.receipts(space, f"F34-{day}")
        assert (receipt.date, receipt.due) == (day, due)
    ground.check(space)


def test_f34_the_clock_jumps_an_hour_ahead(ground: Ground, space: str) -> None:
    """The clock of a worker jumps an hour ahead right after the commit that allows a write; it
    works on beside one whose clock is right, and on SQLite its lease ends early besides.

    Held: the write at hand is kept, the lock works on, all are booked, one receipt each (I2).
    """
    ground.only()
    ground.sevdesk_fault("hang_after_commit:2", SAVE, space)
    after = ground.last_call()
    numbers = ground.invoices(space, 12, "F34-jump")
    ground.run_dying("jumping", Edge.SENDING, "jump")
    try:
        ground.wait_until(
            lambda: "sending" in {one["state"] for one in ground.rows(space)}, "the write"
        )
        if ground.is_sqlite:
            # What a clock an hour ahead makes of a lease: over since long.
            ground.database.change("UPDATE lease SET expires_at = :past", past=_past(ground))
        ground.start_again("drain-1")
        ground.ends(space, numbers, meanwhile=ground.a_minute_passes)
        assert "reached" in ground.log_of("jumping")
    finally:
        ground.drop("jumping")
        ground.processes.pop("jumping", None)
    # The simulator notes a call when it is over.
    ground.wait_until(lambda: len(ground.writes(space, after)) >= len(numbers), "the calls")
    assert len(ground.writes(space, after)) == len(numbers)
    ground.check(space)


def _past(ground: Ground) -> object:
    return ground.database.moment(-3480)


@pytest.mark.slow
def test_f35_the_database_is_locked(ground: Ground, space: str) -> None:
    """Another program holds the database's lock for 15 s while a hook arrives and a worker works.

    Held: 503 or a late 2xx with its row; everything goes on, no half state.
    """
    made, hook = ground.invoice(space, "F35-1", webhook=False), ground.hook(space)
    numbers = ground.invoices(space, 10, "F35-more")
    begun = time.monotonic()
    with ground.database._engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        if ground.is_sqlite:
            connection.exec_driver_sql("PRAGMA busy_timeout=20000")
            connection.commit()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("LOCK TABLE inbox_event IN EXCLUSIVE MODE"))
        answer = pool.submit(ground.send_hook, hook, space, made)
        wait_for(lambda: time.monotonic() - begun > 15, "15 s", seconds=25)
        connection.rollback()
        status = answer.result()
    assert status in {202, 503}
    if status == 503:
        assert ground.send_hook(hook, space, made) == 202
    ground.ends(space, [*numbers, "F35-1"], seconds=150, meanwhile=ground.a_minute_passes)
    ground.check(space)


def test_f35_the_disk_is_full(ground: Ground, space: str) -> None:
    """Neither the web server nor upkeep nor the workers may write a further byte into a file (the
    disk is full), in the middle of 20 invoices.

    Held: 503 and never a 2xx; with room again Cobot's repeat succeeds and everything goes on, no
    half state.
    """
    if not ground.is_sqlite:
        pytest.skip("PostgreSQL's disk is the server's own; what it then answers is row 4")
    made, hook = ground.invoice(space, "F35-2", webhook=False), ground.hook(space)
    after = ground.last_call()
    numbers = ground.invoices(space, 20, "F35-full")
    ground.wait_until(lambda: ground.writes(space, after), "the first receipt")
    names = ("web", "drain-1", "drain-2", "upkeep")
    pids = [int(pid) for name in names for pid in _of_session(ground.pid(name))]
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    assert ground.send_hook(hook, space, made) == 503
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() - begun > 3, "3 s")
    for pid in pids:
        with suppress(ProcessLookupError):
            room = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, room)
    assert made not in {one["cobot_invoice_id"] for one in ground.rows(space)}
    for name in names:  # who died of it is started again, as a supervisor does
        if not ground.supervisor.is_alive(name):
            ground.drop(name)
            ground.start_again(name)
    assert ground.send_hook(hook, space, made) == 202
    ground.ends(space, [*numbers, "F35-2"], seconds=90, meanwhile=ground.a_minute_passes)
    ground.check(space)


def _of_session(session: int) -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[3] == str(session):
            yield entry.parent.name


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_f36_five_thousand_in_one_space_and_one_in_another(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """5,000 hooks for space A, and in the middle of them single invoices of space B; two workers.

    Held: each of B's is booked within 10 s (I10); nothing twice in either.
    """
    with Ground(tmp_path_factory.mktemp("f36"), "f36a", "f36b") as ground:
        ground.connect("f36a", "f36b")
        ids = [ground.invoice("f36a", f"A-{place}", webhook=False) for place in range(5000)]
        hook = ground.hook("f36a")
        taken: list[float] = []
        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(ground.send_hook, hook, "f36a", one) for one in ids]
            for place in range(5):
                ground.wait_until(
                    lambda place=place: sum(one.done() for one in sent) >= 200 + 400 * place,
                    "some of A's",
                    seconds=200,
                )
                begun = time.monotonic()
                ground.invoice("f36b", f"B-{place}")
                ground.ends("f36b", f"B-{place}", seconds=60)
                taken.append(time.monotonic() - begun)
            assert {one.result() for one in sent} == {202}
        assert max(taken) < 10, taken
        print("seconds taken by B's:", [round(one, 1) for one in taken])
        for name in ("drain-1", "drain-2"):
            ground.kill(name)  # A's burst is not over: hold still while we look
        ground.check("f36a", "f36b", is_settled=False, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_f39_restored_from_a_backup(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The database is copied, 15 invoices later everything is killed and the copy put back; the
    next night comes.

    Held: the receipts that stand in sevdesk are taken over by the look before writing (I2).
    """
    with Ground(tmp_path_factory.mktemp("f39"), "f39") as ground:
        ground.connect("f39")
        dated = {"invoiceDate": today().isoformat()}
        numbers = ground.invoices("f39", 5, "F39-old", **dated)
        ground.ends("f39", numbers)
        with _portal_is_down(ground):
            _copy(ground, "backup")
        later = ground.invoices("f39", 15, "F39-new", **dated)
        ground.ends("f39", later, seconds=150, meanwhile=ground.a_minute_passes)
        after = ground.last_call()
        with _portal_is_down(ground):
            _put_back(ground, "backup")
        assert len(ground.rows("f39")) == 5
        ground.catch_up_again("f39")
        ground.ends("f39", [*numbers, *later], seconds=150, meanwhile=ground.a_minute_passes)
        assert ground.writes("f39", after) == []
        ground.check("f39", without={"I1"})


@contextmanager
def _portal_is_down(ground: Ground) -> Iterator[None]:
    names = [name for name in ground.processes if name not in {"simulator", "valkey"}]
    for name in names:
        ground.kill(name)
    yield
    ground.restart(*names)


def _copy(ground: Ground, name: str) -> None:
    if ground.is_sqlite:
        ground.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(ground.folder / "portal.db", ground.folder / name)
        return
    _postgres(ground, f'CREATE DATABASE "{{name}}-{name}" TEMPLATE "{{name}}"')


def _put_back(ground: Ground, name: str) -> None:
    if ground.is_sqlite:
        for part in ("-wal", "-shm"):
            (ground.folder / f"portal.db{part}").unlink(missing_ok=True)
        shutil.copy(ground.folder / name, ground.folder / "portal.db")
        (ground.folder / name).unlink()
        return
    _postgres(ground, 'DROP DATABASE "{name}" WITH (FORCE)')
    _postgres(ground, f'ALTER DATABASE "{{name}}-{name}" RENAME TO "{{name}}"')


def _postgres(ground: Ground, statement: str) -> None:
    url = make_url(ground.direct_database)
    server = url.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.format(name=url.database))  # type: ignore[arg-type]
