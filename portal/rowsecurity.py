"""PostgreSQL's row level security: the second lock around each space.

The portal works as a role that owns nothing. A policy on every table of spaces shows it the rows of
the spaces that were entered in this transaction, and none at first. SQLite has no such thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import InvalidatePoolError, OperationalError, ProgrammingError

from portal.errors import PortalError
from portal.spaceguard import SPACE_TABLE
from portal.tenancy import NOWHERE, Reach

POLICY = "entered_spaces"
OPENED = "opened_spaces"
"""Where a connection keeps what its transaction may see."""
UNFINISHED = "the last transaction on this connection did not end"
BEGUN = "begun"
"""Where a connection keeps what the transaction sees that began when it left the pool."""
NEW = "new"
EVERYTHING = "(SELECT nullif(current_setting('app.all_spaces', true), '') IS NOT NULL)"
IDS = "string_to_array(nullif(current_setting('app.space_id', true), ''), ',')"
ENTERED = f"ANY ((SELECT {IDS})::bigint[])"
"""Unset or empty means none: who enters no space sees nothing. As queries of their own they are
worked out once a statement and not once a row."""
ONLY_TO_PRUNE = (
    ("history_line", "UPDATE, DELETE, TRUNCATE", "DELETE"),
    ("prune_permit", "INSERT, UPDATE, DELETE", "INSERT, DELETE"),
)
"""What the role may not do with a table, and what of it the role for pruning may."""
_GOOD = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.EMPTY_QUERY}
OWN_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"


class RightsMissing(PortalError):
    """The user that migrates may not make roles; the message says what to do."""


def prune_role(role: str) -> str:
    """Return the role that may delete history lines besides, for one transaction."""
    return f"{role}_prune"


def become(role: str) -> Callable[[Any, Any], None]:
    """Return what makes each new connection the portal's role: no owner, no superuser."""

    def set_role(connection: Any, record: Any) -> None:
        record.info[NEW] = True
        if not role:
            return
        try:
            connection.execute(f'SET ROLE "{role}"')
            connection.commit()
        except psycopg.Error as err:
            # As when the server is away: what asks comes again, and /readyz says no until then.
            raise psycopg.OperationalError(f"{err} Were the migrations run?") from err

    return set_role


def open_spaces(connection: Connection, reach: Reach) -> None:
    """Show this transaction the spaces that were entered, unless it sees just those already.

    Local to the transaction: nothing stays on the connection for the next one.
    """
    if connection.info.get(OPENED, NOWHERE) == reach:
        return
    ids = _ids(reach)
    cursor = connection.connection.cursor()
    try:
        cursor.execute(
            "SELECT set_config('app.space_id', %s, true), set_config('app.all_spaces', %s, true)",
            (ids, reach.reason or ""),
        )
    finally:
        cursor.close()
    connection.info[OPENED] = reach


def may_prune(connection: Connection, role: str) -> None:
    """Let this transaction delete history lines; what the triggers ask for is asked for as well."""
    if role and connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f'SET LOCAL ROLE "{prune_role(role)}"')


def begin(connection: Connection, reach: Reach) -> None:
    """A transaction begins, and sees the spaces that are open now.

    As one question, unless it was begun as the connection left the pool. Where the connection does
    not stand any more, the driver finds that out with the first statement. Raises OperationalError
    where the last transaction did not end.
    """
    begun = connection.info.pop(BEGUN, None)
    if begun is None:
        driver = connection.connection.driver_connection
        if _is_busy(driver):
            connection.invalidate()
            raise OperationalError(None, None, Exception(UNFINISHED))
        begun = reach if refusal_of(driver, _beginning(reach)) is None else NOWHERE
    connection.info[OPENED] = begun


def begin_early(connection: Any, record: Any, reach: Reach) -> None:
    """Begin the transaction of a connection that leaves the pool, and show it its spaces.

    One question to the server instead of three: it also tells whether the connection still stands.
    Nothing was said on it yet, so another one takes its place where it does not.
    """
    record.info.pop(BEGUN, None)
    if record.info.pop(NEW, False):
        return
    if _is_busy(connection):
        raise InvalidatePoolError(UNFINISHED)
    if (refusal := refusal_of(connection, _beginning(reach))) is not None:
        raise InvalidatePoolError(refusal)
    record.info[BEGUN] = reach


def _is_busy(driver: Any) -> bool:
    """Say whether a transaction is still open, as after a rollback that failed because a statement
    was interrupted. To begin anew would go on with it, and keep its half."""
    status = driver.pgconn.transaction_status
    return status not in {TransactionStatus.IDLE, TransactionStatus.UNKNOWN}


def _beginning(reach: Reach) -> str:
    if reach == NOWHERE:
        return "BEGIN"
    return (
        f"BEGIN; SELECT set_config('app.space_id', {_literal(_ids(reach))}, true),"
        f" set_config('app.all_spaces', {_literal(reach.reason or '')}, true)"
    )


def refusal_of(connection: Any, sql: str) -> str | None:
    """Send a text as it is, without a cursor; return what is wrong, None where it was answered."""
    try:
        answer = connection.pgconn.exec_(sql.encode())
    except psycopg.Error as err:
        return str(err)
    if answer.status in _GOOD:
        return None
    return str(answer.error_message.decode(errors="replace"))


def _ids(reach: Reach) -> str:
    return ",".join(str(space_id) for space_id in sorted(reach.space_ids))


def go_back(connection: Connection, *_savepoint: Any) -> None:
    """The transaction went back to a savepoint, and what it saw with it."""
    connection.info[OPENED] = None


def establish(connection: Connection, role: str) -> None:
    """Bring roles, rights and policies up to the tables. Safe to run again.

    `role` empty: none is made, for servers where that is not allowed; the policies still hold.
    Raises RightsMissing.
    """
    if role:
        _make_roles(connection, role)
        _grant(connection, role)
    for table, column in _tables_of_spaces(connection):
        _make_policy(connection, table, column)


def _make_roles(connection: Connection, role: str) -> None:
    made = _quoted(connection, role), _quoted(connection, prune_role(role))
    try:
        with connection.begin_nested():
            for name, quoted in zip((role, prune_role(role)), made, strict=True):
                # Roles are the server's, not the database's: another migration may be first.
                connection.exec_driver_sql(
                    f"""DO $$ BEGIN
                        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {_literal(name)}) THEN
                            CREATE ROLE {quoted} NOLOGIN;
                        END IF;
                    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                    END $$"""
                )
                if not _may_become(connection, name):
                    connection.exec_driver_sql(f"GRANT {quoted} TO CURRENT_USER")
            connection.exec_driver_sql(
                f"""DO $$ BEGIN
                    IF NOT pg_has_role({_literal(prune_role(role))}, {_literal(role)}, 'USAGE') THEN
                        GRANT {made[0]} TO {made[1]};
                    END IF;
                EXCEPTION WHEN internal_error OR unique_violation THEN NULL;
                END $$"""
            )
    except ProgrammingError as err:
        raise RightsMissing(
            f"The user that migrates may not make the portal's role ({err.orig}). Let an "
            f"administrator of the server run:\n"
            f"  CREATE ROLE {made[0]} NOLOGIN; CREATE ROLE {made[1]} NOLOGIN;\n"
            f"  GRANT {made[0]} TO {made[1]}; GRANT {made[0]}, {made[1]} TO <that user>;\n"
            "or set DATABASE_ROLE to nothing (docs/operations.md, The portal's role)."
        ) from err
    unsafe = connection.execute(
        text(
            "SELECT rolname FROM pg_roles WHERE rolname IN (:a, :b) AND (rolsuper OR rolbypassrls)"
        ),
        {"a": role, "b": prune_role(role)},
    ).scalars()
    for name in unsafe:
        raise RightsMissing(f"The role {name} is above row level security: take that away from it.")


def _may_become(connection: Connection, role: str) -> bool:
    how = "SET" if connection.dialect.server_version_info >= (16,) else "MEMBER"  # type: ignore[operator]
    return bool(
        connection.execute(
            text("SELECT pg_has_role(current_user, CAST(:role AS name), :how)"),
            {"role": role, "how": how},
        ).scalar_one()
    )


def _grant(connection: Connection, role: str) -> None:
    """Give the role what the portal does: rows of all tables, but history is only added to."""
    schema = connection.execute(text("SELECT quote_ident(current_schema())")).scalar_one()
    app, prune = _quoted(connection, role), _quoted(connection, prune_role(role))
    tables = set(connection.execute(text(OWN_TABLES)).scalars())
    for statement in (
        f"GRANT USAGE ON SCHEMA {schema} TO {app}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {app}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {app}",
    ):
        connection.exec_driver_sql(statement)
    for table, kept, given in ONLY_TO_PRUNE:
        if table in tables:
            connection.exec_driver_sql(f"REVOKE {kept} ON {table} FROM {app}")
            connection.exec_driver_sql(f"GRANT {given} ON {table} TO {prune}")
    if "alembic_version" in tables:
        connection.exec_driver_sql(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {app}")


def _tables_of_spaces(connection: Connection) -> list[tuple[str, str]]:
    """Return the tables that hold rows of spaces, each with the column that says whose."""
    found = connection.execute(
        text(
            "SELECT table_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND column_name = 'space_id'"
        )
    ).scalars()
    own = set(connection.execute(text(OWN_TABLES)).scalars())
    named = [(table, "space_id") for table in found if table in own]
    return [(SPACE_TABLE, "id")] * (SPACE_TABLE in own) + named


def unguarded(connection: Connection) -> list[str]:
    """Return the tables of spaces that a policy does not hold, or not for their owner."""
    guarded = set(
        connection.execute(
            text(
                "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid "
                "WHERE relnamespace = CAST(current_schema() AS regnamespace) "
                "AND polname = :policy AND relrowsecurity AND relforcerowsecurity"
            ),
            {"policy": POLICY},
        ).scalars()
    )
    return sorted(table for table, _ in _tables_of_spaces(connection) if table not in guarded)


def _make_policy(connection: Connection, table: str, column: str) -> None:
    quoted = _quoted(connection, table)
    stands = connection.execute(
        text(
            "SELECT 1 FROM pg_policy WHERE polname = :policy "
            "AND polrelid = CAST(:table AS regclass) "
            "AND (SELECT relrowsecurity AND relforcerowsecurity FROM pg_class "
            "     WHERE oid = polrelid)"
        ),
        {"policy": POLICY, "table": quoted},
    ).scalar()
    if stands:
        return  # nothing to lock
    for statement in (
        f"ALTER TABLE {quoted} ENABLE ROW LEVEL SECURITY",
        # Else it would not hold for the owner.
        f"ALTER TABLE {quoted} FORCE ROW LEVEL SECURITY",
        f"DROP POLICY IF EXISTS {POLICY} ON {quoted}",
        f"CREATE POLICY {POLICY} ON {quoted} USING ({EVERYTHING} OR {column} = {ENTERED})",
    ):
        connection.exec_driver_sql(statement)


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)


def _literal(text_: str) -> str:
    return "'" + text_.replace("'", "''") + "'"
