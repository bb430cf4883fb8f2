"""What every reader of files shares: the rules of a retailer, and conforming with what codes mean."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Conformed, Part, References
from etl_pipeline.silver_layer.authority import effective_rules
from etl_pipeline.silver_layer.conform import Rules, conform


class Known(Protocol):
    """What codes mean, as far as it was asked for."""

    @property
    def references(self) -> References:
        """Return what was found of all that was asked for."""

    def complete(self, wanted: Mapping[str, Iterable[str]]) -> bool:
        """Look up the wanted keys that were never asked for; return whether any of them is there."""


def rules_of(feeds: Feeds) -> Rules:
    """Return what a retailer's contracts say about whose word counts, money and time."""
    retailer = feeds.retailer
    authority = effective_rules(retailer.authority, {c.source_system for c in feeds.contracts.values()})
    return Rules(authority, retailer.currency, retailer.zone)


def conform_with(known: Known, parts: list[Part], contract: Contract, rules: Rules) -> Conformed:
    """Conform chunks of one feed; what they look up and nobody asked for yet is read on the way."""
    return conform(parts, contract, rules, known.references, known.complete)
