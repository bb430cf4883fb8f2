"""What every reader of files shares: the rules of a retailer, and conforming until nothing looked up is missing."""

from collections.abc import Callable

from psycopg2 import extensions

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Conformed, Part
from etl_pipeline.silver_layer.authority import effective_rules
from etl_pipeline.silver_layer.conform import Rules, conform
from load.references import ReferenceReader


def rules_of(feeds: Feeds) -> Rules:
    """Return what a retailer's contracts say about whose word counts, money and time."""
    retailer = feeds.retailer
    authority = effective_rules(retailer.authority, {c.source_system for c in feeds.contracts.values()})
    return Rules(authority, retailer.currency, retailer.zone)


def conform_with(
    reader: ReferenceReader, cursor_of: Callable[[], extensions.cursor], parts: list[Part], contract: Contract,
    rules: Rules,
) -> Conformed:  # fmt: skip
    """Conform chunks of one feed, reading what they look up until nothing is missing."""
    while True:
        conformed = conform(parts, contract, rules, reader.references)
        if not reader.complete(cursor_of, conformed.used):
            return conformed
