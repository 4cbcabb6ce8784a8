"""Starts the simulator as its users do and speaks to it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

REPOSITORY = Path(__file__).resolve().parents[2]
SCOPES = (
    "read_user read_spaces read_memberships write_memberships read_teams read_contacts "
    "read_invoices read_activities write_activities read_subscriptions write_subscriptions "
    "read_accounting_codes read_urls"
)
JSON_API = "application/vnd.api+json"
CALLBACK = "http://127.0.0.1:5000/oauth/callback"


class Driver:
    """A running simulator. Addresses come from its ready line."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready
        self.http = requests.Session()
        self.http.trust_env = False

    def control(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.http.request(method, f"{self.ready['control_url']}{path}", json=body)

    def reset(self, world: dict[str, Any]) -> None:
        answer = self.control("POST", "/reset", {"world": world})
        assert answer.status_code == 200, answer.text

    def state(self) -> dict[str, Any]:
        return self.control("GET", "/state").json()

    def space_state(self, subdomain: str = "alpha") -> dict[str, Any]:
        return next(s for s in self.state()["spaces"] if s["subdomain"] == subdomain)

    def fault(self, **description: Any) -> str:
        answer = self.control("POST", "/faults", description)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def authorize(self, method: str = "GET", form: Any = None, **query: str) -> requests.Response:
        asked = {
            "response_type": "code",
            "client_id": "demo",
            "redirect_uri": CALLBACK,
            "state": "s t/a&te",
            "scope": SCOPES,
        }
        pairs = {key: value for key, value in (asked | query).items() if value != ""}
        address = f"{self.ready['COBOT_WWW_URL']}/oauth/authorize"
        return self.http.request(method, address, params=pairs, data=form, allow_redirects=False)

    def code(self, user: str = "owner", **query: str) -> str:
        answer = self.authorize("POST", {"user_id": user}, **query)
        assert answer.status_code == 302, answer.text
        return location(answer)["code"]

    def exchange(self, granted: str, **form: str) -> requests.Response:
        fields = {
            "client_id": "demo",
            "client_secret": "demo-secret",
            "grant_type": "authorization_code",
            "redirect_uri": CALLBACK,
            "code": granted,
        }
        return self.http.post(
            f"{self.ready['COBOT_WWW_URL']}/oauth/access_token",
            data={key: value for key, value in (fields | form).items() if value != ""},
        )

    def user_token(self, user: str = "owner", scope: str = SCOPES) -> str:
        return self.exchange(self.code(user, scope=scope)).json()["access_token"]

    def space_token(self, user: str = "owner", space_id: str = "spc-a") -> str:
        token = self.user_token(user)
        answer = self.www(
            "POST", f"/api/access_tokens/{token}/space", token, {"space_id": space_id}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]

    def www(self, method: str, path: str, token: str = "", body: Any = None) -> requests.Response:
        return self._call(method, f"{self.ready['COBOT_WWW_URL']}{path}", token, body)

    def space(
        self, method: str, path: str, token: str = "", body: Any = None, subdomain: str = "alpha"
    ) -> requests.Response:
        base = self.ready["COBOT_SPACE_URL"].format(subdomain=subdomain)
        return self._call(method, f"{base}{path}", token, body)

    def api2(self, path: str, token: str = "", accept: str = JSON_API) -> requests.Response:
        return self._call("GET", f"{self.ready['COBOT_API_URL']}{path}", token, None, accept)

    def _call(
        self, method: str, address: str, token: str, body: Any, accept: str = "application/json"
    ) -> requests.Response:
        headers = {"Accept": accept}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.http.request(method, address, json=body, headers=headers, allow_redirects=False)


def location(answer: requests.Response) -> dict[str, str]:
    """Return the query that the browser is sent back with."""
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    return {key: values[0] for key, values in query.items()}


@contextmanager
def running(*arguments: str) -> Iterator[Driver]:
    """Start a simulator on a free port and end it afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.simulator", "--port", "0", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    driver = Driver(process, json.loads(process.stdout.readline()))
    try:
        yield driver
    finally:
        driver.http.close()
        process.terminate()
        process.wait(10)
        process.stdout.close()


class Receiver:
    """A callback address: answers with the statuses it is told, 202 when it has none left."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self.statuses: list[int] = []
        self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                receiver.take(self.path, json.loads(self.rfile.read(length)))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 202)
                self.send_header(
                    "Location", f"http://127.0.0.1:{receiver.server.server_port}/moved"
                )
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Stay quiet."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, path: str, body: dict[str, Any]) -> None:
        with self._came:
            self.bodies.append((path, body))
            self._came.notify_all()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def wait_for(self, count: int, seconds: float = 5) -> list[tuple[str, dict[str, Any]]]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.bodies) >= count, seconds), self.bodies
            return list(self.bodies)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
