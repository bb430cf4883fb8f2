"""What makes two records of a feed the same one: declared by each emitter, for the answer key alone.

The contracts in feeds/simulated say the same to the warehouse. It is written twice on purpose: an answer key that read
the contracts would repeat their mistakes.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """How one feed tells its records apart.

    Attributes:
        feed: name of the feed.
        key: columns that together name a record: document, line, and what tells re-used numbers apart.
        revision: column with the number of a record's version; empty where there is none.
        updated_at: column with the time of a record's version, ISO 8601; empty where there is none.
        void: column and value that take a record back.
        left_out: column, value and reason of records that are no business of a warehouse.
        unread: columns that no one reads: a difference there makes no other record.
        head: non-data that each file has before its records: "header", "preamble"...
        tail: non-data behind them.
    """

    feed: str
    key: tuple[str, ...]
    revision: str = ""
    updated_at: str = ""
    void: tuple[str, str] = ("", "")
    left_out: tuple[tuple[str, str, str], ...] = ()
    unread: tuple[str, ...] = ()
    head: tuple[str, ...] = ("header",)
    tail: tuple[str, ...] = ()
