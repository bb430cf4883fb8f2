"""The temporary tables of the loads of one session."""

from psycopg2 import extensions

from etl_pipeline.core.names import Schemas

MOST_ROWS = 10_000
"""After so many rows the tables are made anew: what they held, and what was learnt of it, would slow small loads."""


class WorkTables:
    """Made by the first load of a session, emptied for each, made anew after a large one; a new session has none."""

    def __init__(self) -> None:
        """Nothing was put into them yet."""
        self._rows = 0

    def open(self, cursor: extensions.cursor, schemas: Schemas) -> None:
        """Have them ready and empty, within the transaction of a load."""
        cursor.execute(schemas.render("select {{ silver }}.open_work(%s)"), (self._rows > MOST_ROWS,))
        if self._rows > MOST_ROWS:
            self._rows = 0

    def note(self, rows: int) -> None:
        """So many rows went through them."""
        self._rows += rows
