"""SQL: schema, gold models, snapshot procedures, data tests."""
