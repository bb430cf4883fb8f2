"""Snowflake as a serving warehouse: the connector is imported when it is needed, for it is an extra."""
