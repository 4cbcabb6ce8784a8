"""What a sevdesk token may do: asked before it is saved, or as soon as sevdesk answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.errors import Forbidden, PermanentError, PortalError, TokenRefused
from portal.sevdesk.client import SevdeskClient
from portal.sync.taxes import is_small_business

SUPPORTED_VERSION = "2.0"


@dataclass(frozen=True)
class TokenFacts:
    """What sevdesk told about a token that works."""

    version: str
    client_id: str
    revenue_accounts: int
    is_small_business: bool


class SettingsRefused(PortalError):
    """The settings cannot be saved; nothing was changed.

    `field` is the form's field, None where no field is to blame; `code` is one of the catalogue.
    """

    def __init__(self, field: str | None, code: str, params: Mapping[str, str] | None = None):
        super().__init__(code)
        self.field = field
        self.code = code
        self.params: dict[str, Any] = dict(params or {})


def probe_token(client: SevdeskClient) -> TokenFacts:
    """Ask sevdesk what a token may do.

    Raises SettingsRefused for a token that is refused, of a plan without API, or of system
    version 1.0; TemporaryError when sevdesk is away.
    """
    try:
        version = client.system_version()
        if version != SUPPORTED_VERSION:
            raise SettingsRefused("api_token", "sevdesk_version", {"version": version})
        client_id = client.client_id()
        accounts = client.revenue_accounts()
    except TokenRefused as err:
        raise SettingsRefused("api_token", "token_invalid") from err
    except Forbidden as err:
        raise SettingsRefused("api_token", "sevdesk_plan") from err
    except PermanentError as err:
        raise SettingsRefused("api_token", "bad_answer", {"name": "sevdesk", "ref": "-"}) from err
    return TokenFacts(version, client_id, len(accounts), is_small_business(accounts))


def find_cost_centre(client: SevdeskClient, number: str | None) -> str | None:
    """Return sevdesk's id of a cost centre, None for no number.

    Raises SettingsRefused where sevdesk has none of this number.
    """
    if not number:
        return None
    for found in client.cost_centres():
        if found.number.strip() == number.strip():
            return found.id
    raise SettingsRefused("cost_centre_number", "cost_centre_missing", {"number": number})
