"""The peer of the bench, dlt with dbt over it: run as a script in an environment of its own, imported by nobody."""
