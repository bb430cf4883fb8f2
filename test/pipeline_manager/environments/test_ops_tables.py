"""Every table of ops is classed: copied into an environment, of running, or of what lies outside."""

from etl_pipeline.core.ops_tables import classes_of


def test_every_table_of_ops_is_in_exactly_one_class(warehouse):
    tables = [row[0] for row in warehouse.rows("select tablename from pg_tables where schemaname = 'ops' order by 1")]
    assert "environment" in tables
    wrong = {table: classes_of(table) for table in tables if len(classes_of(table)) != 1}
    assert wrong == {}, (
        "New tables of ops must be named once in etl_pipeline/core/ops_tables.py: OF_DATA where an environment takes "
        "their rows over from prod, OF_RUNNING where they tell how a warehouse ran, OF_OUTSIDE where a full refresh "
        f"must leave them alone (events, messages). Not in exactly one class: {wrong}"
    )
