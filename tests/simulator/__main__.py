"""Command line: `python -m tests.simulator`."""

import argparse
import http.client
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from tests.simulator.app import create_app
from tests.simulator.checks import Json
from tests.simulator.errors import WorldError
from tests.simulator.gateway import Gateway
from tests.simulator.generator import generate_world
from tests.simulator.options import DEFAULT_BACKOFF_SECONDS, Addresses, Options
from tests.simulator.server import SimulatorServer
from tests.simulator.simulator import Simulator


def main(arguments: list[str] | None = None) -> int:
    """Start, say that it answers, and stay until a signal ends it."""
    parser = _parser()
    given = parser.parse_args(arguments)
    # At once: nothing here is worth saving, and whoever started it waits.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        server = SimulatorServer(given.host, given.port)
        addresses = Addresses(given.host, server.port)
        simulator = Simulator(_world(given), _options(given), addresses)
    except (OSError, ValueError) as err:
        print(f"simulator: {err}", file=sys.stderr)
        return 1
    server.gateway = Gateway(simulator, create_app(simulator))
    simulator.webhooks.start()
    serving = threading.Thread(target=server.serve_forever, name="server", daemon=True)
    serving.start()
    _wait_until_it_answers(addresses)
    print(json.dumps(ready_line(addresses)), flush=True)
    serving.join()
    return 0


def ready_line(addresses: Addresses) -> Json:
    """Return what is printed once the simulator answers; the keys are the portal's settings."""
    return {
        "ready": True,
        "COBOT_WWW_URL": addresses.cobot_www,
        "COBOT_API_URL": addresses.cobot_api,
        "COBOT_SPACE_URL": addresses.cobot_space("{subdomain}"),
        "SEVDESK_API_URL": addresses.sevdesk_api,
        "control_url": addresses.control,
        "pid": os.getpid(),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9100, help="0 takes a free one")
    parser.add_argument("--world", type=Path, help="JSON file with the world to begin with")
    parser.add_argument("--spaces", type=_count, help="generate a world with so many spaces")
    parser.add_argument("--members", type=_count, default=20, help="members per generated space")
    parser.add_argument("--invoices", type=_count, default=50, help="invoices per generated space")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed generates the same world"
    )
    parser.add_argument(
        "--latency-ms", type=_count, default=0, help="delay of every answer of both sides"
    )
    parser.add_argument("--cobot-per-minute", type=_count, default=60, help="0 = no limit")
    parser.add_argument("--sevdesk-per-second", type=_count, default=0, help="0 = no limit")
    parser.add_argument(
        "--webhook-backoff",
        type=_gaps,
        default=DEFAULT_BACKOFF_SECONDS,
        help="seconds before each retry, separated by commas",
    )
    parser.add_argument(
        "--webhook-delay-ms", type=_count, default=0, help="delay before each webhook"
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number from 0 is needed")
    return int(text)


def _gaps(text: str) -> tuple[float, ...]:
    try:
        gaps = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError("seconds separated by commas are needed") from None
    if any(not 0 <= gap < 1e9 for gap in gaps):
        raise argparse.ArgumentTypeError("seconds from 0 are needed")
    return gaps


def _options(given: argparse.Namespace) -> Options:
    return Options(
        latency_ms=given.latency_ms,
        cobot_per_minute=given.cobot_per_minute,
        sevdesk_per_second=given.sevdesk_per_second,
        webhook_backoff_seconds=given.webhook_backoff,
        webhook_delay_ms=given.webhook_delay_ms,
    )


def _world(given: argparse.Namespace) -> Json:
    """Return the world to begin with: from a file, generated, or empty."""
    if given.world is not None:
        if given.spaces is not None:
            raise WorldError("--world and --spaces exclude each other")
        world = json.loads(given.world.read_text(encoding="utf-8"))
        if not isinstance(world, dict):
            raise WorldError(f"{given.world}: a JSON object is needed")
        return world
    if given.spaces is None:
        return {}
    return generate_world(
        spaces=given.spaces, members=given.members, invoices=given.invoices, seed=given.seed
    )


def _wait_until_it_answers(addresses: Addresses) -> None:
    host = addresses.root.removeprefix("http://").rsplit(":", 1)[0]
    connection = http.client.HTTPConnection(host.strip("[]"), addresses.port, timeout=30)
    connection.request("GET", "/_control/faults")
    connection.getresponse().read()
    connection.close()


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
