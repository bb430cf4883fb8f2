"""Hashes what the warehouse says, so that two loads of the same files can be proved to say the same.

Left out is what depends on the order of arrival and means nothing: surrogate numbers (replaced by the natural key
that they stand for), the `known` columns, what is no longer current, the work list of rejudging, and snapshots;
oversell, which asks what was known when; and balances, which only repeat the positions. The steps of valuation are left
to what gold says by them, and when a record was told again to silver.revision, which leaves out what is withdrawn.
"""

import hashlib

from psycopg2 import extensions, sql

from etl_pipeline.core.names import Schemas

_CODES = {
    "product_id": ("product_code", "{{ silver }}.product_key", "product_id", "k.product_code"),
    "location_id": ("location_code", "{{ silver }}.location_key", "location_id", "k.location_code"),
    "feed_id": ("feed", "{{ ops }}.feed", "feed_id", "k.feed"),
    "file_id": (
        "file",
        "(select b.file_id, f.feed || ' ' || b.sha256 as code "
        "from {{ bronze }}.file as b inner join {{ ops }}.feed as f on b.feed_id = f.feed_id)",
        "file_id",
        "k.code",
    ),
    "record_id": (
        "record",
        "(select r.record_id, cast(row(f.feed, r.epoch, r.document, r.line, r.content_hash) as text) as code "
        "from {{ silver }}.record as r inner join {{ ops }}.feed as f on r.feed_id = f.feed_id)",
        "record_id",
        "k.code",
    ),
}
"""Surrogate number -> (name in the hash, relation that knows it, its key there, the natural key)."""

_OWN_NUMBER = {
    "dim_product": "product_id",
    "dim_location": "location_id",
    "record": "record_id",
}
"""Numbers that a relation gives out itself; its natural key stands beside them."""

_WORK_LISTS = (
    "file_reference",
    "file_copy",
    "product_key",
    "location_key",
    "merge_link",
    "product_family",
    "latest_movement",
    "told_again",
    "rate_due",
    "rate_basis",
    "stock_balance",
    "position_sum",
)
_STEPS = ("value_flow", "fifo_layer", "fifo_match", "value_entry")
_BY_KNOWLEDGE = ("oversell", "feed_health")
_SNAPSHOTS = ("snapshot", "stock_snapshot", "product_snapshot", "sales_snapshot", "snapshot_difference")
_ARRIVAL = ("known", "known_from", "known_to", "since_known", "contract_hash")


class _Sink:
    """What COPY writes into: a running hash."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Take the next bytes."""
        self.hash.update(data)
        return len(data)


def content_hash(connection: extensions.connection, schemas: Schemas) -> dict[str, str]:
    """Return the SHA-256 of each silver and gold relation's rows, and of all of them as `total`.

    The names carry the layer, not the environment's schema, so that environments compare.
    """
    was_autocommit = connection.autocommit
    if was_autocommit:
        connection.autocommit = False  # the settings and all that is read belong to one transaction
    try:
        hashes = _hash_all(connection, schemas)
    finally:
        if was_autocommit:
            connection.rollback()
            connection.autocommit = True
    total = hashlib.sha256("\n".join(f"{name} {value}" for name, value in sorted(hashes.items())).encode())
    return hashes | {"total": total.hexdigest()}


def _hash_all(connection: extensions.connection, schemas: Schemas) -> dict[str, str]:
    hashes: dict[str, str] = {}
    with connection.cursor() as cursor:
        cursor.execute("set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'")
        cursor.execute("set local work_mem = '256MB'")  # joins and sorts of whole tables
    skip = {"silver": _WORK_LISTS + _STEPS, "gold": _SNAPSHOTS + _BY_KNOWLEDGE}
    for layer, schema in (("silver", schemas.silver), ("gold", schemas.gold)):
        for relation, columns in _relations(connection, schema).items():
            if relation not in skip[layer]:
                hashes[f"{layer}.{relation}"] = _hash_of(connection, _rows(schemas, schema, relation, columns))
    return hashes


def _relations(connection: extensions.connection, schema: str) -> dict[str, dict[str, str]]:
    """Return tables and views of a schema with name and type of their columns, both in order of name."""
    found: dict[str, dict[str, str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.relname, a.attname, format_type(a.atttypid, null) from pg_catalog.pg_class as c "
            "inner join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where c.relnamespace = (select n.oid from pg_catalog.pg_namespace as n where n.nspname = %s) "
            "and c.relkind in ('r', 'v', 'm', 'p', 'f') and not c.relispartition "
            'order by c.relname collate "C", a.attname collate "C"',
            (schema,),
        )
        for relation, column, kind in cursor.fetchall():
            found.setdefault(str(relation), {})[str(column)] = str(kind)
    return found


def _rows(schemas: Schemas, schema: str, relation: str, columns: dict[str, str]) -> sql.Composable:
    """Return the query of a relation's rows as one digest each, in the digests' order: short, so quick to sort."""
    fields: list[sql.Composable] = []
    joins: list[sql.Composable] = []
    for column, kind in columns.items():
        if column in _ARRIVAL or _OWN_NUMBER.get(relation) == column:
            continue
        value: sql.Composable = sql.SQL("t.{}").format(sql.Identifier(column))
        name = column
        if column in _CODES:
            name, knows, key, code = _CODES[column]
            alias = f"k_{name}"
            value = sql.SQL(code.replace("k.", f"{alias}."))
            joins.append(
                sql.SQL(f" left join {schemas.render(knows)} as {alias} on {alias}.{key} = t.{{}}").format(
                    sql.Identifier(column)
                )
            )
        elif kind == "numeric":
            value = sql.SQL("trim_scale({})").format(value)
        fields.append(value)
    standing = " where t.known_to is null" if "known_to" in columns else ""
    current = sql.SQL(" where not t.is_withdrawn" if "is_withdrawn" in columns else standing)
    return sql.SQL(
        "copy (select r.digest from ("
        "select sha256(convert_to(cast(row({fields}) as text), 'UTF8')) as digest from {table} as t{joins}{current}"
        ") as r order by r.digest) to stdout"
    ).format(
        fields=sql.SQL(", ").join(fields),
        table=sql.Identifier(schema, relation),
        joins=sql.SQL("").join(joins),
        current=current,
    )


def _hash_of(connection: extensions.connection, query: sql.Composable) -> str:
    sink = _Sink()
    with connection.cursor() as cursor:
        cursor.copy_expert(query, sink)
    return sink.hash.hexdigest()
