"""The portal in this process: its own statements, timed one by one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from sqlalchemy import event
from sqlalchemy.engine import Engine

from portal.core import create_core
from portal.database import db
from tests.bench.places import Place


@contextmanager
def portal_of(place: Place) -> Iterator[None]:
    """Push an application context on the place's database and queue."""
    with mock.patch.dict(os.environ, place.env):
        app = create_core()
    with app.app_context():
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()


class Statements:
    """How many statements were sent, and how long the database took for them."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._began = 0.0

    @contextmanager
    def counted(self, engine: Engine) -> Iterator[Statements]:
        def before(*_: Any) -> None:
            self._began = time.perf_counter()

        def after(*_: Any) -> None:
            self.seconds += time.perf_counter() - self._began
            self.count += 1

        event.listen(engine, "before_cursor_execute", before)
        event.listen(engine, "after_cursor_execute", after)
        try:
            yield self
        finally:
            event.remove(engine, "before_cursor_execute", before)
            event.remove(engine, "after_cursor_execute", after)
