"""Webhooks: ordered per space and app, delivered at least once, retried, switched off at last."""

import heapq
import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.simulator.calls import Call
from tests.simulator.checks import Json
from tests.simulator.cobot.state import Delivery, Space, Subscription
from tests.simulator.faults import ATTEMPT_EFFECTS, DELIVERY_EFFECTS, Fault

if TYPE_CHECKING:
    from tests.simulator.simulator import Simulator

THREADS = 16
TIMEOUT_SECONDS = 10
GONE = 410
REORDER_WAIT_SECONDS = 0.5
REORDER_GAP_SECONDS = 0.1
EVENTS = frozenset(
    {
        "created_membership",
        "confirmed_membership",
        "updated_membership_details",
        "canceled_membership",
        "uncanceled_membership",
        "reactivated_membership",
        "deleted_membership",
        "membership_cancellation_date_reached",
        "changed_membership_plan",
        "created_invoice",
        "updated_invoice",
        "deleted_invoice",
        "sent_invoice",
        "wrote_off_invoice",
        "requested_e_invoice",
        "created_booking",
        "updated_booking",
        "deleted_booking",
        "created_drop_in_pass",
        "created_admin",
        "deleted_admin",
        "changed_space_subscription",
    }
)


@dataclass(order=True)
class _Due:
    at: float
    order: int
    run: Callable[[], None] = field(compare=False)


@dataclass
class _Held:
    """Deliveries waiting to be sent in reverse."""

    flush: list[Callable[[float], None]] = field(default_factory=list)
    last_at: float = 0


class Webhooks:
    """Sends what happens in Cobot to those who subscribed.

    Its threads hold the lock only to look and to write down, never while they wait for an answer.
    """

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self._due: list[_Due] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._held: dict[str, _Held] = {}

    def start(self) -> None:
        """Begin delivering."""
        for number in range(THREADS):
            threading.Thread(target=self._work, name=f"webhook-{number}", daemon=True).start()

    def fire(
        self, space: Space, event: str, kind: str, id_: str, extra: Json | None = None
    ) -> None:
        """Tell every active subscription of this space that something happened to an object."""
        url = f"{self._simulator.addresses.cobot_space(space.subdomain)}/api/{kind}/{id_}"
        for subscription in list(space.subscriptions.values()):
            if subscription.active and subscription.event == event:
                delivery = Delivery(
                    event, url, subscription.callback_url, subscription.id, extra or {}
                )
                self._begin(space, delivery)

    def resume(self, space: Space) -> None:
        """Go on with the deliveries that a state left open."""
        for delivery in space.deliveries:
            for subscription in space.subscriptions.values():
                if (
                    subscription.callback_url == delivery.callback_url
                    and subscription.event == delivery.event
                ):
                    delivery.subscription_id = subscription.id
            if delivery.next_at is not None:
                self._schedule(space, delivery, delivery.next_at)

    def _begin(self, space: Space, delivery: Delivery) -> None:
        """Take a new delivery, with what a fault makes of it; a dropped one has no attempts."""
        space.deliveries.append(delivery)
        names = (space.subdomain, space.id)
        fault = self._simulator.faults.hit_webhook(delivery.event, names, DELIVERY_EFFECTS)
        at = time.time() + self._simulator.options.webhook_delay_ms / 1000
        fault_id = fault.id if fault else None
        kind = fault.effect.kind if fault else ""
        if kind == "drop_webhook":
            self._log(space, delivery, status=0, seconds=0, fault_id=fault_id)
        elif fault and kind == "reorder_webhooks":
            self._hold(fault.id, space, delivery)
        else:
            copies = int(fault.effect.number) if fault and kind == "duplicate_webhook" else 0
            if fault and kind == "hang":
                at += fault.effect.number
            self._schedule(space, delivery, at, fault_id)
            for _ in range(copies):
                copy = Delivery(
                    delivery.event,
                    delivery.url,
                    delivery.callback_url,
                    delivery.subscription_id,
                    delivery.extra,
                )
                space.deliveries.append(copy)
                self._schedule(space, copy, at, fault_id)

    def _hold(self, fault_id: str, space: Space, delivery: Delivery) -> None:
        """Gather deliveries until none came for a moment, then send them last first."""
        held = self._held.setdefault(fault_id, _Held())
        held.last_at = time.time()
        delivery.next_at = held.last_at + REORDER_WAIT_SECONDS
        held.flush.append(lambda at: self._schedule(space, delivery, at, fault_id))
        if len(held.flush) == 1:
            self._at(delivery.next_at, lambda: self._release(fault_id))

    def _release(self, fault_id: str) -> None:
        with self._simulator.lock:
            held = self._held.get(fault_id)
            if held is None:
                return
            ready_at = held.last_at + REORDER_WAIT_SECONDS
            if time.time() < ready_at:
                self._at(ready_at, lambda: self._release(fault_id))
                return
            del self._held[fault_id]
            for place, send in enumerate(reversed(held.flush)):
                send(time.time() + place * REORDER_GAP_SECONDS)

    def _schedule(
        self, space: Space, delivery: Delivery, at: float, fault_id: str | None = None
    ) -> None:
        delivery.next_at = round(at, 3)
        self._at(at, lambda: self._attempt(space, delivery, fault_id))

    def _at(self, at: float, run: Callable[[], None]) -> None:
        with self._wake:
            heapq.heappush(self._due, _Due(at, next(self._order), run))
            self._wake.notify()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._due or self._due[0].at > time.time():
                    wait = self._due[0].at - time.time() if self._due else None
                    self._wake.wait(wait)
                due = heapq.heappop(self._due)
            due.run()

    def _attempt(self, space: Space, delivery: Delivery, fault_id: str | None) -> None:
        with self._simulator.lock:
            subscription = self._subscription(space, delivery)
            if subscription is None or not subscription.active:
                delivery.next_at = None
                return
            names = (space.subdomain, space.id)
            fault = self._simulator.faults.hit_webhook(delivery.event, names, ATTEMPT_EFFECTS)
        started = time.time()
        status = _send(delivery, fault)
        met = fault.id if fault else fault_id
        self._log(space, delivery, status, time.time() - started, met)
        with self._simulator.lock:
            delivery.attempts.append({"at": round(started, 3), "status": status})
            delivery.next_at = None
            if 200 <= status < 300:
                return
            gaps = self._simulator.options.webhook_backoff_seconds
            made = len(delivery.attempts)
            if status == GONE or made > len(gaps):
                subscription.active = False
            else:
                self._schedule(space, delivery, time.time() + gaps[made - 1], fault_id)

    def _subscription(self, space: Space, delivery: Delivery) -> Subscription | None:
        """Return the delivery's subscription; None when it, its space or its world is gone."""
        if self._simulator.world.cobot.spaces.get(space.id) is not space:
            return None
        return space.subscriptions.get(delivery.subscription_id or "")

    def _log(
        self, space: Space, delivery: Delivery, status: int, seconds: float, fault_id: str | None
    ) -> None:
        self._simulator.calls.add(
            Call(
                at=time.time() - seconds,
                side="webhook",
                method="POST",
                path=delivery.event,
                query="",
                status=status,
                ms=seconds * 1000,
                bytes=0,
                caller=None,
                space=space.subdomain,
                fault=fault_id,
            )
        )


def _send(delivery: Delivery, fault: Fault | None) -> int:
    """Post a webhook and return the status that Cobot sees; 0 when there was no answer."""
    kind, number = (fault.effect.kind, fault.effect.number) if fault else ("", 0)
    if kind == "status":
        return int(number)
    if kind == "reset_before":
        return 0
    status = post_json(delivery.callback_url, {"url": delivery.url, **delivery.extra})
    if kind == "status_after_commit":
        return int(number)
    if kind == "hang_after_commit":
        time.sleep(min(number, TIMEOUT_SECONDS))
    is_lost = kind == "reset_after_commit" or (
        kind == "hang_after_commit" and number >= TIMEOUT_SECONDS
    )
    return 0 if is_lost else status


def post_json(address: str, body: Json) -> int:
    """Post to an address and return the status; 0 when there was no answer.

    Redirects are not followed.
    """
    target = urlsplit(address)
    is_tls = target.scheme == "https"
    connection_type = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    headers = {"Content-Type": "application/json", "User-Agent": "Cobot", "Connection": "close"}
    connection: http.client.HTTPConnection | None = None
    try:
        connection = connection_type(target.hostname or "", target.port, timeout=TIMEOUT_SECONDS)
        connection.request("POST", path, body=json.dumps(body), headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return 0
    finally:
        if connection is not None:
            connection.close()
