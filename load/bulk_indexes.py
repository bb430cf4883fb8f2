"""The indexes of the large tables: laid down while a load that dwarfs what is there copies its rows."""

import logging
import time

from psycopg2 import extensions

from etl_pipeline.core.names import Schemas

log = logging.getLogger(__name__)
BULK_BYTES = 16 << 20
"""Less than this is not worth it: whoever reads waits while the indexes are down."""


class BulkIndexes:
    """Lays the indexes down within a load's transaction, and makes them again of all rows; see 064_bulk_indexes.sql.

    Attributes:
        are_down: whether looking a key up would read a whole table now.
    """

    def __init__(self, cursor: extensions.cursor, schemas: Schemas) -> None:
        """Use the cursor of a load."""
        self._cursor = cursor
        self._schemas = schemas
        self.are_down = False

    def expect(self, coming: int) -> None:
        """Lay the indexes down where so many bytes of files dwarf what is there."""
        if coming >= BULK_BYTES:
            self._cursor.execute(self._schemas.render("select {{ silver }}.lay_indexes_down(%s)"), (coming,))
            self.are_down = self._cursor.fetchone() == (True,)

    def take_up(self) -> None:
        """Make the indexes that were laid down."""
        if self.are_down:
            started = time.monotonic()
            self._cursor.execute(self._schemas.render("select {{ silver }}.take_indexes_up()"))
            self.are_down = False
            log.info("take_indexes_up: %.2f s", time.monotonic() - started)
