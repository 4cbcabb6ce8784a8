"""Secrets at rest: bound to their row, and sealed anew while everything goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import LargeBinary, select

from portal.config import Config, ConfigError, load_config
from portal.core import Core, create_core
from portal.crypto import SealBroken, Sealer, new_key
from portal.database import Base, db, utcnow
from portal.models import LoginSession, Space
from portal.services import resealing, sessions, vault
from tests.conftest import TOKEN_KEY, _close
from tests.conftest import test_config as config_of

FIELDS = ("cobot_token", "sevdesk_token", "hook_secret")
SPACES = 5
NEW_KEY = new_key()


@pytest.fixture
def core_app(make_config: Callable[..., Config], translations: None) -> Iterator[Flask]:
    """Spaces and a session sealed with the first key, in the next step: the new key comes first."""
    old = create_core(make_config())
    with old.app_context():
        for number in range(SPACES):
            space = Space(cobot_id=f"s-{number}", subdomain=f"sub-{number}", name="Space")
            for field in FIELDS:
                vault.put(space, field, _secret(number, field))  # type: ignore[arg-type]
            db.session.add(space)
        sealer = _core().sealer
        db.session.add(
            LoginSession(
                id_digest="d",
                sealed_content=sealer.seal("{}", context=sessions.content_context("d")),
                sealed_cobot_token=sealer.seal("t-1", context=sessions.token_context("d")),
                expires_at=utcnow(),
            )
        )
        db.session.commit()
        _close(old)
    app = create_core(make_config(token_keys=f"{NEW_KEY},{TOKEN_KEY}"))
    with app.app_context():
        yield app
        _close(app)


def _core() -> Core:
    from portal.core import core

    return core()


def _secret(number: int, field: str) -> str:
    return f"secret {field} of {number}"


def _spaces() -> list[Space]:
    found = db.session.scalars(
        select(Space).order_by(Space.id).execution_options(populate_existing=True)
    ).all()
    db.session.commit()
    return list(found)


def _use(app: Flask, sealer: Sealer) -> None:
    app.extensions["portal"] = replace(app.extensions["portal"], sealer=sealer)


def _assert_all_open_with_the_new_key_alone(app: Flask) -> None:
    _use(app, Sealer([NEW_KEY]))
    for number, space in enumerate(_spaces()):
        for field in FIELDS:
            assert vault.get(space, field) == _secret(number, field)  # type: ignore[arg-type]
    row = db.session.scalars(select(LoginSession)).one()
    sealer = _core().sealer
    assert sealer.open(row.sealed_content, context=sessions.content_context("d")) == "{}"
    assert row.sealed_cobot_token is not None
    assert sealer.open(row.sealed_cobot_token, context=sessions.token_context("d")) == "t-1"


def test_after_a_rotation_the_old_key_opens_nothing_and_the_new_one_all(core_app: Flask) -> None:
    results = list(resealing.reseal_all_spaces())
    assert sum(result.done for result in results) == SPACES * 3 + 2
    old = Sealer([TOKEN_KEY])
    for space in _spaces():
        with pytest.raises(SealBroken):
            old.open(
                space.sealed_sevdesk_token or b"",
                context=vault.context_of(space.cobot_id, "sevdesk_token"),
            )
    again = list(resealing.reseal_all_spaces())
    assert [(result.done, result.broken) for result in again] == [(0, 0)] * len(again)
    _assert_all_open_with_the_new_key_alone(core_app)


class _Dying(Sealer):
    left = 4

    def seal(self, text: str, *, context: str) -> bytes:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().seal(text, context=context)


def test_a_rotation_that_was_ended_goes_on_where_it_was(core_app: Flask) -> None:
    _use(core_app, _Dying([NEW_KEY, TOKEN_KEY]))
    with pytest.raises(KeyboardInterrupt):
        list(resealing.reseal_all_spaces())
    db.session.rollback()
    _use(core_app, Sealer([NEW_KEY, TOKEN_KEY]))
    first = next(resealing.reseal_all_spaces())
    assert (first.done, first.newest) == (SPACES - 4, 4)
    list(resealing.reseal_all_spaces())
    _assert_all_open_with_the_new_key_alone(core_app)


class _Overtaken(Sealer):
    """Somebody saves a new token between our reading of the old one and our writing."""

    meanwhile: Callable[[], None] | None = None

    def seal(self, text: str, *, context: str) -> bytes:
        sealed = super().seal(text, context=context)
        if self.meanwhile is not None and context.endswith("|sevdesk_token"):
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return sealed


@pytest.mark.parametrize("key", [NEW_KEY, TOKEN_KEY], ids=["with the new key", "with the old key"])
def test_a_token_saved_meanwhile_is_not_overwritten(core_app: Flask, key: str) -> None:
    sealer = _Overtaken([NEW_KEY, TOKEN_KEY])
    _use(core_app, sealer)
    first = _spaces()[0]

    def save() -> None:
        context = vault.context_of(first.cobot_id, "sevdesk_token")
        sealed = Sealer([key]).seal("the new token", context=context)
        with db.engine.begin() as connection:
            connection.execute(
                Space.__table__.update()  # type: ignore[attr-defined]
                .where(Space.id == first.id)
                .values(sealed_sevdesk_token=sealed)
            )

    sealer.meanwhile = save
    list(resealing.reseal_all_spaces())
    _use(core_app, Sealer([NEW_KEY]))
    assert vault.get(_spaces()[0], "sevdesk_token") == "the new token"


def test_two_rotations_at_once_seal_each_value_once(core_app: Flask) -> None:
    done: list[int] = []

    def rotate() -> None:
        with core_app.app_context():
            done.extend(result.done for result in resealing.reseal_all_spaces())

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sum(done) == SPACES * 3 + 2
    _assert_all_open_with_the_new_key_alone(core_app)


def test_what_opens_with_no_key_is_told_and_left_as_it_is(core_app: Flask) -> None:
    space = _spaces()[1]
    foreign = Sealer([new_key()]).seal("x", context=vault.context_of("s-1", "hook_secret"))
    space.sealed_hook_secret = foreign
    db.session.commit()
    from portal.cli import keys

    said = core_app.test_cli_runner().invoke(keys, ["rotate"])
    assert said.exit_code == 1
    assert "space.sealed_hook_secret\t4 sealed anew, 0 were already, 1 do not open" in said.output
    assert "Keep the other keys" in said.output
    assert _spaces()[1].sealed_hook_secret == foreign
    assert vault.get(_spaces()[4], "hook_secret") == _secret(4, "hook_secret")


def test_every_sealed_column_is_rotated() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) or column.name.startswith("sealed_")
    }
    assert columns == {sealed.name for sealed in resealing.SEALED}


def test_a_stolen_value_opens_neither_in_another_space_nor_in_another_field(
    core_app: Flask,
) -> None:
    mine, theirs = _spaces()[:2]
    theirs.sealed_sevdesk_token = mine.sealed_sevdesk_token
    theirs.sealed_hook_secret = theirs.sealed_cobot_token
    for field in ("sevdesk_token", "hook_secret"):
        with pytest.raises(SealBroken):
            vault.get(theirs, field)  # type: ignore[arg-type]
    db.session.rollback()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"token_keys": None}, "TOKEN_KEYS: is missing"),
        ({"token_keys": ""}, "TOKEN_KEYS: "),
        ({"token_keys": f"{TOKEN_KEY},c2hvcnQ="}, "each key must be 32 bytes"),
        ({"secret_key": None}, "SECRET_KEY: is missing"),
        ({"secret_key": ""}, "SECRET_KEY: "),
        ({"secret_key": "short"}, "SECRET_KEY: "),
    ],
)
def test_the_start_is_refused_without_keys_and_no_value_is_said(
    given: dict[str, str | None], said: str
) -> None:
    values = {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for name, value in config_of().model_dump(exclude={"token_keys"}).items()
    }
    values = {**values, "token_keys": TOKEN_KEY, **given}
    with pytest.raises(ConfigError) as refused:
        load_config(**{name: value for name, value in values.items() if value is not None})
    assert said in str(refused.value)
    assert TOKEN_KEY not in str(refused.value)
    assert "c2hvcnQ" not in str(refused.value)
