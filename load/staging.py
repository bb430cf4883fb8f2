"""The temporary tables that a batch is copied into, rendered from the facts' one home."""

from etl_pipeline.contracts.facts import FACT_KINDS, SQL_TYPES, FactKind

STAGE_TABLES: dict[str, dict[str, str]] = {
    "stage_record": {
        "file_id": "bigint", "record_no": "bigint", "line_no": "bigint", "byte_start": "bigint", "byte_end": "bigint",
        "epoch": "text", "document": "text", "line": "text", "content_hash": "uuid", "revision_no": "numeric",
        "updated_at": "timestamptz", "is_void": "boolean", "is_keyless": "boolean", "is_again": "boolean",
    },
    "stage_quarantine": {
        "file_id": "bigint", "record_no": "bigint", "line_no": "bigint", "byte_start": "bigint", "byte_end": "bigint",
        "raw": "bytea", "reason": "text", "sentence": "text", "wants_set": "text", "wants_key": "text",
    },
    "stage_again": {"file_id": "bigint", "record_no": "bigint"},
    "stage_file_reference": {"file_id": "bigint", "set_name": "text", "key": "text"},
    "stage_created": {"set_name": "text", "code": "text"},
    "stage_reference": {
        "file_id": "bigint", "record_no": "bigint", "fact_no": "smallint", "set_name": "text", "key": "text",
        "attributes": "jsonb",
    },
}  # fmt: skip


def stage_columns(kind: FactKind) -> dict[str, str]:
    """Return name and SQL type of the columns of a fact's staging table, in order."""
    address = {"file_id": "bigint", "record_no": "bigint", "fact_no": "smallint"}
    return address | {column.name: SQL_TYPES[column.type] for column in kind.columns}


def stage_statements() -> list[str]:
    """Return the statements that make the staging tables; they vanish with the transaction."""
    tables = STAGE_TABLES | {f"stage_{kind.name}": stage_columns(kind) for kind in FACT_KINDS.values()}
    return [
        f"create temporary table {name} ({', '.join(f'{c} {t}' for c, t in columns.items())}) on commit drop"
        for name, columns in tables.items()
    ]
