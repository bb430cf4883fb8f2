#!/bin/sh
# What the image of PostgreSQL does at its first start, as far as the compose file needs it: a login with a password, and
# a database. It must not answer over TCP before that is done.
set -eu
chown -R postgres: "$PGDATA"
chmod 0700 "$PGDATA"
if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?is not set}"
    secret=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" > "$secret"
    chown postgres "$secret"
    gosu postgres initdb --auth=scram-sha-256 --auth-local=trust --pwfile="$secret" --encoding=UTF8 --locale=C.UTF-8 \
        --username="${POSTGRES_USER:-postgres}" > /dev/null
    rm -f "$secret"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    gosu postgres pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start > /dev/null
    gosu postgres createdb --username="${POSTGRES_USER:-postgres}" "${POSTGRES_DB:-postgres}" || true
    gosu postgres pg_ctl -D "$PGDATA" -m fast -w stop > /dev/null
fi
[ "${1:-}" = postgres ] && exec gosu postgres "$@" -c listen_addresses='*'
exec gosu postgres "$@"
