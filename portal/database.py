"""The database handle, and what makes SQLite and PostgreSQL behave alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Numeric,
    Table,
    TypeDecorator,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, declared_attr

from portal import rowsecurity, tenancy
from portal.spaceguard import Guard
from portal.turns import TurnConnection, Turns

SQLITE_BUSY_SECONDS = 10
AWAY = (OperationalError, InterfaceError, PoolTimeout)
"""What is raised where the database does not answer, or no connection to it is free in time."""
POSTGRES_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that does not answer must not hold a hook or a worker for minutes (libpq's names)."""


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - a class, as SQLAlchemy calls it
        """A row of a space is known by space and id: what a commit writes carries both."""
        own = {"id", "space_id"} & set(cls.__annotations__)
        return {"primary_key": ["space_id", "id"]} if len(own) == 2 else {}


class Session(FlaskSession):
    """A session that can be held to one connection, and with it to the locks of that connection."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._only: Connection | None = None

    @contextmanager
    def on_one_connection(self) -> Iterator[None]:
        """Have every transaction within this block on the same connection.

        One that breaks is not replaced: what comes after it fails with OperationalError. A block
        within another one shares its connection. No transaction may be open when it begins, and
        what nobody committed when it ends is taken back.
        """
        if self._only is not None:
            yield
            return
        if self.in_transaction():
            raise RuntimeError("commit before you hold the session to a connection")
        with self._db.engine.connect() as connection:
            self._only = connection
            try:
                yield
            finally:
                try:
                    if self.in_transaction():
                        self.rollback()
                finally:
                    self._only = None

    def the_connection(self) -> Connection:
        """Return the connection that the session is held to. Raises OperationalError once it is
        gone: SQLAlchemy would take another one in its place, which has none of its locks."""
        assert self._only is not None
        if self._only.invalidated:
            raise OperationalError(None, None, Exception("the session's one connection is gone"))
        return self._only

    def get_bind(self, *given: Any, **named: Any) -> Engine | Connection:
        if self._only is None:
            return super().get_bind(*given, **named)
        return self.the_connection()


# expire_on_commit off: reading a committed row again must not open a transaction in the middle of
# a remote call; a service that needs fresh values asks for them.
db = SQLAlchemy(
    metadata=Base.metadata, session_options={"expire_on_commit": False, "class_": Session}
)

_reading: ContextVar[bool] = ContextVar("reading", default=False)


@contextmanager
def reading_only() -> Iterator[None]:
    """Within this block SQLite transactions begin as readers and do not wait for the writer."""
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


def begin_reading() -> None:
    """From here on (in this request) SQLite transactions begin as readers."""
    _reading.set(True)


def begin_writing() -> None:
    """From here on (in this request) SQLite transactions begin as writers."""
    _reading.set(False)


def _begin_early(connection: Any, record: Any, _fairy: object) -> None:
    rowsecurity.begin_early(connection, record, tenancy.current_reach())


def _begin_on(connection: Connection) -> None:
    rowsecurity.begin(connection, tenancy.current_reach())


guard = Guard(Base.metadata)


def prepare_engine(engine: Engine, role: str = "") -> None:
    """Hook the guard of the spaces in; for PostgreSQL the portal's role and its row security, for
    SQLite WAL, foreign keys, busy wait and BEGIN IMMEDIATE."""

    @event.listens_for(engine, "before_cursor_execute")
    def _keep_to_the_space(
        connection: Connection, _cursor: Any, _sql: str, _sent: Any, context: Any, _many: bool
    ) -> None:
        if context.isddl:
            return
        reach = tenancy.current_reach()
        if context.compiled is not None:
            found = guard.findings(context.compiled)
            guard.check(found, reach, context)
            if not found.tables:
                return
        if engine.dialect.name == "postgresql":
            rowsecurity.open_spaces(connection, reach)

    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", rowsecurity.become(role))
        event.listen(engine, "begin", _begin_on)
        event.listen(engine, "checkout", _begin_early)
        event.listen(engine, "rollback_savepoint", rowsecurity.go_back)
    if engine.dialect.name != "sqlite":
        return

    turns = Turns()

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.turns = turns
        # The driver must not begin transactions by itself: we say BEGIN or BEGIN IMMEDIATE.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={SQLITE_BUSY_SECONDS * 1000}",
            "journal_mode=WAL",
            # FULL: a 2xx to Cobot promises a row that survives a power cut.
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader that turns writer fails at once when another one wrote in between; so writers
        # take the lock at the start, where busy_timeout lets them wait.
        if _reading.get():
            connection.exec_driver_sql("BEGIN")
            return
        driver = connection.connection.driver_connection
        assert isinstance(driver, TurnConnection)
        driver.take_turn()
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            driver.give_on()  # where it failed; else the turn lasts as long as the transaction


def engine_options(url: str) -> dict[str, Any]:
    """Return what create_engine needs besides the address."""
    if url.startswith("sqlite"):
        return {
            "connect_args": {"timeout": SQLITE_BUSY_SECONDS, "factory": TurnConnection},
            "hide_parameters": True,
        }
    return {
        "hide_parameters": True,
        "pool_size": 10,
        "max_overflow": 10,
        "connect_args": dict(POSTGRES_PATIENCE),
    }


def table_of(model: type[Base]) -> Table:
    """Return a model's table, for a statement that is made once and loads no rows into a session.

    A short statement costs more to make than to send.
    """
    return cast(Table, model.__table__)


def utcnow() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """An aware UTC time on both engines (SQLite keeps no zone, so it is added on reading)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value


class Amount(TypeDecorator[Decimal]):
    """Money exact to the cent: NUMERIC on PostgreSQL, whole cents on SQLite (no decimals there)."""

    impl = Numeric(14, 2)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        kind: Any = BigInteger() if dialect.name == "sqlite" else Numeric(14, 2)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        cents = value * 100
        if cents != int(cents):
            raise ValueError("an amount must be whole cents")
        return int(cents)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None or dialect.name != "sqlite":
            return value if value is None else Decimal(value)
        return Decimal(int(value)) / 100


Id = BigInteger().with_variant(Integer(), "sqlite")
"""Row ids: 64 bits on PostgreSQL; on SQLite only INTEGER counts up by itself."""


def insert_or_update(
    model: type[Base],
    values: Mapping[str, Any],
    *,
    unique: Sequence[str],
    change: Mapping[str, Any],
) -> Any:
    """Return an INSERT that changes the standing row instead when the unique columns exist.

    An empty `change` leaves a standing row as it is; with an empty `unique` as well one that any
    unique columns meet. Both engines have the clause, each with an insert of its own in SQLAlchemy.
    """
    insert = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert
    statement: Any = insert(model).values(**values)
    if not change:
        return statement.on_conflict_do_nothing(index_elements=list(unique) or None)
    return statement.on_conflict_do_update(index_elements=list(unique), set_=dict(change))
