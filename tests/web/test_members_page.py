"""Members from before the connection: the preview, a person's decisions, the work, the result."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.database import db, utcnow
from portal.models import MemberSync, State, Task, TaskItem
from portal.services import tasks
from portal.services.wording import MEMBER_REASONS
from tests.conftest import by_id
from tests.web.conftest import Cast, csrf_of
from tests.web.tasks import looked, member_row

PAGE = "/spaces/alpha/members"
XYZ = {"id": "501", "number": "1005", "name": "XYZ Design"}
OTHER = {"id": "502", "number": "1006", "name": "Ganz anders"}


@pytest.fixture
def token(owner: FlaskClient, cast: Cast) -> str:
    return csrf_of(owner, "/spaces/alpha/disconnect")


@pytest.fixture
def press(owner: FlaskClient, token: str) -> Callable[..., str]:
    """Press a button; return the page one ends up on."""

    def send(path: str, **form: str) -> str:
        answer = owner.post(path, data={"csrf_token": token, **form}, follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    return send


@pytest.fixture
def compared(app: Flask, cast: Cast) -> int:
    rows = [
        member_row("Nina", "ambiguous", why="name_and_post_code", candidates=[XYZ, OTHER]),
        member_row("Sam", "ambiguous", why="number_of_stranger", candidates=[OTHER]),
        member_row("Jo", "create", why=None, candidates=[]),
        member_row("Xenia", "link", why="email", candidates=[XYZ], contact=XYZ),
        member_row("Lars", "nothing"),
    ]
    with app.app_context():
        return looked(cast.alpha, "members", rows)


def counts_of(page: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r'data-count="(\w+)">(\d+)', page)}


def verdicts_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'data-member="mem-(\w+)" data-verdict="(\w+)"', page))


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_first_visit_says_what_comes_and_how_long_it_takes(owner: FlaskClient, cast: Cast) -> None:
    page = owner.get(PAGE).text
    assert "Mitglieder vergleichen" in page
    assert "sechs Abfragen der Mitgliederliste in der Minute" in page
    assert 'id="task"' not in page


def test_the_comparison_begins_is_followed_and_says_why_it_waits(
    app: Flask, owner: FlaskClient, press: Callable[..., str]
) -> None:
    page = press(PAGE)
    assert 'data-task="look-running"' in page
    poll = re.search(r'hx-get="([^"]+)"', page)
    assert poll is not None
    assert owner.get(poll[1].replace("&amp;", "&")).status_code == 204
    assert "dauert es bis zu einer Minute" in page
    with app.app_context():
        task = db.session.scalars(select(Task)).one()
        task.cause_code, task.next_try_at = "cobot_unreachable", utcnow() + timedelta(minutes=2)
        db.session.commit()
    assert "Cobot ist gerade nicht erreichbar" in owner.get(poll[1].replace("&amp;", "&")).text


def test_the_preview_shows_each_member_with_the_contact_and_why(
    owner: FlaskClient, compared: int
) -> None:
    page = owner.get(PAGE).text
    assert counts_of(page) == {"link": 1, "create": 1, "ambiguous": 2, "leave": 0, "nothing": 1}
    said = text_of(page)
    assert "5 Mitglieder verglichen" in said
    assert "Speichern und 2 Mitglieder übernehmen" in said
    assert "XYZ Design (1005) Gleiche E-Mail-Adresse" in said
    assert "Gleicher Name und gleiche Postleitzahl" in said
    assert "hat einen anderen Namen" in said
    assert re.findall(r'name="choice-(mem-\w+)"', page) == [
        "mem-Nina", "mem-Sam", "mem-Jo", "mem-Xenia",
    ]  # fmt: skip
    assert 'value="501" selected' in page
    assert verdicts_of(owner.get(f"{PAGE}?show=ambiguous").text) == {
        "Nina": "ambiguous", "Sam": "ambiguous",
    }  # fmt: skip


def test_decisions_are_kept_and_only_what_was_suggested_is_taken(
    app: Flask, owner: FlaskClient, compared: int, press: Callable[..., str]
) -> None:
    choices = {"choice-mem-Nina": "501", "choice-mem-Sam": "501", "choice-mem-Jo": "leave"}
    page = press(f"{PAGE}/{compared}/decide", show="", **choices)
    assert "Gespeichert." in page
    assert verdicts_of(page) == {
        "Nina": "link", "Sam": "ambiguous", "Jo": "leave", "Xenia": "link", "Lars": "nothing",
    }  # fmt: skip
    assert "Von Hand gewählt" in page
    same = {"choice-mem-Xenia": "501", "choice-mem-Sam": "", "choice-mem-Lars": "create"}
    assert "Es wurde nichts geändert." in press(f"{PAGE}/{compared}/decide", **same)
    with app.app_context():
        facts = {
            item.remote_id: item.facts.get("why") for item in db.session.scalars(select(TaskItem))
        }
    assert (facts["mem-Xenia"], facts["mem-Nina"]) == ("email", "chosen")


def test_the_list_that_was_looked_at_comes_back_after_saving(
    owner: FlaskClient, compared: int, token: str
) -> None:
    answer = owner.post(
        f"{PAGE}/{compared}/decide",
        data={"csrf_token": token, "show": "ambiguous", "after_place": "100"},
    )
    assert answer.location == f"{PAGE}?show=ambiguous&after_place=100"


def test_what_is_chosen_counts_when_the_work_begins_and_not_after(
    app: Flask, compared: int, press: Callable[..., str]
) -> None:
    page = press(f"{PAGE}/{compared}/decide", start="1", **{"choice-mem-Sam": "create"})
    assert 'data-task="work-running"' in page
    assert "0 von 3" in page
    page = press(f"{PAGE}/{compared}/decide", start="1", **{"choice-mem-Nina": "create"})
    assert "inzwischen" in page
    assert "0 von 3" in page
    assert "läuft schon" in press(PAGE)


def test_pause_go_on_cancel_and_who_was_not_linked(
    app: Flask, owner: FlaskClient, cast: Cast, compared: int, press: Callable[..., str]
) -> None:
    press(f"{PAGE}/{compared}/decide", start="1")
    assert "Fortsetzen" in press(f"{PAGE}/{compared}/pause")
    assert 'data-task="work-running"' in press(f"{PAGE}/{compared}/go-on")
    with app.app_context():
        for name, state in (("Jo", State.FAILED), ("Xenia", State.SYNCED)):
            item = db.session.scalars(
                select(TaskItem).where(TaskItem.remote_id == f"mem-{name}")
            ).one()
            item.taken_at = utcnow()
            row = MemberSync(space_id=cast.alpha, cobot_membership_id=f"mem-{name}", state=state)
            if state == State.FAILED:
                row.cause_code, row.cause_params = "contact_rejected", {"message": "Name fehlt"}
            db.session.add(row)
        tasks.finish_work(by_id(Task, compared))
        db.session.commit()
    page = owner.get(PAGE).text
    assert 'data-task="work-done"' in page
    assert "2 von 2" in page
    assert re.findall(r'data-member="([\w-]+)" data-cause="(\w+)"', page) == [
        ("mem-Jo", "contact_rejected")
    ]
    assert "Name fehlt" in page
    assert "Noch einmal vergleichen" in page


def test_nobody_is_left_to_take_over(app: Flask, owner: FlaskClient, cast: Cast) -> None:
    with app.app_context():
        looked(cast.alpha, "members", [member_row("Lars", "nothing")], state="done")
    page = owner.get(PAGE).text
    assert "Nichts zu tun" in page
    assert "choice-" not in page


def test_every_reason_of_a_match_has_words_in_both_languages(
    app: Flask, cast: Cast, sign_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        rows = [
            member_row(f"m{place}", "ambiguous", why=why, candidates=[XYZ])
            for place, why in enumerate(MEMBER_REASONS)
        ]
        looked(cast.alpha, "members", rows)
    pages = {
        language: sign_in(cast.owner, language=language).get(PAGE).text for language in ("de", "en")
    }
    for language, page in pages.items():
        reasons = re.findall(r"Not clear|Unklar</span>\s*<span class=\"cause\">([^<]+)<", page)
        assert reasons, language
    for text in MEMBER_REASONS.values():
        assert text.replace("'", "&#39;") in pages["en"]
        assert text not in pages["de"]


def test_strangers_get_404_everywhere(
    app: Flask, cast: Cast, compared: int, sign_in: Callable[..., FlaskClient]
) -> None:
    stranger = sign_in(cast.stranger)
    token = csrf_of(stranger, "/spaces/beta/disconnect")
    for path in (PAGE, f"{PAGE}/changes"):
        assert stranger.get(path).status_code == 404
    for step in ("decide", "pause", "go-on", "cancel"):
        for space in ("alpha", "beta"):
            path = f"/spaces/{space}/members/{compared}/{step}"
            form = {"csrf_token": token, "choice-mem-Sam": "create", "start": "1"}
            assert stranger.post(path, data=form).status_code == 404
    # A backfill's buttons do not reach an import.
    owner = sign_in(cast.owner)
    own = csrf_of(owner, "/spaces/alpha/disconnect")
    path = f"/spaces/alpha/backfill/{compared}/cancel"
    assert owner.post(path, data={"csrf_token": own}).status_code == 404
    with app.app_context():
        assert by_id(Task, compared).state == "ready"
