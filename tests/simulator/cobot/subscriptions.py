"""Webhook subscriptions in API 1: per space and app, never two for the same event and address."""

from urllib.parse import urlsplit

from tests.simulator.checks import Json
from tests.simulator.cobot.access import refuse
from tests.simulator.cobot.state import Space, Subscription
from tests.simulator.webhooks import EVENTS


def shown(subscription: Subscription, space_url: str) -> Json:
    """Return a subscription as API 1 shows it."""
    return {
        "id": subscription.id,
        "event": subscription.event,
        "url": f"{space_url}/api/subscriptions/{subscription.id}",
        "active": subscription.active,
        "callback_url": subscription.callback_url,
    }


def own(space: Space, client_id: str, id_: str) -> Subscription:
    """Return this app's subscription, or end the call with 404."""
    subscription = space.subscriptions.get(id_)
    if subscription is None or subscription.client_id != client_id:
        refuse(404, "not found")
    return subscription


def subscribe(space: Space, client_id: str, body: Json) -> Subscription:
    """Make a subscription, or end the call with 422 for wrong fields and 409 for an equal one."""
    event, address = body.get("event"), body.get("callback_url")
    if not isinstance(event, str) or event not in EVENTS:
        refuse(422, "is not included in the list", "event")
    if not isinstance(address, str) or not is_web_address(address):
        refuse(422, "is invalid", "callback_url")
    unknown = sorted(set(body) - {"event", "callback_url"})
    if unknown:
        refuse(422, "is unknown", unknown[0])
    for other in space.subscriptions.values():
        if (other.client_id, other.event, other.callback_url) == (client_id, event, address):
            refuse(409, "is already subscribed", "callback_url")
    subscription = Subscription(_new_id(space), event, address, client_id)
    space.subscriptions[subscription.id] = subscription
    return subscription


def is_web_address(text: str) -> bool:
    """Say whether the text is a complete http or https address without a login in it."""
    try:
        target = urlsplit(text)
        port = target.port
    except ValueError:
        return False
    return (
        target.scheme in ("http", "https")
        and bool(target.hostname)
        and "@" not in target.netloc
        and port != 0
    )


def _new_id(space: Space) -> str:
    while True:
        space.last_numbers["subscription"] = space.last_numbers.get("subscription", 0) + 1
        id_ = f"sub-{space.subdomain}-{space.last_numbers['subscription']}"
        if id_ not in space.subscriptions:
            return id_
