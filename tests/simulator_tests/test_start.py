import json
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.simulator_tests.driver import REPOSITORY, running


def test_ready_line_names_the_settings_of_the_portal_and_the_control():
    with running() as simulator:
        root = simulator.ready["control_url"].removesuffix("/_control")
        assert simulator.ready == {
            "ready": True,
            "COBOT_WWW_URL": f"{root}/cobot",
            "COBOT_API_URL": f"{root}/cobot-api",
            "COBOT_SPACE_URL": f"{root}/cobot-space/{{subdomain}}",
            "SEVDESK_API_URL": f"{root}/sevdesk/api/v1",
            "control_url": f"{root}/_control",
            "pid": simulator.process.pid,
        }
        assert simulator.state()["spaces"] == []
        assert [client["client_id"] for client in simulator.state()["clients"]] == ["demo"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_even_while_a_call_hangs(number):
    with running() as simulator:
        simulator.fault(side="cobot-www", effect="hang:60")
        address = urlsplit(simulator.ready["COBOT_WWW_URL"])
        with socket.create_connection((address.hostname, address.port)) as caller:
            caller.sendall(b"GET /cobot/api/user HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for_hit(simulator)
            simulator.process.send_signal(number)
            assert simulator.process.wait(2) == 0


def wait_for_hit(simulator):
    while simulator.control("GET", "/faults").json()["faults"][0]["left"]:
        pass


def test_a_taken_port_ends_the_start_with_a_reason():
    with running() as simulator:
        port = simulator.ready["control_url"].removesuffix("/_control").rsplit(":", 1)[1]
        refused = start("--port", port)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "in use" in refused.stderr


def start(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tests.simulator", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_a_world_file_is_taken_and_a_wrong_one_is_refused(tmp_path):
    file = tmp_path / "world.json"
    file.write_text(json.dumps({"spaces": [{"subdomain": "gamma"}]}))
    with running("--world", str(file)) as simulator:
        assert simulator.space_state("gamma")["name"] == "Gamma"
    file.write_text(json.dumps({"spaces": [{"subdomian": "gamma"}]}))
    refused = start("--port", "0", "--world", str(file))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "spaces[0]: unknown key subdomian" in refused.stderr


def test_a_generated_world_is_the_same_for_the_same_seed():
    arguments = ("--spaces", "2", "--members", "3", "--invoices", "4", "--seed", "7")
    with running(*arguments) as first, running(*arguments) as second:
        spaces = [(s["subdomain"], len(s["invoices"])) for s in first.state()["spaces"]]
        assert len(spaces) == 2
        assert spaces == [(s["subdomain"], len(s["invoices"])) for s in second.state()["spaces"]]
