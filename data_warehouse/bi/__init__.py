"""Gold in a BI tool: Apache Superset's data source, data sets, charts and dashboards, as files."""
