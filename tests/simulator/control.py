"""Control of the simulator itself: state, reset, faults, the log of calls."""

from typing import Any

from flask import Blueprint, Response, request

from tests.simulator.checks import Fields, Json
from tests.simulator.cobot.answers import plain
from tests.simulator.errors import WorldError
from tests.simulator.simulator import Simulator


def control_blueprint(simulator: Simulator) -> Blueprint:
    """Return the routes directly below /_control."""
    bp = Blueprint("control", __name__)

    @bp.get("/state")
    def state() -> Response:
        return plain(simulator.state())

    @bp.post("/reset")
    def reset() -> Response:
        given = Fields(json_object(), "body", ("world",))
        if not given.has("world"):
            raise given.fail("world", "a world")
        simulator.reset(given.raw("world"))
        return plain({"spaces": len(simulator.world.cobot.spaces)})

    @bp.post("/faults")
    def make_fault() -> Response:
        return plain({"id": simulator.faults.add(json_object()).id}, 201)

    @bp.get("/faults")
    def list_faults() -> Response:
        return plain({"faults": simulator.faults.listed()})

    @bp.delete("/faults")
    def remove_faults() -> Response:
        removed = len(simulator.faults.listed())
        simulator.faults.clear()
        return plain({"removed": removed})

    @bp.delete("/faults/<id_>")
    def remove_fault(id_: str) -> Response:
        if not simulator.faults.remove(id_):
            return unknown(f"no fault has the id {id_}")
        return plain({"removed": 1})

    @bp.get("/calls")
    def calls() -> Response:
        after = request.args.get("after", "0")
        if not after.isdecimal():
            raise WorldError("after: a whole number is needed")
        return plain(simulator.calls.after(int(after)))

    return bp


def json_object() -> Json:
    """Return the body of a control call; raises WorldError when it is no JSON object."""
    body: Any = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise WorldError("body: a JSON object is needed")
    return body


def unknown(what: str) -> Response:
    """Answer that something is not there."""
    return plain({"error": what}, 404)
