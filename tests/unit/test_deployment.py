"""The files for deploying agree with each other, and the image holds only what runs."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch

import yaml

from portal.config import Config
from portal.jobqueue import DRAIN_SECONDS, QUEUES
from tests.conftest import ROOT

PROCFILE = dict(
    re.findall(r"^(\w+): (.+)$", (ROOT / "Procfile").read_text(encoding="utf-8"), re.MULTILINE)
)
FLY = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STAGES = re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]
PROCESSES = {name: command for name, command in PROCFILE.items() if name != "release"}
OURS = {name: one for name, one in COMPOSE["services"].items() if "build" in one}
LONGEST_SECONDS = DRAIN_SECONDS + 25
"""A drain begins no further call after its time; one call takes 25 s at most (portal.core)."""


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


def test_every_process_runs_everywhere() -> None:
    assert set(PROCESSES) == {"web", "upkeep", *QUEUES}
    assert FLY["processes"] == PROCESSES
    assert FLY["deploy"]["release_command"] == PROCFILE["release"]
    web = json.loads(re.search(r"^CMD (.+)$", STAGES[-1], re.MULTILINE)[1])  # type: ignore[index]
    commands = {name: shlex.join(one.get("command", web)) for name, one in OURS.items()}
    assert commands == {**PROCESSES, "migrate": PROCFILE["release"]}


def test_nobody_is_killed_in_the_middle_of_a_call() -> None:
    assert FLY["kill_signal"] == "SIGTERM"
    assert seconds(FLY["kill_timeout"]) > LONGEST_SECONDS
    for name in PROCESSES:
        assert OURS[name]["stop_signal"] == "SIGTERM"
        assert seconds(OURS[name]["stop_grace_period"]) > LONGEST_SECONDS


def test_health_is_asked_where_it_is_told() -> None:
    [check] = FLY["http_service"]["checks"]
    assert (check["method"], check["path"]) == ("GET", "/readyz")
    assert FLY["http_service"]["processes"] == ["web"]
    assert FLY["http_service"]["force_https"] is True
    assert "/readyz" in " ".join(OURS["web"]["healthcheck"]["test"])
    port = re.search(r"PORT=(\d+)", STAGES[-1])[1]  # type: ignore[index]
    assert FLY["http_service"]["internal_port"] == int(port)
    assert OURS["web"]["ports"] == [f"127.0.0.1:{port}:{port}"], "a proxy does https before it"


def test_compose_starts_nobody_before_the_migrations() -> None:
    for name in PROCESSES:
        needs = {part: one["condition"] for part, one in OURS[name]["depends_on"].items()}
        assert needs["migrate"] == "service_completed_successfully"
    assert OURS["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_containers_can_do_no_more_than_they_need() -> None:
    for one in OURS.values():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in one
    published = {name for name, one in COMPOSE["services"].items() if "ports" in one}
    assert published == {"web"}, "neither database nor queue is reachable from outside"


def test_following_the_handbook_with_compose_there_is_one_proxy() -> None:
    """Compose fills in its file from the same .env that is copied from the example, and what stands
    there wins over the default in compose.yaml."""
    given = dict(
        re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    )
    said = re.fullmatch(r"\$\{(\w+):-(\d+)\}", OURS["web"]["environment"]["PROXY_HOPS"])
    assert said is not None
    assert (given.get(said[1]) or said[2]) == "1"


def test_logs_do_not_fill_the_disk() -> None:
    for name, one in COMPOSE["services"].items():
        assert one["logging"]["driver"] == "json-file", name
        assert one["logging"]["options"] == {"max-size": "20m", "max-file": "5"}, name


def test_the_handbook_migrates_before_compose_replaces_what_runs() -> None:
    """`up --build` ends the old containers before it starts `migrate`."""
    upgrade = (
        (ROOT / "docs/deployment.md").read_text("utf-8").split("## Upgrade without downtime")[1]
    )
    steps = ["docker compose build", "docker compose run --rm migrate", "docker compose up -d"]
    places = [upgrade.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
    assert "migrate" in COMPOSE["services"]


def test_the_handbook_backs_up_what_compose_runs() -> None:
    handbook = (ROOT / "docs/deployment.md").read_text("utf-8")
    database = COMPOSE["services"]["postgres"]["environment"]
    names = f"--username={database['POSTGRES_USER']} {database['POSTGRES_DB']}"
    assert re.search(rf"docker compose exec -T postgres pg_dump .*{names}", handbook)


def test_no_secret_stands_in_the_files() -> None:
    secret = {name.upper() for name, field in Config.model_fields.items() if "Secret" in str(field)}
    assert secret.isdisjoint(FLY["env"])
    for one in COMPOSE["services"].values():
        for name, value in (one.get("environment") or {}).items():
            if name in {"DATABASE_URL", "POSTGRES_PASSWORD"}:
                assert "${" in value
            else:
                assert name not in secret - {"REDIS_URL"}
    assert "ARG" not in DOCKERFILE


def copied(stage: str) -> list[str]:
    """Return what a stage takes out of the project's folder."""
    lines = re.findall(r"^COPY (.+)$", stage, flags=re.MULTILINE)
    return [word for line in lines if "--from" not in line for word in line.split()[:-1]]


def test_the_image_holds_what_runs_and_nothing_else() -> None:
    build, last = STAGES
    assert copied(last) == [], "the last stage takes everything from the first"
    taken = copied(build)
    assert all((ROOT / path).exists() for path in taken)
    assert {path.split("/")[0] for path in taken} & {"tests", "docs", "var", ".", ".env"} == set()
    assert "tools/packages.py" in taken
    assert "tools/packages.py sbom > sbom.cdx.json" in build, "what is in here, for who must know"
    assert "rm -r tools" in build
    runs = {"portal", "jobs", "static", "templates", "wsgi.py", "gunicorn.conf.py", ".flaskenv"}
    assert runs <= set(taken)
    assert not [path for path in ROOT.glob("portal/**/*") if "simulator" in path.name]


def test_what_is_not_for_the_image_is_held_back() -> None:
    held = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for path in (".env", ".env.local", ".git", "tests", "docs", "var", ".venv", "deploy"):
        assert any(fnmatch(path, pattern) for pattern in held), path


def test_the_image_runs_as_nobody_special() -> None:
    last = STAGES[-1]
    user = re.search(r"^USER (\w+)$", last, re.MULTILINE)
    assert user is not None
    assert user[1] not in {"root", "0"}
    assert "pip install" not in last
    assert "pip uninstall" in STAGES[0], "what installs is not in what runs"


def test_every_package_comes_with_a_hash() -> None:
    for command in re.findall(r"pip install ([^&\n]+)", DOCKERFILE):
        assert "--require-hashes" in command or "--no-deps --no-index" in command
