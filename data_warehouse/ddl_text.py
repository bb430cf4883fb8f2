"""What every room that renders SQL writes the same way."""

FUNCTION_HEAD = "language plpgsql\nset search_path = pg_catalog, pg_temp\nas $$\nbegin\n"


def quoted(text: str) -> str:
    """Return text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
