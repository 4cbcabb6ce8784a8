"""Clients with made-up tokens, and canned answers for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses
from pytest_socket import socket_allow_hosts

from portal.cobot.client import CobotClient, CobotUrls
from portal.sevdesk.client import SevdeskClient
from portal.transport import Sessions

USER_AGENT = "Cobot-sevdesk-Portal by tests"
COBOT_TOKEN = "cobot-token-of-space-alpha"
SEVDESK_TOKEN = "0123456789abcdef0123456789abcdef"
WWW = "https://www.cobot.me"
API = "https://api.cobot.me"
SPACE = "https://alpha.cobot.me"
SEVDESK = "https://my.sevdesk.de/api/v1"


@pytest.fixture(autouse=True)
def only_this_machine() -> None:
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    kept = Sessions(USER_AGENT)
    yield kept
    kept.close()


@pytest.fixture
def cobot(sessions: Sessions) -> CobotClient:
    urls = CobotUrls(www=WWW, api=API, space="https://{subdomain}.cobot.me")
    return CobotClient(urls, COBOT_TOKEN, "alpha", sessions=sessions)


@pytest.fixture
def sevdesk(sessions: Sessions) -> SevdeskClient:
    return SevdeskClient(SEVDESK, SEVDESK_TOKEN, sessions=sessions)


@pytest.fixture
def remote() -> Iterator[responses.RequestsMock]:
    """Canned answers; every one registered must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock
