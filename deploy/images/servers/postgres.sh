#!/bin/sh
# As the official image does it, as far as a plane uses it: makes the database once, then runs what it is told.
# No program but PostgreSQL's own is there.
set -eu
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086 # the arguments are several
    initdb --username="${POSTGRES_USER:-postgres}" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 \
        --auth-local=trust ${POSTGRES_INITDB_ARGS:---auth-host=scram-sha-256} >/dev/null
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    if [ "${POSTGRES_DB:-postgres}" != postgres ]; then
        echo "CREATE DATABASE \"$POSTGRES_DB\";" | postgres --single -D "$PGDATA" postgres >/dev/null
    fi
fi
exec "$@" -c listen_addresses='*'
