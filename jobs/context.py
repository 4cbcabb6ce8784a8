"""The application context of a job, made once per process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from flask import Flask, has_app_context
from rq import get_current_job

from portal.core import core, create_core
from portal.database import db
from portal.logs import tracing


@cache
def _app() -> Flask:
    return create_core()


@contextmanager
def job_context() -> Iterator[None]:
    """Run a job inside an application: the worker's own, or one that this process makes once.

    So plain `rq worker drain` runs our jobs as `flask rq worker drain` does, and connections to
    the remote sides live as long as the process. Log lines name the job and who woke it.
    """
    job = get_current_job()
    with tracing(
        job_id=job.id if job else None,
        request_id=job.meta.get("request_id") if job else None,
    ):
        if has_app_context():
            try:
                yield
            finally:
                db.session.remove()
                core().counters.flush()
            return
        with _app().app_context():
            yield
            core().counters.flush()
