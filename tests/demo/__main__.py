"""Start everything, connect a space through the real pages, tell the story, stay up.

`ONCE=1` ends after the story: with 0 only if the remote sides' state is what it should be.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from portal.stack import ROOT
from portal.supervisor import ProcessFailed
from tests.browserless import Browserless, PageFault
from tests.demo import table
from tests.demo.parent import end_with_parent
from tests.demo.story import DUE_AFTER_DAYS, Cast, Story
from tests.demo.welcome import Welcome
from tests.stack import Stack, StackFailed

WORLD = ROOT / "tests" / "simulator" / "worlds" / "demo.json"
FOLDER = ROOT / "var" / "demo"
PORTS = (8000, 9100)
MOST_AT_ONCE = 9
# sevdesk's limit is a pace of our own choosing; without it the table shows what the portal needs.
SETTINGS = {"UPKEEP_SECONDS": "5", "SEVDESK_CALLS_PER_SECOND": "0"}


def main() -> int:
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _end)
    end_with_parent()
    os.environ.pop("TEST_DATABASE_URL", None)  # the demo is SQLite, wherever it runs
    is_once = os.environ.get("ONCE", "") not in {"", "0"}
    cast = Cast(json.loads(WORLD.read_text(encoding="utf-8")))
    stack = _new_stack()
    try:
        stack.start()
        print(f"ready after {time.monotonic() - started:.1f} s, logs in {_shown(stack)}/logs\n")
        faults = _tell(stack, cast)
        _say_how_it_went(faults)
        _say_where(stack, cast)
        if is_once:
            return 1 if faults else 0
        print("\nCtrl-C ends it.", flush=True)
        with Welcome(stack):
            stack.supervisor.run()
    except KeyboardInterrupt:
        return 130
    except (StackFailed, ProcessFailed, PageFault) as err:
        print(f"\nThe demo cannot go on: {err}", file=sys.stderr)
        return 1
    finally:
        stack.stop()
    return 0


def _new_stack() -> Stack:
    """Return a stack in an empty folder; a second demo beside a running one takes the next."""
    for number in range(1, MOST_AT_ONCE + 1):
        folder = FOLDER if number == 1 else FOLDER.with_name(f"{FOLDER.name}-{number}")
        try:
            stack = Stack(
                folder,
                world=WORLD,
                ports=PORTS,
                settings=SETTINGS,
                tell=lambda step: print(f"starting {step} ...", flush=True),
            )
        except ProcessFailed:
            continue
        stack.make_empty()
        return stack
    raise SystemExit(f"{MOST_AT_ONCE} demos run already; end one of them.")


def _tell(stack: Stack, cast: Cast) -> list[str]:
    person = Browserless(stack.portal_url)
    person.sign_in(cast.admin["id"])
    person.connect(
        cast.subdomain, cast.token, due_after_days=DUE_AFTER_DAYS, cost_centre=cast.cost_centre
    )
    print(f"{cast.subdomain} is connected: {cast.admin['name']} signed in and saved the data.\n")
    print(table.head(), flush=True)
    story = Story(stack, person, cast, lambda outcome: print(table.line(outcome), flush=True))
    return story.run()


def _say_how_it_went(faults: list[str]) -> None:
    if faults:
        print("\nNot as it should be:", *(f"  {fault}" for fault in faults), sep="\n")
    else:
        print("\nCobot's and sevdesk's side are exactly as they should be.")


def _say_where(stack: Stack, cast: Cast) -> None:
    parts = urlsplit(stack.control_url)
    print(f"\nportal={stack.portal_url} simulator={parts.scheme}://{parts.netloc}")
    print(f"Open the portal, press “Mit Cobot anmelden” and click “{cast.admin['name']}”.")
    others = _others(json.loads(WORLD.read_text(encoding="utf-8")))
    print("To connect the other spaces by hand:", *(f"  {line}" for line in others), sep="\n")
    print("A few seconds after that Cobot issues an invoice there.")


def _others(world: Mapping[str, list[dict[str, str]]]) -> list[str]:
    pairs = zip(world["spaces"][1:], world["sevdesk"][1:], strict=True)
    return [f"{space['name']}: API token {client['token']}" for space, client in pairs]


def _shown(stack: Stack) -> Path:
    return stack.folder.relative_to(ROOT)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
