"""The temporary tables of a load: what it is copied into, and what it notes on its way. One session makes them once.

Tables made anew for each load would cost it a hundred entries in the catalog, and every statement its plan.
"""

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

NOTED_TABLES: dict[str, dict[str, str]] = {
    "withdrawn": {"record_id": "bigint", "feed_id": "integer", "epoch": "text", "document": "text", "line": "text"},
    "twice": {"content_hash": "uuid"},
    "arrived": {
        "feed_id": "integer", "epoch": "text", "document": "text", "line": "text", "content_hash": "uuid",
        "revision_no": "numeric", "updated_at": "timestamptz", "last_file_at": "timestamptz", "is_void": "boolean",
        "file_id": "bigint", "record_no": "bigint", "line_no": "bigint", "byte_start": "bigint", "byte_end": "bigint",
        "logical_time": "timestamptz", "sha256": "text", "is_judged_again": "boolean", "file_ids": "bigint[]",
        "old_record_id": "bigint", "old_file_id": "bigint", "old_record_no": "bigint",
        "old_last_file_at": "timestamptz", "record_id": "bigint",
    },
    "returned": {"record_id": "bigint", "feed_id": "integer", "epoch": "text", "document": "text", "line": "text"},
    "contested": {"feed_id": "integer", "epoch": "text", "document": "text", "line": "text"},
    "currency": {
        "record_id": "bigint", "was_current": "boolean", "is_current": "boolean", "is_conflict": "boolean",
    },
    "changed_record": {
        "record_id": "bigint", "file_id": "bigint", "record_no": "bigint", "takes_staged": "boolean",
        "replaces": "boolean", "stands": "boolean", "is_new": "boolean",
    },
    "repeated": {"record_id": "bigint"},
    "copied": {"one": "bigint", "other": "bigint"},
    "touched_key": {"product_id": "integer", "location_id": "integer"},
    "recomputed_key": {"product_id": "integer", "location_id": "integer"},
    "moved": {
        "product_id": "integer", "location_id": "integer", "state": "text", "bin_code": "text", "lot_code": "text",
        "quantity": "numeric", "first_at": "timestamptz", "last_at": "timestamptz",
    },
    "touched_order": {"order_document": "text"},
    "fresh_position": {
        "product_id": "integer", "location_id": "integer", "state": "text", "bin_code": "text", "lot_code": "text",
        "quantity": "numeric", "is_anchored": "boolean", "anchor_at": "timestamptz", "anchor_quantity": "numeric",
        "last_movement_at": "timestamptz",
    },
    "fresh_code": {"code": "text"},
    "changed_key": {"set_name": "text", "key": "text"},
    "predicted_key": {
        "product_id": "integer", "location_id": "integer", "is_sure": "boolean", "names_order": "boolean",
    },
    "predicted_position": {
        "product_id": "integer", "location_id": "integer", "state": "text", "bin_code": "text", "lot_code": "text",
        "quantity": "numeric", "is_anchored": "boolean", "anchor_at": "timestamptz", "anchor_quantity": "numeric",
        "last_movement_at": "timestamptz", "accounted": "numeric", "first_at": "timestamptz",
    },
    "unforeseen": {
        "product_id": "integer", "location_id": "integer", "predicted": "numeric", "stands": "numeric",
        "is_quantity": "boolean", "is_anchor": "boolean", "is_account": "boolean",
    },
    "law_key": {"product_id": "integer", "location_id": "integer"},
    "law_entry": {
        "product_id": "integer", "account": "text", "location_id": "integer", "state": "text", "bin_code": "text",
        "lot_code": "text", "quantity": "numeric",
    },
}  # fmt: skip


def stage_columns(kind: FactKind) -> dict[str, str]:
    """Return name and SQL type of the columns of a fact's staging table, in order."""
    address = {"file_id": "bigint", "record_no": "bigint", "fact_no": "smallint"}
    return address | {column.name: SQL_TYPES[column.type] for column in kind.columns}


def work_tables() -> dict[str, dict[str, str]]:
    """Return every temporary table of a load: name -> columns with their SQL types."""
    return STAGE_TABLES | {f"stage_{kind.name}": stage_columns(kind) for kind in FACT_KINDS.values()} | NOTED_TABLES
