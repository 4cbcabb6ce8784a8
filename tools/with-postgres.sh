#!/bin/sh
# Run a command with TEST_DATABASE_URL naming a PostgreSQL of its own, which is gone afterwards.
# Usage: tools/with-postgres.sh COMMAND...
# A TEST_DATABASE_URL that is set already is used as it is. With DURABLE=1 every commit waits for
# the disk, as in production. PostgreSQL does not run as root: as
# root it is started as the user postgres.
set -eu
if [ -n "${TEST_DATABASE_URL:-}" ]; then
    exec "$@"
fi

bin=
for folder in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin 2>/dev/null | sort -Vr) \
    "$(dirname "$(command -v initdb || echo /none/initdb)")"; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then bin=$folder; break; fi
done
if [ -z "$bin" ]; then
    echo "PostgreSQL's server is missing (Debian, Ubuntu: apt install postgresql)." >&2
    exit 1
fi

as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# In memory where there is room: a database is three hundred files, and each test gets one of its
# own. On some disks that takes ten times as long.
has_room() { [ -w "$1" ] && df -Pk "$1" | awk 'NR == 2 { exit $4 < 2000000 }'; }
place=/tmp
if [ -z "${DURABLE:-}" ] && has_room /dev/shm; then place=/dev/shm; fi
# A path of our own making, without the blanks that TMPDIR might have; sockets need it short too.
cluster=$(mktemp -d "$place/portal-pg.XXXXXX")
chmod 755 "$cluster"
[ "$(id -u)" != 0 ] || chown postgres "$cluster"

stop() {
    as_postgres "$bin/pg_ctl" -D "$cluster/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$cluster"
}
trap stop EXIT
trap 'exit 130' INT TERM

cd_safe() { cd / && as_postgres "$@"; }
(cd_safe "$bin/initdb" -D "$cluster/data" -U portal --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
    --no-sync >"$cluster/log" 2>&1) || { cat "$cluster/log" >&2; exit 1; }
# Nothing here must survive a power cut: without waiting for the disk the tests are much faster.
waiting="-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_wal_size=256MB"
[ -z "${DURABLE:-}" ] || waiting="-c shared_buffers=512MB -c max_wal_size=4GB"
(cd_safe "$bin/pg_ctl" -D "$cluster/data" -l "$cluster/data/log" -w -o "-p $port -k $cluster \
    -c listen_addresses=127.0.0.1 -c max_connections=200 $waiting" start >/dev/null) || { cat "$cluster/data/log" >&2; exit 1; }

TEST_DATABASE_URL="postgresql://portal@127.0.0.1:$port/postgres" "$@"
